"""Outputs of a video that differs in one property from the one they are held against, which `verify` must find."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.verify.harm import output
from tests.video.read.test_description import insert_box
from tests.video.videos import make_video
from tests.video.write.copy.test_programs import service
from vidsr.context import Code
from vidsr.verify import verify_video
from vidsr.video.convert.immersive import SphericalMapping, StereoLayout
from vidsr.video.write.header.mp4_boxes import add_to_index

POSE = (10 << 16, -20 << 16, 5 << 15)
LANGUAGES = {1: "pt-BR", 2: "pt-PT"}


def immersive(
    path: Path,
    *,
    crop: tuple[int, int] | None = (4, 2),
    spherical: SphericalMapping | None = SphericalMapping(0, POSE),  # noqa: B008
    stereo: StereoLayout | None = StereoLayout(1),  # noqa: B008
    languages: Mapping[int, str] = LANGUAGES,
) -> Path:
    """An mp4 with a tone, a clean aperture, a 360 degree mapping, a stereo layout and languages of BCP 47.

    crop: how far the middle of the 48x40 pixels that are shown is from that of all. languages: by track, from 1.
    """

    def decorate(container: Any, _: Any) -> None:
        for stream in container.streams:
            stream.metadata["language"] = "por"

    data = make_video(path, sound="aac", pts=range(4), decorate=decorate).read_bytes()
    if crop is not None:
        insert_box(path, data, struct.pack(">I4s8I", 40, b"clap", 48, 1, 40, 1, crop[0], 1, crop[1], 1), b"avc1")
    with path.open("r+b") as file:
        add_to_index(file, spherical=spherical, stereo=stereo, languages=languages)
    return path


@dataclass(frozen=True)
class Variant:
    """Another video."""

    name: str
    code: Code
    """The property that differs; if a warning announced it, the container cannot hold it."""
    changes: Mapping[str, Any]
    """Arguments of the function that makes the video."""


_IMMERSIVE = (
    Variant("crop dropped", Code.PICTURE, {"crop": None}),
    Variant("crop moved", Code.PICTURE, {"crop": (0, 0)}),
    Variant("mapping dropped", Code.SPHERICAL, {"spherical": None}),
    Variant("mapping turned", Code.SPHERICAL, {"spherical": SphericalMapping(0)}),
    Variant("stereo layout dropped", Code.STEREO, {"stereo": None}),
    Variant("stereo layout changed", Code.STEREO, {"stereo": StereoLayout(2)}),
    Variant("BCP 47 languages dropped", Code.LANGUAGE, {"languages": {}}),
    Variant("BCP 47 languages swapped", Code.LANGUAGE, {"languages": {1: "pt-PT", 2: "pt-BR"}}),
)
_SERVICE = (
    Variant("service name changed", Code.TAGS, {"name": "Noon"}),
    Variant("service provider dropped", Code.TAGS, {"station": "FFmpeg"}),  # which the muxer writes by itself
    Variant("service number changed", Code.PROGRAM, {"number": 78}),
    Variant("PIDs changed", Code.PROGRAM, {"pid": 0x400}),
)
_MAKERS: tuple[tuple[Callable[..., Path], str, tuple[Variant, ...]], ...] = (
    (immersive, "mp4", _IMMERSIVE),
    (service, "ts", _SERVICE),
)


def variants(folder: Path, kind: str, wanted: Callable[[Variant], bool] = lambda _: True) -> Iterator[tuple[str, str]]:
    """Hold outputs of variants in this container against the video; name each and say whether it was found.

    Of the output of the video itself: whether it holds. "cannot hold": a warning announced what differs, or only
    MPEG-TS has it.
    """
    for make, extension, kinds in _MAKERS:
        chosen = [variant for variant in kinds if wanted(variant)]
        if not chosen:
            continue
        video, target = make(folder / f"{make.__name__}.{extension}"), folder / f"variant.{kind}"
        notices = output(video, target)
        differences = verify_video(video, target, notices=notices).differences
        same = "FALSE: " + ", ".join(finding.name for finding in differences) if differences else "holds"
        yield f"none ({make.__name__})", same
        lost = {code for notice in notices for code in notice.codes}
        for variant in chosen:
            if variant.code in lost or (variant.code is Code.PROGRAM and kind != "ts"):
                yield variant.name, "cannot hold"
                continue
            output(make(folder / f"other.{extension}", **variant.changes), target)
            found = verify_video(video, target, notices=notices).differences
            yield variant.name, "found" if found else "MISSED"
