"""Add a stream to an output with the parameters of an input stream, whatever PyAV thinks of the pair.

PyAV asks FFmpeg's `avformat_query_codec` first, which knows only what a container officially holds: for Matroska not
WMA, ADPCM, A-law, µ-law or Speex, which its muxer writes and every demuxer reads. The muxer itself decides when it
writes the header.
"""

import io
from typing import Any, cast

import av
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.stream import Stream

from vidsr.video.metadata import codec_of

CHANNELS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""The channel layout that players assume for a number of channels."""
_ENCODERS = {"video": "mpeg4", "audio": "pcm_s16le", "subtitle": "subrip"}  # any of the type


def add_copy(container: OutputContainer, stream: Stream, *, extradata: bytes | None = None) -> Stream:
    """Add a stream for the packets of an input stream, with the muxer's own codec tag.

    extradata: codec configuration, if the input does not have it in one place.
    What the container does not hold fails when the header is written.
    """
    if stream.codec_context is None and stream.type in ("data", "attachment"):  # their tag says what they are
        return container.add_stream_from_template(stream, opaque=True)
    changed: dict[str, Any] = {} if extradata is None else {"extradata": extradata}
    if has_unnamed_channels(container.format.name, stream):
        changed["layout"] = CHANNELS[cast(av.AudioStream, stream).codec_context.layout.nb_channels]
    if stream.codec_context is not None:
        try:
            copy = container.add_stream_from_template(stream, opaque=True)
        except ValueError:
            pass
        else:
            for name, value in changed.items():
                setattr(copy.codec_context, name, value)
            return copy
    copy = add_with_parameters(container, stream.type, stream, **changed)
    copy.time_base = stream.time_base
    return copy


def add_with_parameters(container: OutputContainer, kind: str, source: Stream | str, **changed: Any) -> Stream:
    """Add a stream of a type with the parameters of another, without its codec tag.

    source: a stream, or the name of a codec. changed: attributes of a codec context that differ from it.
    """
    template = av.open(io.BytesIO(), "w", format="null").add_stream(_ENCODERS.get(kind, "subrip"))
    carrier = av.open(io.BytesIO(), "w", format="null")
    plain: Any = carrier.add_stream_from_template(template, opaque=True)
    # The null filter changes no packet; PyAV copies all parameters of a stream through a filter to another stream.
    BitStreamFilterContext("null", source, plain)
    for name, value in {"codec_tag": "\0\0\0\0", **changed}.items():
        setattr(plain.codec_context, name, value)
    carrier.start_encoding()  # copies the codec context to the parameters of its stream
    copy = container.add_data_stream()  # of no type yet, for which PyAV asks nothing
    BitStreamFilterContext("null", plain, copy)
    return copy


def has_unnamed_channels(muxer: str, stream: Stream) -> bool:
    """Return whether sound lacks the channel layout that the muxer needs.

    For PCM, mp4's would fail only at its end. For other sound than AAC and MP3, FLV's would end the process.
    """
    if not isinstance(stream, av.AudioStream) or stream.codec_context is None:
        return False
    if muxer != "flv" and not (muxer == "mp4" and codec_of(stream).startswith("pcm_")):
        return False
    layout: str = stream.codec_context.layout.name
    return layout.endswith(" channels") or (muxer == "flv" and layout not in CHANNELS.values())
