"""Compare the video itself: frames, times, colours, shape, chapters and tags."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from vidsr.color import BT470BG, SMPTE170M
from vidsr.context import Code
from vidsr.verify.findings import Finding, same
from vidsr.verify.inventory import SRGB, Inventory
from vidsr.verify.thumbnails import picture_finding, turned
from vidsr.verify.timestamp_checks import gap_between, slack
from vidsr.video.convert.image_metadata import COLORS, PROFILE
from vidsr.video.convert.pixel_formats import PIXEL_FORMATS

# The muxer decides where their clocks begin.
_OWN_CLOCK = ("mpegts", "nut", "flv", "avi", "yuv4mpegpipe")
# These store no duration of a frame, so that the last one may end at any time.
_NO_DURATIONS = ("mpegts", "nut", "flv", "avi", "yuv4mpegpipe", "h264", "hevc", "mpegvideo")


def video_findings(before: Inventory, after: Inventory, shift: Fraction) -> Iterator[Finding]:
    """Yield all findings but those on other streams. shift: seconds by which the output is later."""
    if after.images or after.animation:
        before = _upright(before)
    yield _size(before, after)
    lost = (str(video.damage) or "whole" for video in (before, after))
    yield Finding(Code.READABLE, next(lost), next(lost), not after.damage)
    yield same(Code.FRAMES, len(before.times), len(after.times))
    if before.transparent == after.transparent:
        yield picture_finding(before, after, shift)
    if before.images or not after.images:
        yield from _timing(before, after, shift)
    if not after.images:
        yield from _colours(before, after)
        yield same(Code.ROTATION, _degrees(before), _degrees(after))
    yield _aspect(before, after)
    if before.spherical or after.spherical:
        yield same(Code.SPHERICAL, before.spherical or "flat", after.spherical or "flat")
    if before.stereo or after.stereo:
        yield same(Code.STEREO, before.stereo or "2D", after.stereo or "2D")
    if before.pid is not None and after.pid is not None:
        yield same(Code.PROGRAM, f"{before.program}, PID {before.pid}", f"{after.program}, PID {after.pid}")
    yield same(Code.FIELDS, f"{before.fields} interlaced", f"{after.fields} interlaced")
    if before.transparent or after.transparent:
        yield same(Code.ALPHA, f"on {before.transparent} frames", f"on {after.transparent} frames")
    if before.dynamic or after.dynamic:
        yield same(Code.DYNAMIC_HDR, ", ".join(before.dynamic) or "none", ", ".join(after.dynamic) or "none")
    if before.captions or after.captions:
        found, other = (f"on {video.captions} frames ({video.caption_data})" for video in (before, after))
        yield same(Code.CAPTIONS, found, other)
    if before.side_data and not (before.images or after.images):
        missing = [kind for kind in before.side_data if kind not in after.side_data]
        found = f"without {', '.join(missing)}" if missing else "all"
        yield Finding(Code.SIDE_DATA, ", ".join(before.side_data), found, not missing)
    if before.mastering or after.mastering:
        yield same(Code.MASTERING, _numbers(before.mastering), _numbers(after.mastering))
    if before.chapters or after.chapters:
        yield _chapters(before, after, shift)
    yield _tags(before, after)


def seconds(time: Fraction) -> str:
    """Format `0.040 s`, with as many decimals as it takes."""
    return f"{float(time):.3f} s" if abs(time) >= Fraction(1, 2000) or not time else f"{float(time):.6f} s"


def _size(before: Inventory, after: Inventory) -> Finding:
    across, down = Fraction(after.width, before.width), Fraction(after.height, before.height)
    factor = f"{float(across):.4g}" if across == down else f"{float(across):.4g} by {float(down):.4g}"
    return Finding(Code.SIZE, f"{before.width}x{before.height}", f"{after.width}x{after.height}, {factor} times", True)


def _timing(before: Inventory, after: Inventory, shift: Fraction) -> Iterator[Finding]:
    gap = gap_between(before, after, shift)
    start = before.times[0] * before.tick
    holds = not shift or after.container in _OWN_CLOCK
    yield Finding(Code.START, seconds(start), seconds(start + shift) + (" like all streams" if shift else ""), holds)
    found = [f"{gap.missing} missing"] * bool(gap.missing) + [f"{gap.added} new"] * bool(gap.added)
    moved = f"at most {seconds(abs(gap.worst))} off, at {seconds(gap.at)}" if gap.worst else "all exact"
    found.append(moved)
    yield Finding(Code.PTS, f"{len(before.times)} times", ", ".join(found), not gap.missing and not gap.added)
    yield _end(before, after, shift)


def _end(before: Inventory, after: Inventory, shift: Fraction) -> Finding:
    def length(video: Inventory) -> str:
        return "unknown" if video.end is None else seconds(video.end - video.times[0] * video.tick)

    is_still = before.images and after.images and len(before.times) == 1
    if is_still or before.end is None or after.end is None or {before.container, after.container} & {*_NO_DURATIONS}:
        # The start of the last frame can be compared, which is in "pts".
        return Finding(Code.DURATION, length(before), length(after), True)
    near = 2 * slack(before, after, shifted=bool(shift))  # of two roundings: a time and a duration
    return Finding(Code.DURATION, length(before), length(after), abs(after.end - before.end - shift) <= near)


def _colours(before: Inventory, after: Inventory) -> Iterator[Finding]:
    a, b = before.color, after.color
    old, new = PIXEL_FORMATS[before.pixel_format], PIXEL_FORMATS[after.pixel_format]
    finer = all(x >= y for x, y in zip(old.subsampling, new.subsampling, strict=True))
    holds = new.bits >= old.bits and (old.gray or (finer and not new.gray))
    yield Finding(Code.PIXEL_FORMAT, before.pixel_format, after.pixel_format, holds)
    yield same(Code.RANGE, "full" if a.full_range else "limited", "full" if b.full_range else "limited")
    if not old.gray:
        matrices = {a.matrix, b.matrix}
        yield Finding(Code.MATRIX, str(a.matrix), str(b.matrix), len(matrices) == 1 or matrices == {BT470BG, SMPTE170M})
    yield same(Code.PRIMARIES, a.primaries, b.primaries)
    yield same(Code.TRANSFER, a.transfer, b.transfer)
    if old.subsampling == new.subsampling == (1, 1):  # elsewhere chroma lies on luma, at least in half of the lines
        yield same(Code.CHROMA_LOCATION, a.chroma_location, b.chroma_location)


def _degrees(video: Inventory) -> str:
    if not video.display_matrix:
        return "upright"
    turn = round(math.degrees(math.atan2(video.display_matrix[1], video.display_matrix[0]))) % 360
    mirrored = video.display_matrix[0] * video.display_matrix[4] - video.display_matrix[1] * video.display_matrix[3] < 0
    return " and ".join([f"rotated by {turn} degrees"] * bool(turn) + ["mirrored"] * mirrored) or "upright"


def _aspect(before: Inventory, after: Inventory) -> Finding:
    # A side may be rounded by a pixel, and a container may round the shape of a pixel.
    shapes = [video.aspect * Fraction(video.width, video.height) for video in (before, after)]
    near = after.aspect / after.height * 2 + shapes[0] / 255
    texts = (f"pixels {video.aspect.numerator}:{video.aspect.denominator}" for video in (before, after))
    return Finding(Code.ASPECT, next(texts), next(texts), abs(shapes[0] - shapes[1]) <= near)


def _chapters(video: Inventory, other: Inventory, shift: Fraction) -> Finding:
    before, after = video.chapters, other.chapters
    near = Fraction(1, 1000)  # in which mp4 and Matroska count
    if other.container in _OWN_CLOCK and before and after and before[0].start == after[0].start:
        shift = Fraction(0)  # chapters were written before the muxer moved its clock
    moved = [
        f"{a.title or index + 1} moved by {seconds(b.start - a.start - shift)}"
        for index, (a, b) in enumerate(zip(before, after, strict=False))
        if abs(b.start - a.start - shift) > near or abs(b.end - a.end - shift) > near
    ]
    named = [f"{b.title!r} for {a.title!r}" for a, b in zip(before, after, strict=False) if a.title != b.title]
    found = ", ".join([str(len(after)), *moved, *named])
    return Finding(Code.CHAPTERS, str(len(before)), found, len(before) == len(after) and not moved and not named)


def _tags(before: Inventory, after: Inventory) -> Finding:
    found, other = ({**video.tags, **video.image_metadata} for video in (before, after))
    if not after.images and found.get(PROFILE) == SRGB:
        del found[PROFILE]
    if not after.images:
        found.pop(COLORS, None)  # compared as those of a video
    return kept_tags(Code.TAGS, found, other)


def kept_tags(code: Code, before: Mapping[str, str], after: Mapping[str, str], stream: int | None = None) -> Finding:
    """Return the finding that all tags are there with their values, or not."""
    lost = [key for key, value in before.items() if after.get(key) != value and not _has_language(key, value, after)]
    found = f"without {', '.join(lost)}" if lost else ", ".join(before) or "none"
    return Finding(code, ", ".join(before) or "none", found, not lost, stream, tags=tuple(lost))


def _has_language(key: str, value: str, tags: Mapping[str, str]) -> bool:
    # Matroska reads the end of a key as a language, and writes comment-deu as comment-ger.
    name, dash, _ = key.rpartition("-")
    return bool(dash) and any(other.rpartition("-")[0] == name and tags[other] == value for other in tags)


def _upright(video: Inventory) -> Inventory:
    # As images are written, which carry no rotation here.
    if not video.display_matrix:
        return video
    upright = replace(video, display_matrix=(), thumbnails=turned(video.thumbnails, video.display_matrix))
    if video.display_matrix[0]:
        return upright
    return replace(upright, width=video.height, height=video.width, aspect=1 / video.aspect)


def _numbers(values: tuple[int | str, ...]) -> str:
    return " ".join(map(str, values)) or "none"
