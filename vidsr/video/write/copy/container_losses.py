"""What a container cannot store of a video and of its copied streams, as warnings."""

from collections.abc import Iterator

from av.stream import Disposition, Stream

from vidsr.color import BT470BG, SMPTE170M, UNSPECIFIED, guessed_matrix
from vidsr.context import Code, Notice
from vidsr.frames import VideoInfo
from vidsr.video.convert.side_data import MASTERING_ENCODERS
from vidsr.video.metadata import DATE, date_of, stream_tags
from vidsr.video.write.copy.containers import describe
from vidsr.video.write.encoding_plan import EncodingPlan

_NO_CHAPTERS = ("mpegts", "yuv4mpegpipe", "avi", "flv")
_NO_ROTATION = ("mpegts", "yuv4mpegpipe", "avi", "flv", "nut")
# The tags that a container stores; one that is not listed stores all.
_TAGS: dict[str, tuple[str, ...]] = {
    "mpegts": ("service_name", "service_provider"),
    "yuv4mpegpipe": (),
    "avi": ("title", "artist", "comment", "copyright", "date", "genre"),
}
_DATED = ("mp4", "mov", "matroska", "webm")  # they store a date as a number
# Where the sample aspect ratio is stored: in these containers by PyAV, in others only by these codecs themselves.
_ASPECT_MUXERS = ("mp4", "mov", "ipod", "yuv4mpegpipe")
_ASPECT_CODECS = ("h264", "hevc", "mpeg4", "mpeg2video", "mpeg1video")

# The colour tags that codecs store in their bitstream, and containers beside any codec.
_COLOR_TAGS = (Code.MATRIX, Code.RANGE, Code.PRIMARIES, Code.TRANSFER)
_COLOR_TAGS_OF_CODEC = {
    **dict.fromkeys(("h264", "hevc"), (*_COLOR_TAGS, Code.CHROMA_LOCATION)),
    "av1": _COLOR_TAGS,
    "mpeg2video": (Code.MATRIX, Code.PRIMARIES, Code.TRANSFER),
    "vp9": (Code.MATRIX, Code.RANGE),
}
_COLOR_TAGS_OF_MUXER = {
    **dict.fromkeys(("matroska", "webm", "mp4", "flv"), _COLOR_TAGS),
    "mov": (Code.MATRIX, Code.PRIMARIES, Code.TRANSFER),
    "yuv4mpegpipe": (Code.RANGE, Code.CHROMA_LOCATION),
}
_ALL_OR_NOTHING = ("mp4", "mov")  # they store matrix, primaries and transfer only if all are known
# Decoders of these codecs ignore such tags and assume fixed values.
_IGNORED_TAGS = {
    "vp8": (Code.MATRIX, Code.RANGE),
    "mjpeg": (Code.MATRIX,),
    **dict.fromkeys(("mpeg1video", "mpeg2video", "prores"), (Code.RANGE,)),
}
_DEFAULT_CHROMA_LOCATIONS = {"mjpeg": "center", "mpeg1video": "center"}  # of untagged video; left for other codecs
_SAME_MATRIX = {BT470BG, SMPTE170M}  # two names of the same numbers


def container_losses(plan: EncodingPlan) -> Iterator[Notice]:
    """Give a warning for each property of the video that its container or encoder cannot store."""
    muxer, info = plan.muxer.name, plan.info
    if plan.start_shift.seconds:
        start = f"the video starts at {float(-plan.start_shift.seconds):g} s, which {muxer} cannot store"
        yield Notice(f"{start}: all streams are moved to start at 0", (Code.START, Code.CHAPTERS))
    if plan.chapters and muxer in _NO_CHAPTERS:
        yield Notice(f"the chapters are left out: {muxer} cannot store them", (Code.CHAPTERS,))
    lost = [key for key in plan.tags if key.lower() not in _TAGS.get(muxer, (key.lower(),))]
    if muxer in _DATED:
        lost += [key for key, value in plan.tags.items() if key.lower() == DATE and date_of(value) is None]
    if lost:
        yield Notice(f"tags are left out, because {muxer} cannot store them: {', '.join(lost)}", (Code.TAGS,))
    if plan.display_matrix and muxer in _NO_ROTATION:
        what = f"the video plays unrotated: {muxer} cannot store its rotation; use .mp4 or .mkv"
        yield Notice(what, (Code.ROTATION,))
    if not info.square and muxer not in _ASPECT_MUXERS and plan.codec not in _ASPECT_CODECS:
        ratio = f"{info.aspect.numerator}:{info.aspect.denominator}"
        yield Notice(f"{plan.codec} in {muxer} cannot store the sample aspect ratio {ratio}; use .mp4", (Code.ASPECT,))
    if plan.mastering is not None and plan.encoder not in MASTERING_ENCODERS:
        what = f"mastering display and light levels are left out: {plan.encoder} cannot write them"
        yield Notice(f"{what}; libx265 and libsvtav1 can", (Code.MASTERING,))
    elif plan.mastering is not None and plan.mastering.rest:
        what = f"the mastering display is left out: its values are not whole or not possible ({plan.mastering.rest})"
        yield Notice(what, (Code.MASTERING,))
    codes = _lost_colors(muxer, plan.codec, info)
    if codes:
        what = f"{plan.codec} in {muxer} cannot store these properties of the colours: {', '.join(codes)}"
        yield Notice(f"{what}; use libx264, or .mkv", tuple(codes))


