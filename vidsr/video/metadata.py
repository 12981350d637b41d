"""Tags of containers and streams: those that remain true of a new file."""

import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import av
from av.bitstream import BitStreamFilterContext
from av.stream import Stream

ATTACHED = av.stream.Disposition.attached_pic
"""The disposition of cover art."""

# Written by muxers about their own file.
_STALE = re.compile(
    r"encoder|duration|number_of_(frames|bytes)|bps|_statistics_.*|major_brand|minor_version|compatible_brands"
    r"|vendor_id|alpha_mode|variant_bitrate|source_id|mimetype|filename",
    re.IGNORECASE,
)
DATE = "creation_time"
"""The tag with the time of a recording."""
# FFmpeg's names for the tracks of an mp4 that have none.
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


def as_text(value: str) -> str:
    """Return a tag as text: old files have tags in Windows-1252, which PyAV reads as UTF-8 with escaped bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return value


def stream_tags(stream: Stream) -> dict[str, str]:
    """Return the tags of a stream that are true of a copy, too."""
    kept = {
        key: value
        for key, value in stream.metadata.items()
        # An mp4 repeats its date in every track.
        if not _STALE.fullmatch(key)
        and (key.lower(), value) not in _HANDLERS
        and key.lower() != DATE
        and not (key.lower() == "stereo_mode" and not value.startswith("anaglyph"))  # FFmpeg reads others as side data
    }
    if "name" in kept:  # the title of a track in an mp4
        kept.setdefault("title", kept.pop("name"))
    if stream.type == "attachment" or stream.disposition & ATTACHED:
        kept |= {key: stream.metadata[key] for key in ("filename", "mimetype") if key in stream.metadata}
    return kept


def video_tags(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a container that are true of a new file, too."""
    # An mp4 may state its date twice, and FFmpeg 9 joins the two.
    once = {key: _utc(value.partition(";")[0]) if key.lower() == DATE else value for key, value in metadata.items()}
    return {
        key: value for key, value in once.items() if not _STALE.fullmatch(key) and not _is_repeated(key, value, once)
    }


def date_of(value: str) -> datetime | None:
    """Return the time that a tag states, in UTC unless it has a zone; None for text that FFmpeg's muxers refuse."""
    try:
        date = datetime.fromisoformat(value)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _utc(value: str) -> str:
    # Without a zone, FFmpeg would take the zone of this machine.
    date = date_of(value)
    if date is None or datetime.fromisoformat(value).tzinfo:
        return value
    return date.isoformat().replace("+00:00", "Z")


def _is_repeated(key: str, value: str, tags: Mapping[str, str]) -> bool:
    # FFmpeg gives a tag with a language twice: as "location" and as "location-eng".
    name, _, language = key.rpartition("-")
    return len(language) == 3 and tags.get(name) == value


def needs_free_tags(metadata: Mapping[str, str]) -> bool:
    """Return whether an mp4 must store its tags in QuickTime's list, because iTunes' list lacks one of them."""
    return any(key.lower() not in _MP4_TAGS for key in video_tags(metadata))


def codec_of(stream: Stream) -> str:
    """Return the name of a stream's codec; "unknown" without one."""
    if stream.codec_context is not None:
        return stream.codec_context.name
    if "timecode" in stream.metadata:
        return "time code"
    if stream.type in ("audio", "video", "subtitle"):  # without a decoder, PyAV names the codec only of data
        named = av.open(io.BytesIO(), "w", format="null").add_data_stream()
        BitStreamFilterContext("null", stream, named)  # copies the parameters
        return named.name or "unknown"
    return getattr(stream, "name", None) or "unknown"
