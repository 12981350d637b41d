"""What a container cannot say of each stream: its language, its flags, its tags."""

from collections.abc import Iterator
from typing import Any

from av.stream import Disposition

from vidsr.frames import Notice
from vidsr.video.metadata import stream_tags
from vidsr.video.write.stream_copy import describe

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


def unsaid(muxer: str, stream: Any, *, film: bool) -> Iterator[Notice]:
    """A sentence where a container cannot say all that is told of one stream of the input.

    muxer: FFmpeg's name. film: whether it is the one that is enlarged.
    """
    title, name = ("the film", "film") if film else (describe(stream), f"stream {stream.index}")
    language = stream.metadata.get("language", "und")
    if language != "und" and not _says_language(muxer, stream, language):
        yield Notice(f"{title}: {muxer} cannot tell the language {language}", f"{name} language")
    held = _FLAGS_HELD.get(muxer, _FLAGS)
    flags = [flag for flag in _FLAGS if stream.disposition & Disposition[flag] and flag not in held]
    if flags:
        words = ", ".join(flags).replace("_", " ")
        yield Notice(f"{title}: {muxer} cannot flag it as {words}", f"{name} disposition")
    tags = [key for key in stream_tags(stream) if key.lower() not in _ELSEWHERE]
    lost = [key for key in tags if muxer in _TAGS_HELD and key.lower() not in _TAGS_HELD[muxer]]
    if lost:
        yield Notice(f"{title}: {muxer} holds no tags of a stream ({', '.join(lost)})", f"{name} tags")


def _says_language(muxer: str, stream: Any, language: str) -> bool:
    if muxer in ("flv", "avi", "yuv4mpegpipe") or (muxer == "mpegts" and stream.type not in ("audio", "subtitle")):
        return False
    plain = len(language) == 3 and language.isascii() and language.isalpha()  # ISO 639-2
    return plain or muxer not in ("mp4", "mov", "mpegts")
