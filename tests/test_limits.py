from pathlib import Path

import pytest

from vidsr import limits


def test_a_control_group_s_limit_counts_where_it_is_less_than_the_machine_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(limits, "CONTROL_GROUPS", (limit, tmp_path / "none"))
    machine = limits.most_memory()
    limit.write_text("max\n")
    assert limits.most_memory() == machine
    limit.write_text(f"{64 << 20}\n")
    assert limits.most_memory() == 64 << 20
    assert limits.most_pixels() == (64 << 20) // limits.BYTES_A_PIXEL
    assert not limits.fits(3840, 2160)
