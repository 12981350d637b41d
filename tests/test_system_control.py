"""What a control group leaves of the machine, read from folders laid out as Linux does."""

from pathlib import Path

import pytest

from vidsr.system import cpu_quota, memory_limit


def files(root: Path, **contents: str) -> Path:
    """Lay out files under root; `__` in a name stands for a slash."""
    for name, text in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return root


def test_the_second_version_is_read_up_to_its_top(tmp_path: Path) -> None:
    root = files(tmp_path, proc__self__cgroup="0::/service/worker")
    group = tmp_path / "sys/fs/cgroup/service"
    (group / "worker").mkdir(parents=True)
    (group / "worker/memory.max").write_text("max\n")
    (group / "memory.max").write_text("4000\n")
    (group / "memory.current").write_text("3000\n")
    (group / "memory.stat").write_text("anon 2000\ninactive_file 500\n")
    (group / "worker/cpu.max").write_text("150000 100000\n")
    (group / "cpu.max").write_text("max 100000\n")
    assert memory_limit(root) == (4000, 2500)
    assert cpu_quota(root) == 1.5


def test_the_first_version_is_read_as_well(tmp_path: Path) -> None:
    root = files(tmp_path, proc__self__cgroup="4:memory:/job\n1:cpu,cpuacct:/job")
    memory, cpu = tmp_path / "sys/fs/cgroup/memory/job", tmp_path / "sys/fs/cgroup/cpu/job"
    memory.mkdir(parents=True)
    cpu.mkdir(parents=True)
    (memory / "memory.limit_in_bytes").write_text("9000\n")
    (memory / "memory.usage_in_bytes").write_text("1000\n")
    (cpu / "cpu.cfs_quota_us").write_text("50000\n")
    (cpu / "cpu.cfs_period_us").write_text("100000\n")
    assert memory_limit(root) == (9000, 1000)
    assert cpu_quota(root) == 0.5


def test_in_a_container_that_sees_only_its_own_group_the_top_counts(tmp_path: Path) -> None:
    root = files(tmp_path, proc__self__cgroup="0::/host/path/nobody/sees")
    top = tmp_path / "sys/fs/cgroup"
    top.mkdir(parents=True)
    (top / "memory.max").write_text("7000\n")
    (top / "memory.current").write_text("10\n")
    assert memory_limit(root) == (7000, 10)


@pytest.mark.parametrize("quota", ["-1", "max"])
def test_where_nothing_limits_there_is_no_limit(tmp_path: Path, quota: str) -> None:
    root = files(tmp_path, proc__self__cgroup="1:cpu:/")
    (tmp_path / "sys/fs/cgroup/cpu").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").write_text(quota)
    assert cpu_quota(root) is None
    assert memory_limit(root) == (None, 0)
    assert memory_limit(tmp_path / "not Linux") == (None, 0)
