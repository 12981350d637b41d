"""Frames through a codec and back, in memory: what a stream does to a picture on its way."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np

from vidsr.errors import InputError
from vidsr.frames import Frame
from vidsr.video.layouts import planes_of
from vidsr.video.quantiser import EXPORT, mean_quantiser
from vidsr.video.scheduling import own_priority

_DECODERS = {
    "libx264": "h264",
    "libx265": "hevc",
    "libsvtav1": "libdav1d",
    "libvpx-vp9": "vp9",
    "mpeg2video": "mpeg2video",
}
_QUIET = {"libx265": {"x265-params": "log-level=none"}}


def recode(
    frames: Sequence[Frame],
    *,
    codec: str = "libx264",
    crf: float | None = 23.0,
    options: Mapping[str, str] | None = None,
) -> tuple[list[Frame], int]:
    """Send 8-bit 4:2:0 frames through an encoder and its decoder.

    frames: all of one even size; colour, pts and duration are handed through. crf: None leaves the rate to `options`.
    Returns as many frames as came in, with the quantisers their decoder tells, and the bytes that travelled.
    Raises InputError where the encoder refuses.
    """
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes to stderr past every log level but this one
    first = frames[0]
    if first.bits != 8 or first.color.subsampling != (1, 1) or first.width % 2 or first.height % 2:
        raise InputError(f"{codec} is given {first}; recoding takes 8-bit 4:2:0 of even size")
    encoder = av.CodecContext.create(codec, "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = first.width, first.height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.color_range = 2 if first.color.full_range else 1
    encoder.options = {**({} if crf is None else {"crf": f"{crf:g}"}), **_QUIET.get(codec, {}), **(options or {})}
    decoder = av.CodecContext.create(_DECODERS[codec], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.options = dict(EXPORT)
    try:
        with own_priority():
            packets = [p for i, frame in enumerate(frames) for p in encoder.encode(_picture(frame, i))]
            packets += encoder.encode(None)
    except av.error.FFmpegError as exc:
        raise InputError(f"{codec} does not take {first.width}x{first.height} pictures with {encoder.options}") from exc
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    pictures = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    assert len(pictures) == len(frames), f"{codec}: {len(frames)} frames in, {len(pictures)} out"
    decoded = [
        replace(frame, planes=planes_of(picture), quantiser=mean_quantiser(picture), carrier=picture)
        for frame, picture in zip(frames, pictures, strict=True)
    ]
    return decoded, sum(packet.size for packet in packets)


def _picture(frame: Frame, index: int) -> av.VideoFrame:
    picture = av.VideoFrame(frame.width, frame.height, "yuv420p")
    for target, plane in zip(planes_of(picture), frame.planes, strict=True):
        np.copyto(target, plane)
    picture.pts, picture.time_base = index, Fraction(1, 25)
    return picture
