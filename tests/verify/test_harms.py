"""A sample of the harms that `tests/bars/mutations.py` tries: each is found."""

from pathlib import Path

import pytest

from tests.verify.harms import trials
from tests.verify.variants import variants
from vidsr.context import Code

QUICK = (
    "a frame a tick later", "aspect changed", "captions altered", "stream 1 (audio): a packet a tick later",
    "stream 3 (subtitle): packet 1 lost", "stream 3 (subtitle): byte flipped", "stream 5 (attachment): other bytes",
    "packets of subtitle swapped",
)  # fmt: skip
_LOST_IN_TS = (Code.SPHERICAL, Code.LANGUAGE)


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_each_harm_is_found(kind: str, tmp_path: Path) -> None:
    results = dict(trials(tmp_path, kind, lambda harm: harm.name in QUICK))
    assert results.pop("none") == results.pop("none, copied") == "holds"
    assert set(results.values()) == {"found"} and len(results) >= len(QUICK) - 1


def test_a_tick_between_picture_and_sound_is_found_though_their_ticks_differ(tmp_path: Path) -> None:
    assert dict(trials(tmp_path, "nut", lambda harm: harm.name == "video a tick later")) == {
        "none": "holds", "none, copied": "holds", "video a tick later": "found",
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["mkv", "ts"])
def test_what_is_dropped_or_changed_beside_the_frames_is_found(kind: str, tmp_path: Path) -> None:
    results = dict(variants(tmp_path, kind, lambda variant: kind == "mkv" or variant.code not in _LOST_IN_TS))
    assert {result for name, result in results.items() if name.startswith("none")} == {"holds"}
    assert {result for name, result in results.items() if not name.startswith("none")} <= {"found", "cannot hold"}
    assert list(results.values()).count("found") >= 8
