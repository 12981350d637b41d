"""Tags of films and of their streams: which stay true of a new file."""

import re
from collections.abc import Mapping
from typing import Any

import av

ATTACHED = av.stream.Disposition.attached_pic

# Written by muxers about their own file: untrue of ours.
_STALE = re.compile(
    r"encoder|duration|number_of_(frames|bytes)|bps|_statistics_.*|major_brand|minor_version|compatible_brands"
    r"|vendor_id|alpha_mode|variant_bitrate|source_id|mimetype|filename",
    re.IGNORECASE,
)
_DATE = "creation_time"
# What FFmpeg calls every track of an mp4 that has no name.
_HANDLERS = {("handler_name", f"{kind}Handler") for kind in ("Video", "Sound", "Subtitle", "Data", "TimeCode")}
# The tags of iTunes' list in an mp4; others need the QuickTime list, which fewer players read.
# fmt: off
_MP4_TAGS = {
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping",
    "lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "episode_sort",
    "season_number", "media_type", "hd_video", "gapless_playback", "compilation", "track", "disc", "tmpo",
    "location", "creation_time", "language", "make", "model", "performer", "author", "rating",
}
# fmt: on


def stream_tags(stream: Any) -> dict[str, str]:
    """The tags of a stream that stay true of a copy."""
    kept = {key: value for key, value in stream.metadata.items() if not _STALE.fullmatch(key)}
    kept = {key: value for key, value in kept.items() if (key.lower(), value) not in _HANDLERS}
    kept = {
        key: value for key, value in kept.items() if key.lower() != _DATE
    }  # an mp4 repeats the film's in each track
    if "name" in kept:  # what an mp4 calls the title of a track
        kept.setdefault("title", kept.pop("name"))
    if stream.type == "attachment" or stream.disposition & ATTACHED:
        kept |= {key: stream.metadata[key] for key in ("filename", "mimetype") if key in stream.metadata}
    return kept


def video_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """The global tags that stay true of a new file."""
    # An mp4 may tell its date twice, and FFmpeg 9 joins the two.
    once = {key: value.partition(";")[0] if key.lower() == _DATE else value for key, value in metadata.items()}
    return {key: value for key, value in once.items() if not _STALE.fullmatch(key)}


def needs_free_tags(metadata: Mapping[str, str]) -> bool:
    """Whether an mp4 must hold its tags the QuickTime way, since one of them has no place in iTunes' list."""
    return any(key.lower() not in _MP4_TAGS for key in video_tags(metadata))


def codec_of(stream: Any) -> str:
    """The name of a stream's codec, as far as it has one."""
    if stream.codec_context is None and "timecode" in stream.metadata:
        return "time code"
    return (
        stream.codec_context.name if stream.codec_context is not None else (getattr(stream, "name", None) or "unknown")
    )
