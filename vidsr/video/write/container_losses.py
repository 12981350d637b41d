"""What a container cannot say of a film, told to the user before the first frame."""

from collections.abc import Iterator, Mapping

from vidsr.frames import BT470BG, SMPTE170M, UNSPECIFIED, Notice, VideoInfo, guessed_matrix
from vidsr.video.convert.side_data__mastering import CODECS as MASTERING_CODECS
from vidsr.video.convert.side_data__mastering import Mastering

_NO_CHAPTERS = ("mpegts", "yuv4mpegpipe", "avi", "flv")
# The tags that a container holds, all where it is not named.
_TAGS: dict[str, tuple[str, ...]] = {
    "mpegts": ("service_name", "service_provider"),
    "yuv4mpegpipe": (),
    "avi": ("title", "artist", "comment", "copyright", "date", "genre"),
}
_NO_TURN = ("mpegts", "yuv4mpegpipe", "avi", "flv", "nut")
# Where PyAV tells the container the shape of a pixel; elsewhere it depends on the codec.
_SHAPED = ("mp4", "mov", "ipod")
_SHAPED_CODECS = ("h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video")
_SAME = {BT470BG, SMPTE170M}  # the same numbers
_SITINGS = {"mjpeg": "center", "mpeg1video": "center"}  # where chroma is taken to sit if nothing is said; else left
# What of colours codecs say in their own stream, and containers beside any of them.
_COLOURS = ("matrix", "range", "primaries", "transfer")
_TOLD_BY_CODEC = {
    **dict.fromkeys(("h264", "hevc"), (*_COLOURS, "siting")),
    "av1": _COLOURS,
    "mpeg2video": ("matrix", "primaries", "transfer"),
    "vp9": ("matrix", "range"),
}
_TOLD_BY_MUXER = {
    **dict.fromkeys(("matroska", "webm", "mp4", "flv"), _COLOURS),
    "mov": ("matrix", "primaries", "transfer"),
    "yuv4mpegpipe": ("range", "siting"),
}
_WHOLE = ("mp4", "mov")  # they tell all of it or nothing
# What these are always taken to have, whatever is said beside them.
_FIXED = {
    "vp8": ("matrix", "range"),
    "mjpeg": ("matrix",),
    **dict.fromkeys(("mpeg1video", "mpeg2video", "prores"), ("range",)),
}


def untold(
    muxer: str,
    *,
    codec: str,
    encoder: str,
    info: VideoInfo,
    chapters: bool,
    tags: Mapping[str, str],
    turned: bool,
    mastering: Mastering | None,
) -> Iterator[Notice]:
    """A sentence for each thing that is lost.

    muxer, codec, encoder: FFmpeg's names. chapters: whether there are any. turned: whether players are to turn the
    film. mastering: of the film, where it tells.
    """
    aspect = info.aspect
    if chapters and muxer in _NO_CHAPTERS:
        yield Notice(f"the chapters are left out: {muxer} holds none", "chapters")
    lost = [key for key in tags if key.lower() not in _TAGS.get(muxer, (key.lower(),))]
    if lost:
        yield Notice(f"the tags of the film ({', '.join(lost)}) are left out: {muxer} holds none", "tags")
    if muxer in _NO_TURN and turned:
        what = f"the film lies on its side, and {muxer} cannot tell players to turn it; use .mp4 or .mkv"
        yield Notice(what, "rotation")
    if not info.square and muxer not in _SHAPED and codec not in _SHAPED_CODECS:
        where = "y4m" if muxer == "yuv4mpegpipe" else f"{codec} in {muxer}"
        what = f"pixels of {aspect.numerator}:{aspect.denominator} cannot be told with {where}; use .mp4"
        yield Notice(what, "aspect")
    if mastering is not None and encoder not in MASTERING_CODECS:
        what = f"the mastering display and light levels are left out: {encoder} takes none; libx265 and libsvtav1 do"
        yield Notice(what, "mastering")
    colours = untold_colours(muxer, codec, info)
    if colours:
        what = f"{', '.join(colours)} of the colours cannot be told with {codec} in {muxer}; use libx264, or .mkv"
        yield Notice(what, *colours)


def untold_colours(muxer: str, codec: str, info: VideoInfo) -> list[str]:
    """What of a film's colours a player of the output would not be told, nor guess."""
    color = info.color
    whole = UNSPECIFIED not in (color.matrix, color.primaries, color.transfer)
    by_muxer = _TOLD_BY_MUXER.get(muxer, ()) if whole or muxer not in _WHOLE else ()
    told = {*_TOLD_BY_CODEC.get(codec, ()), *by_muxer} - {*_FIXED.get(codec, ())}
    if muxer == "yuv4mpegpipe" and info.bits > 8:
        told.discard("siting")
    guessed = color.matrix == guessed_matrix(info.height) or {color.matrix, guessed_matrix(info.height)} == _SAME
    needed = {
        "matrix": not guessed and not info.gray,
        "range": color.full_range and codec != "mjpeg",
        "primaries": color.primaries != UNSPECIFIED,
        "transfer": color.transfer != UNSPECIFIED,
        "siting": color.subsampling == (1, 1) and not info.gray and color.siting != _SITINGS.get(codec, "left"),
    }
    return [what for what, is_needed in needed.items() if is_needed and what not in told]
