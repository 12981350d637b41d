"""Which stream of a container is upscaled, and how its decoder is set up."""

from collections.abc import Iterator
from uuid import UUID

import av
from av.container import InputContainer

from vidsr.errors import InputError, NotAVideo, NoVideoStream
from vidsr.system import fits, megapixels
from vidsr.video._compat import decoder_chroma_location
from vidsr.video.convert.qp import EXPORT
from vidsr.video.metadata import ATTACHED
from vidsr.video.read.hwdecode import second_decoder
from vidsr.video.read.open_input import MP4_IN_PIPE, SIZE_LIMIT, OpenedInput
from vidsr.video.read.truncation import path_of
from vidsr.video.timing import TimeRange

_AVFMT_NOTIMESTAMPS = 0x0080


def select_video_stream(container: InputContainer, title: str) -> av.VideoStream:
    """Return the stream that FFmpeg would choose, but never cover art. Raises NoVideoStream or NotAVideo."""
    videos = [s for s in container.streams.video if not s.disposition & ATTACHED]
    if not videos:
        what = "only cover art" if container.streams.video else "no video stream"
        raise NoVideoStream(f"{title} holds {what}; give a file with a video or an image")
    readable = [s for s in videos if s.codec_context is not None]
    if not readable:
        raise NotAVideo(f"{title}: its video codec has no decoder here; convert it first, with another tool")
    best = container.streams.best("video")
    if container.format.name == "hls":  # variants of one video
        best = max(readable, key=lambda each: each.codec_context.width * each.codec_context.height)
    video = next((s for s in readable if best is not None and s.index == best.index), readable[0])
    if video.disposition & av.stream.Disposition.dependent:
        raise InputError(f"{title} is an image made of tiles; give it as a file, or pipe it, to have it put together")
    width, height = video.codec_context.width, video.codec_context.height
    if not fits(width, height):
        raise InputError(f"{title} states a size of {width}x{height}; at most {megapixels()} fit into memory here")
    return video


# Objects in the header of ASF: Content Encryption, and its Extended and Advanced forms.
_ASF_ENCRYPTION = tuple(
    UUID(text).bytes_le
    for text in (
        "2211b3fb-bd23-11d2-b4b7-00a0c955fc6e",
        "298ae614-2622-4c17-b935-dae07ee9289c",
        "43058533-6981-49e6-9b74-ad12cb86d58c",
    )
)
_ASF_HEADER = 1 << 16  # bytes that are searched


def check_encryption(container: InputContainer, title: str) -> None:
    """Raise InputError if the header of a Matroska or ASF file states that it is encrypted."""
    stated = any("enc_key_id" in stream.metadata for stream in container.streams)
    if container.format.name == "asf":
        path = path_of(container)
        if path is not None:
            with path.open("rb") as file:
                header = file.read(_ASF_HEADER)
            stated = any(guid in header for guid in _ASF_ENCRYPTION)
        stated = stated or any(key.startswith("ASF_Protection") for key in container.metadata)
    if stated:
        raise encryption_error(title)


def encryption_error(title: str) -> InputError:
    """Return the error for an input that is encrypted."""
    return InputError(f"{title} is encrypted (DRM), and vidsr has no key; give a file without encryption")


def no_frame_error(opened: OpenedInput, span: TimeRange, *, size_known: bool) -> InputError:
    """Return the error for an input without a single frame. size_known: whether the decoder accepted a size."""
    title = opened.title
    if opened.live and opened.container.format.name.startswith("mov"):
        return NotAVideo(f"{title}: no frame can be read{MP4_IN_PIPE}")
    if span.whole:
        large = "" if size_known else f", or larger than the {megapixels()} that fit into memory here"
        codec = opened.container.streams.video[0].codec_context
        what = f" of {codec.name} ({opened.container.format.long_name})" if codec is not None else ""
        return NotAVideo(f"{title}: no frame{what} can be decoded; the file may be truncated or damaged{large}")
    end = "its end" if span.duration is None else f"{float((span.start or 0) + span.duration):g} s"
    return InputError(f"{title} has no frame between {float(span.start or 0):g} s and {end}; choose another range")


def set_up_decoder(stream: av.VideoStream) -> None:
    """Set threads and options of a stream's decoder, before its first packet."""
    decoder = stream.codec_context
    codec = decoder.codec.canonical_name
    # Frame threads would lose the last frames of a damaged file: PyAV cannot drain such a decoder after an error.
    # With slice threads, the decoder of H.264 neither conceals damage nor reports it.
    decoder.thread_type = "NONE" if codec == "h264" else "SLICE"
    options = EXPORT | SIZE_LIMIT
    if codec == "hevc":  # alone among decoders, it would drop frames that refer to a lost one
        options["flags"] = "+output_corrupt"
    # Players assume chroma on the left if the codec does not state its location; swscale would assume the centre.
    centered = stream.container.format.name == "yuv4mpegpipe" and decoder.pix_fmt == "yuv420p"
    if not decoder_chroma_location(decoder) and not centered:
        options["chroma_sample_location"] = "left"
    decoder.options = options


def alpha_decoder(stream: av.VideoStream) -> av.VideoCodecContext | None:
    """Return a decoder for the alpha of VP8 or VP9, which FFmpeg's own drop, after `set_up_decoder`.

    None if the stream has no alpha.
    """
    codec = stream.codec_context.codec.canonical_name
    if stream.metadata.get("alpha_mode") != "1" or codec not in ("vp8", "vp9"):
        return None
    return second_decoder(stream, {"vp8": "libvpx", "vp9": "libvpx-vp9"}[codec])


def is_image_format(container: InputContainer) -> bool:
    """Return whether the format is that of image files, which may still contain several images."""
    return container.format.name == "image2" or container.format.name.endswith("_pipe")


def lacks_timestamps(container: InputContainer) -> bool:
    """Return whether the format has no time stamps: image files and raw streams."""
    return is_image_format(container) or bool(container.format.flags & _AVFMT_NOTIMESTAMPS)


def cover_art_packets(container: InputContainer) -> Iterator[av.Packet]:
    """Yield the packets of cover art once: they are the first in a file, and seeking would skip them."""
    cover_art = [stream.index for stream in container.streams.video if stream.disposition & ATTACHED]
    if cover_art:
        for packet in container.demux(*(container.streams[index] for index in cover_art)):
            if packet.size:
                yield packet
                cover_art.remove(packet.stream_index)
            if not cover_art or not packet.size:
                return
