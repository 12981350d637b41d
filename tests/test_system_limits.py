from pathlib import Path

import pytest

from vidsr import system as limits
from vidsr.system import memory_limits


def test_a_control_group_s_limit_counts_where_it_is_less_than_the_machine_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "sys/fs/cgroup/service"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/service\n")
    limit = group / "memory.max"
    monkeypatch.setattr(limits, "memory_limits", lambda: memory_limits(tmp_path))
    machine = limits.most_memory()
    limit.write_text("max\n")
    assert limits.most_memory() == machine
    limit.write_text(f"{64 << 20}\n")
    assert limits.most_memory() == 64 << 20
    assert limits.most_pixels() == (64 << 20) // limits.BYTES_A_PIXEL
    assert not limits.fits(3840, 2160)
