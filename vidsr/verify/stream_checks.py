"""Compare the streams beside the video."""

from collections.abc import Callable, Iterator
from fractions import Fraction

from vidsr.context import Code
from vidsr.verify.findings import Finding, same
from vidsr.verify.inventory import Inventory, Timed, Track
from vidsr.verify.subtitle_text import text_finding
from vidsr.verify.timestamp_checks import drift_between, keeps_offset, slack
from vidsr.verify.video_checks import kept_tags, seconds

_IMPLIED = 65536 | 131072  # what an mp4 sets along with "hearing impaired" and "visual impaired"
_DEFAULT = 1
_DISPOSITIONS = {
    1: "default", 2: "dub", 4: "original", 8: "comment", 16: "lyrics", 32: "karaoke", 64: "forced",
    128: "hearing impaired", 256: "visual impaired", 512: "clean effects", 1024: "attached picture",
    65536: "captions", 131072: "descriptions", 262144: "metadata",
}  # fmt: skip
# Codecs whose packets identify themselves, and which some containers call by one name.
_FAMILIES = {"mp1": "MPEG audio", "mp2": "MPEG audio", "mp3": "MPEG audio", "ac3": "AC-3", "eac3": "AC-3"}
# Each muxer cuts raw samples into other packets; only all of them together can be compared.
_RAW = "pcm_"
# What a demuxer finds of them depends on how far it looks: extensions double the rate or add channels.
_SELF_DESCRIBING = ("aac", "aac_latm", "dts")
_EXACT = ("nut",)
"""Containers with their own clock whose packets all have times, in ticks that vidsr and the muxer round to alone."""
_OF_A_FILE = ("filename", "mimetype")  # of cover art that is an attached file, as in Matroska


def track_findings(before: Inventory, after: Inventory, shift: Fraction) -> Iterator[Finding]:
    """Yield findings on each stream, and the largest drift of sound. shift: seconds by which the output is later."""
    pairs, extra = matched(before.tracks, after.tracks)
    yield _drift(before, after, pairs, shift)
    kept = {track.index for track, other in pairs if other is not None}
    chosen, chosen_after = _defaults(before, kept), _defaults(after, {track.index for track in after.tracks})
    yield from _labels(None, before, after, chosen=(-1 in chosen, -1 in chosen_after))
    yield kept_tags(Code.STREAM_TAGS, before.stream_tags, after.stream_tags)
    for track, other in pairs:
        index = track.index
        if other is None:
            yield Finding(Code.STREAM, _described(track), "missing", False, index)
            continue
        yield Finding(Code.STREAM, _described(track), f"stream {other.index}", True, index)
        yield from _labels(index, track, other, chosen=(track.index in chosen, other.index in chosen_after))
        yield from _details(track, other, slack_of(before, after, track, other, shift), shift)
    has_time_code = "timecode" in {**before.tags, **before.stream_tags}  # a tag, of which an mp4 makes a track
    for track in extra:
        if track.codec == "time code" and has_time_code:
            continue
        yield Finding(Code.NEW_STREAM, "none", _described(track), False, track.index)


def slack_of(before: Inventory, after: Inventory, track: Track, other: Track, shift: Fraction) -> Fraction:
    """Return how far rounding may move a packet against the video: further if the video was rounded, too."""
    own = slack(track, other)
    if track.codec.startswith(_RAW):  # whose times an mp4 counts in samples
        own = max(own, slack(other, track))
    if shift and other.tick != after.tick:  # the muxer rounded the shift in both
        own += (other.tick + after.tick) / 2
    return own + slack(before, after) if shift else own


def matched(
    before: tuple[Track, ...], after: tuple[Track, ...]
) -> tuple[list[tuple[Track, Track | None]], list[Track]]:
    """Pair each stream with the most similar one of the output; then return those that the input has not."""
    left, found = list(after), dict[int, Track]()
    alike: list[Callable[[Track], object]] = [
        lambda t: (t.kind, t.payload, t.language, t.disposition),
        lambda t: (t.kind, t.payload),
        lambda t: (t.kind, t.language, t.codec),
        lambda t: (t.kind, t.language),
        lambda t: (t.kind, t.codec),
        lambda t: t.kind,
    ]
    for key in alike:
        for track in before:
            like = next((other for other in left if key(other) == key(track)), None)
            if track.index not in found and like is not None:
                found[track.index] = like
                left.remove(like)
    return [(track, found.get(track.index)) for track in before], left


