"""Tags and mastering data in a form in which those of two containers can be compared."""

import hashlib
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from vidsr.frames import Frame
from vidsr.verify.findings import comparable_key
from vidsr.verify.inventory import SRGB
from vidsr.video.convert.image_metadata import COLORS, EXIF, PROFILE, is_srgb, read_image_metadata
from vidsr.video.convert.png_chunks import cicp
from vidsr.video.convert.side_data import mastering_of
from vidsr.video.metadata import DATE, date_of, stream_tags, video_tags
from vidsr.video.read.source import Source


def comparable_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a file that `upscale_video` keeps, in the form of `_comparable`."""
    kept = _comparable(video_tags(tags))
    # Containers write the same time in any zone, with more or fewer digits.
    date = date_of(kept.get(DATE, ""))
    return kept if date is None else kept | {DATE: date.astimezone(UTC).isoformat()}


def comparable_stream_tags(stream: Any) -> dict[str, str]:
    """Return the tags of an av.stream.Stream without its language."""
    return {key: value for key, value in _comparable(stream_tags(stream)).items() if key != "language"}


def image_tags(image: bytes | None) -> dict[str, str]:
    """Return the colour profile and the Exif data of an image file."""
    known = read_image_metadata(image)
    kind = SRGB if known.profile and is_srgb(known.profile) else _digest(known.profile or b"")
    profile = {PROFILE: kind} if known.profile else {}
    return profile | {f"{EXIF} {tag}": str(value) for tag, value in (known.exif or {}).items()}


def image_colors(source: Source) -> dict[str, str]:
    """Return the colours of an image, if they differ from sRGB; empty for videos."""
    is_image = source.info.still or source.sequence is not None
    # As a PNG states them: primaries that are not stated are those of BT.709.
    chunk = next(iter(cicp(source.first.color).values()), None) if is_image else None
    return {} if chunk is None else {COLORS: chunk.hex()}


def mastering_numbers(frame: Frame) -> tuple[int | str, ...]:
    """Return mastering display and light levels of a frame in the units of HEVC; empty if it has none."""
    found = mastering_of(frame.av_frame)
    if found is not None and found.rest:
        return (found.rest, *map(str, found.light or ()))
    if found is None:
        return ()
    units = [50000] * 8 + [10000] * 2  # of chromaticities, of luminances
    return (
        *(round(value * unit) for value, unit in zip(found.display or (), units, strict=False)),
        *(found.light or ()),
    )


def _comparable(tags: Mapping[str, str]) -> dict[str, str]:
    return {comparable_key(key): value for key, value in tags.items()}


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()
