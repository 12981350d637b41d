"""How RGB (GIF, numbered images, screen recordings) is encoded as video: so that it plays everywhere."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from av.codec.codec import Codec, UnknownCodecError

from vidsr.color import BT709, BT2020, UNSPECIFIED
from vidsr.context import Code, Notice
from vidsr.frames import VideoInfo
from vidsr.options import EncodeOptions
from vidsr.video.convert.pixel_formats import pixel_format_name
from vidsr.video.write.copy.containers import encoder_for, muxer_of

_NEEDS_TEN_BITS = (8, 16, 18)
"""Transfer characteristics that show steps at 8 bits: linear, PQ and HLG (H.273, table 3)."""


def encoded_info(info: VideoInfo, codec: Codec, user: Mapping[str, str]) -> VideoInfo:
    """Return what is encoded of a video: of RGB, YUV as players everywhere show it, else the video as it is.

    That is BT.709, or BT.2020 for its primaries, in limited range; for encoders whose videos are played rather than
    edited also 4:2:0 at 8 bits, or at 10 for HDR. user: options of the encoder; `pix_fmt` chooses the rest.
    """
    if not info.rgb:
        return info
    color = info.color
    color = replace(
        color,
        matrix=BT2020 if color.primaries == BT2020 else BT709,
        full_range=False,
        primaries=BT709 if color.primaries == UNSPECIFIED else color.primaries,
        transfer=BT709 if color.transfer == UNSPECIFIED else color.transfer,
    )
    if "pix_fmt" in user or not _is_for_playing(codec):
        return replace(info, color=color)
    if not (info.width % 2 or info.height % 2):
        color = replace(color, subsampling=(1, 1), chroma_location="left")
    return replace(info, color=color, bits=10 if color.transfer in _NEEDS_TEN_BITS else 8)


def needs_even_sides(info: VideoInfo, name: str | Path | BinaryIO, options: EncodeOptions) -> bool:
    """Return whether the frames of an RGB video need even sides to be encoded as 4:2:0 into this output."""
    if not info.rgb or "pix_fmt" in (options.encoder_options or {}):
        return False
    muxer = muxer_of(name, options.format)
    try:
        return not muxer.image and _is_for_playing(Codec(encoder_for(options.codec, muxer.name), "w"))
    except UnknownCodecError:  # which opening the output reports
        return False


def rgb_notice(info: VideoInfo, encoded: VideoInfo, pixel_format: str) -> Notice:
    """Return the warning of what becomes of an RGB video. info: of its frames; encoded: of what is encoded of them."""
    codes = [Code.MATRIX, Code.RANGE, Code.PIXEL_FORMAT, Code.CHROMA_LOCATION]
    codes += [Code.PRIMARIES] * (info.color.primaries != encoded.color.primaries)
    codes += [Code.TRANSFER] * (info.color.transfer != encoded.color.transfer)
    matrix = "BT.2020" if encoded.color.matrix == BT2020 else "BT.709"
    less = encoded.bits < info.bits or encoded.color.subsampling != info.color.subsampling
    finer = pixel_format_name(encoded.bits, (0, 0), gray=False)
    hint = f", which players show; --pix-fmt {finer} keeps the resolution of its colours" if less else ""
    return Notice(f"RGB is encoded as {pixel_format} with {matrix} in limited range{hint}", tuple(codes))


def _is_for_playing(codec: Codec) -> bool:
    """Return whether an encoder's videos are for players rather than for editing or archives."""
    archive = codec.intra_only or (codec.lossless and not codec.lossy)
    return not archive and any(each.name == "yuv420p" for each in codec.video_formats or [])