def _lost_colors(muxer: str, codec: str, info: VideoInfo) -> list[Code]:
    """Return the colour properties that a player of the output would neither read nor assume."""
    color = info.color
    all_known = UNSPECIFIED not in (color.matrix, color.primaries, color.transfer)
    by_muxer = _COLOR_TAGS_OF_MUXER.get(muxer, ()) if all_known or muxer not in _ALL_OR_NOTHING else ()
    stored = {*_COLOR_TAGS_OF_CODEC.get(codec, ()), *by_muxer} - {*_IGNORED_TAGS.get(codec, ())}
    if muxer == "yuv4mpegpipe" and info.bits > 8:
        stored.discard(Code.CHROMA_LOCATION)
    guess = guessed_matrix(info.height)
    needed = {
        Code.MATRIX: color.matrix != guess and {color.matrix, guess} != _SAME_MATRIX and not info.gray,
        Code.RANGE: color.full_range and codec != "mjpeg",
        Code.PRIMARIES: color.primaries != UNSPECIFIED,
        Code.TRANSFER: color.transfer != UNSPECIFIED,
        Code.CHROMA_LOCATION: color.subsampling == (1, 1)
        and not info.gray
        and color.chroma_location != _DEFAULT_CHROMA_LOCATIONS.get(codec, "left"),
    }
    return [code for code, is_needed in needed.items() if is_needed and code not in stored]


# The dispositions that are compared, without "default", which players choose themselves if it is missing; and those
# that a container stores. One that is not listed stores all.
_DISPOSITIONS = (
    "dub", "original", "comment", "lyrics", "karaoke", "forced", "hearing_impaired", "visual_impaired", "clean_effects",
)  # fmt: skip
_DISPOSITIONS_OF_MUXER: dict[str, tuple[str, ...]] = {
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
# The tags of a stream that a container stores; one that is not listed stores all.
_STREAM_TAGS: dict[str, tuple[str, ...]] = {
    "mp4": ("title", "handler_name", "timecode"),
    "mov": ("title", "handler_name", "timecode"),
    "mpegts": (),
    "avi": ("title",),
    "flv": (),
    "yuv4mpegpipe": (),
}
# The languages that FFmpeg writes into a mov, as Apple numbered them; all that came back from a trial of all codes.
# fmt: off
_MOV_LANGUAGES = {
    "alb", "amh", "ara", "arm", "asm", "aym", "aze", "baq", "bel", "ben", "bul", "bur", "cat", "ces", "chi", "dan",
    "dut", "dzo", "eng", "epo", "est", "fin", "fra", "geo", "ger", "gre", "grn", "guj", "heb", "hin", "hun", "ice",
    "ind", "iri", "ita", "jav", "jpn", "kan", "kas", "kaz", "khm", "kin", "kir", "kor", "kur", "lao", "lat", "lav",
    "lit", "mac", "mal", "mar", "may", "mlg", "mlt", "mol", "mon", "nep", "nor", "nya", "ori", "orm", "per", "pol",
    "por", "pus", "que", "ron", "run", "rus", "san", "sin", "slk", "slv", "smi", "snd", "som", "spa", "sve", "swa",
    "tam", "tat", "tel", "tgk", "tgl", "tha", "tib", "tir", "tuk", "tur", "uig", "ukr", "urd", "uzb", "vie", "wel",
    "yid",
}
# fmt: on
_STORED_ELSEWHERE = ("language", "filename", "mimetype", "rotate")  # tags of properties that are checked elsewhere


def stream_losses(muxer: str, stream: Stream, *, video: bool) -> Iterator[Notice]:
    """Give a warning for each property of an input stream that the container of the output cannot store.

    muxer: FFmpeg's name. video: whether it is the video that is upscaled.
    """
    title, streams = ("the video", ()) if video else (describe(stream), (stream.index,))
    language = stream.metadata.get("language", "und")
    if language != "und" and not _stores_language(muxer, stream, language):
        yield Notice(f"{title}: {muxer} cannot store the language {language}", (Code.LANGUAGE,), streams)
    stored = _DISPOSITIONS_OF_MUXER.get(muxer, _DISPOSITIONS)
    flags = [flag for flag in _DISPOSITIONS if stream.disposition & Disposition[flag] and flag not in stored]
    if flags:
        words = ", ".join(flags).replace("_", " ")
        yield Notice(f"{title}: {muxer} cannot store the disposition {words}", (Code.DISPOSITION,), streams)
    tags = [key for key in stream_tags(stream) if key.lower() not in _STORED_ELSEWHERE]
    lost = [key for key in tags if muxer in _STREAM_TAGS and key.lower() not in _STREAM_TAGS[muxer]]
    if lost:
        yield Notice(f"{title}: {muxer} cannot store these tags: {', '.join(lost)}", (Code.STREAM_TAGS,), streams)


def _stores_language(muxer: str, stream: Stream, language: str) -> bool:
    if muxer in ("flv", "avi", "yuv4mpegpipe") or (muxer == "mpegts" and stream.type not in ("audio", "subtitle")):
        return False
    if muxer == "mov":
        return language in _MOV_LANGUAGES
    is_iso_639_2 = len(language) == 3 and language.isascii() and language.isalpha()
    return is_iso_639_2 or muxer not in ("mp4", "mpegts")


def avi_losses(*, video: bool, streams: tuple[int, ...]) -> Iterator[Notice]:
    """Give the warnings for AVI, which stores no timestamps.

    video: whether those of the video differ from a constant frame rate that starts at 0. streams: indexes of the
    copied streams.
    """
    if video or streams:
        what = "avi stores no timestamps: the video gets a constant frame rate and starts at 0; use .mkv to keep them"
        yield Notice(what, (Code.START, Code.PTS, Code.DURATION, Code.DRIFT))
    if streams:
        what = "avi stores no timestamps: the other streams start together with the video; use .mkv to keep them"
        yield Notice(what, (Code.TIMES,), streams)
