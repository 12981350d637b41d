"""A sample of the harms that `tests/bars/mutations.py` tries: each is found."""

from pathlib import Path

import pytest

from tests.verify.harms import trials

QUICK = (
    "a frame a tick later", "aspect changed", "captions altered", "stream 1 (audio): a packet a tick later",
    "stream 3 (subtitle): packet 1 lost", "stream 3 (subtitle): byte flipped", "stream 5 (attachment): other bytes",
    "packets of subtitle swapped",
)  # fmt: skip


@pytest.mark.parametrize("kind", ["mkv", "mp4"])
def test_each_harm_is_found(kind: str, tmp_path: Path) -> None:
    results = dict(trials(tmp_path, kind, lambda harm: harm.name in QUICK))
    assert results.pop("none") == results.pop("none, copied") == "holds"
    assert set(results.values()) == {"found"} and len(results) >= len(QUICK) - 1
