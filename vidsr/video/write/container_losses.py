"""What a container cannot say of a film, told to the user before the first frame."""

from collections.abc import Iterator, Mapping
from typing import Any

from av.stream import Disposition

from vidsr.color import BT470BG, SMPTE170M, UNSPECIFIED, guessed_matrix
from vidsr.context import Code, Context, Notice
from vidsr.frames import Frame, VideoInfo
from vidsr.video.convert.pixel_formats import layout_name
from vidsr.video.convert.side_data import CODECS as MASTERING_CODECS
from vidsr.video.convert.side_data import Mastering, side_data
from vidsr.video.metadata import stream_tags
from vidsr.video.write.stream_copy import describe

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
_CHROMA_LOCATIONS = {
    "mjpeg": "center",
    "mpeg1video": "center",
}  # where chroma is taken to sit if nothing is said; else left
# What of colours codecs say in their own stream, and containers beside any of them.
_COLOURS = (Code.MATRIX, Code.RANGE, Code.PRIMARIES, Code.TRANSFER)
_TOLD_BY_CODEC = {
    **dict.fromkeys(("h264", "hevc"), (*_COLOURS, Code.CHROMA_LOCATION)),
    "av1": _COLOURS,
    "mpeg2video": (Code.MATRIX, Code.PRIMARIES, Code.TRANSFER),
    "vp9": (Code.MATRIX, Code.RANGE),
}
_TOLD_BY_MUXER = {
    **dict.fromkeys(("matroska", "webm", "mp4", "flv"), _COLOURS),
    "mov": (Code.MATRIX, Code.PRIMARIES, Code.TRANSFER),
    "yuv4mpegpipe": (Code.RANGE, Code.CHROMA_LOCATION),
}
_WHOLE = ("mp4", "mov")  # they tell all of it or nothing
# What these are always taken to have, whatever is said beside them.
_FIXED = {
    "vp8": (Code.MATRIX, Code.RANGE),
    "mjpeg": (Code.MATRIX,),
    **dict.fromkeys(("mpeg1video", "mpeg2video", "prores"), (Code.RANGE,)),
}


