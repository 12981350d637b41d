"""The machine itself: its CPU, memory and disks, as far as the operating system tells."""

import ctypes
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vidsr.system import cores, cpu_quota, memory_limit, output_of, processor_flags, processor_name

# What matters for inference, by the names that /proc/cpuinfo (x86, then Arm) and macOS's sysctl give it.
_FEATURES = {
    "avx2": "AVX2", "avx512f": "AVX-512", "avx_vnni": "AVX-VNNI", "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16", "avx512_fp16": "AVX-512 FP16", "amx_int8": "AMX INT8", "amx_bf16": "AMX BF16",
    "amx_fp16": "AMX FP16",
    "asimd": "NEON", "asimddp": "DotProd", "asimdhp": "FP16", "bf16": "BF16", "i8mm": "I8MM", "sve": "SVE",
    "sve2": "SVE2",
    "avx2_0": "AVX2", "avx512vnni": "AVX-512 VNNI", "neon": "NEON", "feat_dotprod": "DotProd", "feat_fp16": "FP16",
    "feat_bf16": "BF16", "feat_i8mm": "I8MM", "feat_sme": "SME",
}  # fmt: skip
_WINDOWS_FEATURES = {40: "AVX2", 41: "AVX-512", 19: "NEON", 43: "DotProd"}  # of IsProcessorFeaturePresent


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor."""

    name: str
    cores: int
    """Logical ones."""
    usable: float
    """Cores' worth of time that this process may have: by its affinity, and its control group's quota."""
    features: tuple[str, ...]
    """Of those that matter for inference."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory, in bytes; None where the system does not say."""

    total: int | None
    available: int | None
    """What can be had without swapping, within the limit."""
    limit: int | None
    """Of the control group; None where there is none."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Where files go, in bytes."""

    folder: str
    free: int
    total: int


def cpu() -> Cpu:
    """Name the processor, and say what it can."""
    allowed = cores()
    flags = _windows_flags() if sys.platform == "win32" else processor_flags()
    features = dict.fromkeys(title for flag, title in _FEATURES.items() if flag in flags)
    return Cpu(processor_name(), os.cpu_count() or 1, min(allowed, cpu_quota() or allowed), (*features,))


def memory() -> Memory:
    """Measure main memory."""
    total, available = _memory()
    limit, used = memory_limit()
    if limit is None or (total is not None and limit >= total):
        return Memory(total, available, None)
    left = max(limit - used, 0)
    return Memory(total, left if available is None else min(left, available), limit)


def disks() -> tuple[Disk, ...]:
    """Measure the disks of the current folder and of the one for temporary files."""
    folders = dict.fromkeys((str(Path.cwd()), tempfile.gettempdir()))
    return tuple(Disk(folder, usage.free, usage.total) for folder in folders if (usage := shutil.disk_usage(folder)))


def _windows_flags() -> set[str]:
    present = ctypes.windll.kernel32.IsProcessorFeaturePresent  # type: ignore[attr-defined]
    titles = {title for number, title in _WINDOWS_FEATURES.items() if present(number)}
    return {flag for flag, title in _FEATURES.items() if title in titles}


def _memory() -> tuple[int | None, int | None]:
    """Bytes there are, and that are available."""
    if sys.platform == "linux":
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        sizes = {key: 1024 * int(value.split()[0]) for key, _, value in (line.partition(":") for line in lines)}
        return sizes.get("MemTotal"), sizes.get("MemAvailable")
    if sys.platform == "darwin":
        page = os.sysconf("SC_PAGE_SIZE")
        pages = [line.partition(":") for line in (output_of("vm_stat") or "").splitlines()[1:]]
        idle = ("Pages free", "Pages inactive", "Pages speculative")
        free = sum(int(count.strip(" .")) for title, _, count in pages if title in idle)
        return os.sysconf("SC_PHYS_PAGES") * page, free * page or None
    if sys.platform == "win32":
        status = (ctypes.c_uint64 * 8)()  # MEMORYSTATUSEX: length and load, total, available, …
        status[0] = ctypes.sizeof(status)
        if ctypes.windll.kernel32.GlobalMemoryStatusEx(status):
            return status[1], status[2]
    return None, None