def _drift(before: Inventory, after: Inventory, pairs: list[tuple[Track, Track | None]], shift: Fraction) -> Finding:
    worst, at, holds = Fraction(0), Fraction(0), True
    sounds = [(track, other) for track, other in pairs if track.kind == "audio" and other is not None]
    for track, other in sounds:
        apart, place = drift_between(track, other, shift)
        holds = holds and abs(apart) <= slack_of(before, after, track, other, shift)
        is_exact = after.container in _EXACT and before.times[0] >= 0 and not track.codec.startswith(_RAW)
        if is_exact and len(track.times) == len(other.times):
            holds = holds and keeps_offset((before, after), (track, other))
        if abs(apart) > abs(worst):
            worst, at = apart, place
    found = f"at most {seconds(abs(worst))}, at {seconds(at)}" if worst else "none" if sounds else "no sound"
    return Finding(Code.DRIFT, "sound and picture", found, holds)


def _details(track: Track, other: Track, near: Fraction, shift: Fraction) -> Iterator[Finding]:
    if track.codec == "time code":  # each muxer writes it anew, from the tags of the video
        return
    index = track.index
    if track.pid is not None and other.pid is not None:
        yield same(Code.PROGRAM, f"PID {track.pid}", f"PID {other.pid}", index)
    found, made = (f"{stream.codec}, {stream.sound}".removesuffix(", ") for stream in (track, other))
    plays = track.sound == other.sound or track.codec in _SELF_DESCRIBING
    yield Finding(Code.CODEC, found, made, _codec(track) == _codec(other) and plays, index)
    yield kept_tags(Code.STREAM_TAGS, _tags(track, other), other.tags, index)
    if not track.codec.startswith(_RAW):
        yield same(Code.PACKETS, track.packets, other.packets, index)
    yield Finding(Code.PAYLOAD, track.payload[:8], other.payload[:8], track.payload == other.payload, index)
    if track.texts and other.codec != track.codec:
        yield text_finding(track.texts, other.texts, shift=shift, near=near, stream=index)
    if track.packets and track.kind not in ("attachment", "cover art") and not track.codec.startswith(_RAW):
        apart, at = drift_between(track, other, shift)
        found = f"at most {seconds(abs(apart))} off, at {seconds(at)}" if apart else "all exact"
        yield Finding(Code.TIMES, f"{len(track.times)} times", found, abs(apart) <= near, index)


def _labels(stream: int | None, before: Timed, after: Timed, *, chosen: tuple[bool, bool]) -> Iterator[Finding]:
    language, stated = before.locale or before.language, after.locale or after.language
    # For an unknown language, a container may state any.
    yield Finding(Code.LANGUAGE, language, stated, language in ("und", stated), stream)
    found, other = (x.disposition & ~_DEFAULT | one * _DEFAULT for x, one in zip((before, after), chosen, strict=True))
    kept = not (found & ~other | other & ~found & ~_IMPLIED) & sum(_DISPOSITIONS)
    yield Finding(Code.DISPOSITION, _flags(found), _flags(other), kept, stream)


def _defaults(video: Inventory, kept: set[int]) -> set[int]:
    """Return the streams that players choose: of each kind the first default one, or the first. -1 is the video.

    kept: indices of the streams that are in both files.
    """
    taken: dict[str, tuple[bool, int]] = {"video": (bool(video.disposition & _DEFAULT), -1)}
    for track in video.tracks:
        if track.index not in kept:
            continue
        flagged = bool(track.disposition & _DEFAULT)
        if track.kind not in taken or (flagged and not taken[track.kind][0]):
            taken[track.kind] = flagged, track.index
    return {index for _, index in taken.values()}


def _tags(track: Track, other: Track) -> dict[str, str]:
    cover = track.kind == "cover art"
    return {key: value for key, value in track.tags.items() if not cover or key in other.tags or key not in _OF_A_FILE}


def _codec(track: Track) -> str:
    return _FAMILIES.get(track.codec, track.codec)


def _flags(disposition: int) -> str:
    return ", ".join(flag for bit, flag in _DISPOSITIONS.items() if disposition & bit) or "none"


def _described(track: Track) -> str:
    return f"{track.kind}, {track.codec}" + ("" if track.language == "und" else f", {track.language}")