def container_losses(
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
        yield Notice(f"the chapters are left out: {muxer} holds none", (Code.CHAPTERS,))
    lost = [key for key in tags if key.lower() not in _TAGS.get(muxer, (key.lower(),))]
    if lost:
        yield Notice(f"the tags of the film ({', '.join(lost)}) are left out: {muxer} holds none", (Code.TAGS,))
    if muxer in _NO_TURN and turned:
        what = f"the film lies on its side, and {muxer} cannot tell players to turn it; use .mp4 or .mkv"
        yield Notice(what, (Code.ROTATION,))
    if not info.square and muxer not in _SHAPED and codec not in _SHAPED_CODECS:
        where = "y4m" if muxer == "yuv4mpegpipe" else f"{codec} in {muxer}"
        what = f"pixels of {aspect.numerator}:{aspect.denominator} cannot be told with {where}; use .mp4"
        yield Notice(what, (Code.ASPECT,))
    if mastering is not None and encoder not in MASTERING_CODECS:
        what = f"the mastering display and light levels are left out: {encoder} takes none; libx265 and libsvtav1 do"
        yield Notice(what, (Code.MASTERING,))
    lost_codes = lost_colors(muxer, codec, info)
    if lost_codes:
        what = f"{', '.join(lost_codes)} of the colours cannot be told with {codec} in {muxer}; use libx264, or .mkv"
        yield Notice(what, tuple(lost_codes))


def lost_colors(muxer: str, codec: str, info: VideoInfo) -> list[Code]:
    """What of a film's colours a player of the output would not be told, nor guess."""
    color = info.color
    whole = UNSPECIFIED not in (color.matrix, color.primaries, color.transfer)
    by_muxer = _TOLD_BY_MUXER.get(muxer, ()) if whole or muxer not in _WHOLE else ()
    told = {*_TOLD_BY_CODEC.get(codec, ()), *by_muxer} - {*_FIXED.get(codec, ())}
    if muxer == "yuv4mpegpipe" and info.bits > 8:
        told.discard(Code.CHROMA_LOCATION)
    guessed = color.matrix == guessed_matrix(info.height) or {color.matrix, guessed_matrix(info.height)} == _SAME
    needed = {
        Code.MATRIX: not guessed and not info.gray,
        Code.RANGE: color.full_range and codec != "mjpeg",
        Code.PRIMARIES: color.primaries != UNSPECIFIED,
        Code.TRANSFER: color.transfer != UNSPECIFIED,
        Code.CHROMA_LOCATION: color.subsampling == (1, 1)
        and not info.gray
        and color.chroma_location != _CHROMA_LOCATIONS.get(codec, "left"),
    }
    return [what for what, is_needed in needed.items() if is_needed and what not in told]


class Watch:
    """Looks at every frame that is written. A film is written as it began: in one size, layout and colour."""

    def __init__(
        self, info: VideoInfo, *, keeps_alpha: bool, keeps_captions: bool, writer: str, context: Context
    ) -> None:
        """info: of the output. writer: the encoder and its container, in words."""
        self._info, self._keeps_alpha, self._writer, self._context = info, keeps_alpha, writer, context
        self._known = [_kind_of_video(info)]
        self._alpha_told, self._captions_told = keeps_alpha, keeps_captions

    def look(self, frame: Frame) -> None:
        """Tell what cannot be kept of a frame."""
        kind = (frame.width, frame.height, frame.bits, len(frame.planes) == 1, frame.color)
        if kind not in self._known:
            self._known.append(kind)
            for notice in _changes(frame, self._info):
                self._context.on_warning(notice)
        # Formats may hold alpha and be opaque everywhere; then nothing is lost.
        if frame.alpha is not None and not self._alpha_told and int(frame.alpha.min()) < (1 << frame.bits) - 1:
            self._alpha_told = True
            why = f"{self._writer} holds none; .webm does, .mkv with --codec ffv1 and .mov with --codec prores_ks"
            if not self._info.alpha:
                why = "the film began without one"
            self._context.warn(f"the alpha channel is left out: {why}", Code.ALPHA)
        if not self._captions_told and side_data(frame.av_frame, "A53_CC") is not None:
            self._captions_told = True
            self._context.warn(f"the closed captions are left out: {self._writer} holds none", Code.CAPTIONS)


def _kind_of_video(info: VideoInfo) -> tuple[object, ...]:
    return info.width, info.height, info.bits, info.gray, info.color


def _changes(frame: Frame, info: VideoInfo) -> Iterator[Notice]:
    began = f"{info.width}x{info.height}"
    if (frame.width, frame.height) != (info.width, info.height):
        yield Notice(f"the picture changes its size on the way: {frame.width}x{frame.height} is stretched to {began}")
    layouts = [
        layout_name(bits, color.subsampling, gray=gray)
        for bits, color, gray in (
            (frame.bits, frame.color, len(frame.planes) == 1),
            (info.bits, info.color, info.gray),
        )
    ]
    if layouts[0] != layouts[1]:
        yield Notice(
            "the film changes on the way from {1} to {0}: it is written as it began".format(*layouts),
            (Code.PIXEL_FORMAT,),
        )
    for what, now, then in (
        (Code.PRIMARIES, frame.color.primaries, info.color.primaries),
        (Code.TRANSFER, frame.color.transfer, info.color.transfer),
    ):
        if now != then:
            sentence = f"the colours change on the way: {what} {now} (ITU-T H.273) is still told as {then}"
            yield Notice(sentence, (what,))


# Flags beside "default", which players find by themselves where it is not told; and those that a container has, all
# where it is not named.
_FLAGS = (
    "dub", "original", "comment", "lyrics", "karaoke", "forced", "hearing_impaired", "visual_impaired", "clean_effects",
)  # fmt: skip
_FLAGS_HELD: dict[str, tuple[str, ...]] = {
    "matroska": ("dub", "original", "comment", "forced", "hearing_impaired", "visual_impaired"),
    "webm": ("forced",),
    "mp4": ("dub", "comment", "forced", "hearing_impaired", "visual_impaired"),
    "mov": (),
    "mpegts": ("hearing_impaired", "visual_impaired", "clean_effects"),
    "nut": ("dub", "original", "comment", "lyrics", "karaoke"),
    "avi": (),
    "flv": (),
    "yuv4mpegpipe": (),
}
# The tags of a stream that a container has, all where it is not named.
_TAGS_HELD: dict[str, tuple[str, ...]] = {
    "mp4": ("title", "handler_name", "timecode"),
    "mov": ("title", "handler_name", "timecode"),
    "mpegts": (),
    "avi": ("title",),
    "flv": (),
    "yuv4mpegpipe": (),
}
_ELSEWHERE = ("language", "filename", "mimetype", "rotate")  # tags that say what is told in another way


def stream_losses(muxer: str, stream: Any, *, video: bool) -> Iterator[Notice]:
    """A sentence where a container cannot say all that is told of one stream of the input.

    muxer: FFmpeg's name. film: whether it is the one that is enlarged.
    """
    title, streams = ("the film", ()) if video else (describe(stream), (stream.index,))
    language = stream.metadata.get("language", "und")
    if language != "und" and not _says_language(muxer, stream, language):
        yield Notice(f"{title}: {muxer} cannot tell the language {language}", (Code.LANGUAGE,), streams)
    held = _FLAGS_HELD.get(muxer, _FLAGS)
    flags = [flag for flag in _FLAGS if stream.disposition & Disposition[flag] and flag not in held]
    if flags:
        words = ", ".join(flags).replace("_", " ")
        yield Notice(f"{title}: {muxer} cannot flag it as {words}", (Code.DISPOSITION,), streams)
    tags = [key for key in stream_tags(stream) if key.lower() not in _ELSEWHERE]
    lost = [key for key in tags if muxer in _TAGS_HELD and key.lower() not in _TAGS_HELD[muxer]]
    if lost:
        yield Notice(f"{title}: {muxer} holds no tags of a stream ({', '.join(lost)})", (Code.STREAM_TAGS,), streams)


def _says_language(muxer: str, stream: Any, language: str) -> bool:
    if muxer in ("flv", "avi", "yuv4mpegpipe") or (muxer == "mpegts" and stream.type not in ("audio", "subtitle")):
        return False
    plain = len(language) == 3 and language.isascii() and language.isalpha()  # ISO 639-2
    return plain or muxer not in ("mp4", "mov", "mpegts")
