"""What the operating system reports of the processor, of programs and of control groups; the limits that follow."""

import subprocess
import sys
from pathlib import Path

import pytest

from vidsr import system
from vidsr.system import (
    child_environment,
    cpu_quota,
    memory_limit,
    memory_limits,
    output_of,
    processor_flags,
    processor_kind,
    processor_name,
)


def test_the_processor_has_a_name_and_a_kind() -> None:
    assert processor_name()
    assert processor_kind().startswith(processor_name())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such file")
def test_linux_lists_the_processors_features() -> None:
    assert processor_flags() <= set(Path("/proc/cpuinfo").read_text().split())


def test_without_a_reported_name_the_architecture_is_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_cpuinfo", dict)
    monkeypatch.setattr(system.platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(system.sys, "platform", "linux")
    assert (processor_name(), processor_kind(), processor_flags()) == ("riscv64", "riscv64", set())


def test_a_program_that_fails_has_no_output() -> None:
    assert output_of(sys.executable, "-c", "print('output')") == "output\n"
    assert output_of(sys.executable, "-c", "print('output'); exit(1)") is None
    assert output_of(sys.executable, "-c", "import time; time.sleep(9)", timeout_s=0.1) is None
    assert output_of("no such program") is None


def test_a_child_process_imports_what_this_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "only_here.py").write_text("print('imported')")
    done = subprocess.run([sys.executable, "-P", "-m", "only_here"], env=child_environment(), capture_output=True)
    assert done.stdout.split() == [b"imported"]


def files(root: Path, **contents: str) -> Path:
    """Lay out files under root; `__` in a name stands for a slash."""
    for name, text in contents.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return root


def test_control_groups_v2_are_read_up_to_the_top(tmp_path: Path) -> None:
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


def test_control_groups_v1_are_read_as_well(tmp_path: Path) -> None:
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
def test_control_groups_without_a_limit_have_none(tmp_path: Path, quota: str) -> None:
    root = files(tmp_path, proc__self__cgroup="1:cpu:/")
    (tmp_path / "sys/fs/cgroup/cpu").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu/cpu.cfs_quota_us").write_text(quota)
    assert cpu_quota(root) is None
    assert memory_limit(root) == (None, 0)
    assert memory_limit(tmp_path / "not Linux") == (None, 0)


def test_the_smaller_of_the_control_groups_and_the_machines_memory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "sys/fs/cgroup/service"
    group.mkdir(parents=True)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/service\n")
    limit = group / "memory.max"
    monkeypatch.setattr(system, "memory_limits", lambda: memory_limits(tmp_path))
    machine = system.most_memory()
    limit.write_text("max\n")
    assert system.most_memory() == machine
    limit.write_text(f"{64 << 20}\n")
    assert system.most_memory() == 64 << 20
    assert system.most_pixels() == (64 << 20) // system.BYTES_PER_PIXEL
    assert not system.fits(3840, 2160)
