"""The machine and its GPUs."""

import os
import sys
from pathlib import Path

import pytest

from vidsr.doctor.hardware import GpuState, cpu, disks, gpus, memory


def test_the_processor_is_named_with_what_it_can() -> None:
    here = cpu()
    assert here.name
    assert 0 < here.usable <= here.cores
    if sys.platform == "linux":
        flags = Path("/proc/cpuinfo").read_text().split()
        assert ("AVX2" in here.features) is ("avx2" in flags)
        assert ("AMX BF16" in here.features) is ("amx_bf16" in flags)


def test_no_more_memory_is_available_than_there_is() -> None:
    here = memory()
    if here.total is not None and here.available is not None:
        assert 0 < here.available <= here.total


def test_the_disks_are_where_files_would_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert disks()[0].folder == os.path.realpath(tmp_path)
    assert all(0 <= disk.free <= disk.total for disk in disks())


def stand_in(folder: Path, lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a shell script of these lines in the place of NVIDIA's tool."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{lines}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for NVIDIA's tool")
def test_gpus_are_as_nvidias_tool_tells_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = "echo 'NVIDIA L4, 23034, 22500, 8.9, 550.54'\necho 'NVIDIA L4, 23034, [N/A], 8.9, 550.54'"
    stand_in(tmp_path, tool, monkeypatch)
    first, second = gpus()
    assert first == GpuState("NVIDIA L4", 23034 << 20, 22500 << 20, "8.9", "550.54")
    assert second.free is None


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands for NVIDIA's tool")
def test_a_tool_without_its_driver_means_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = "echo 'NVIDIA-SMI has failed because it could not communicate with the driver.'\nexit 9"
    stand_in(tmp_path, tool, monkeypatch)
    try:
        __import__("ctypes").CDLL("libcuda.so.1")
    except OSError:
        assert gpus() == ()
