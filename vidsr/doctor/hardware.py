"""The machine: its CPU, memory, disks and GPUs, as the operating system and the drivers report them."""

import ctypes
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from vidsr.system import cores, cpu_quota, memory_limit, output_of, processor_flags, processor_name

# Features that matter for inference, by their names in /proc/cpuinfo (x86, then Arm) and macOS's sysctl.
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
_SMI_FIELDS = "name,memory.total,memory.free,compute_cap,driver_version"


@dataclass(frozen=True, slots=True)
class CpuState:
    """The processor."""

    name: str
    cores: int
    """Logical cores."""
    usable: float
    """Cores that this process may use, by its affinity and its control group's quota."""
    features: tuple[str, ...]
    """Those that matter for inference."""


@dataclass(frozen=True, slots=True)
class MemoryState:
    """Main memory, in bytes; None if the system does not say."""

    total: int | None
    available: int | None
    """Without swapping, and within the limit."""
    limit: int | None
    """The control group's; None without a limit."""


@dataclass(frozen=True, slots=True)
class DiskState:
    """The file system of a folder, in bytes."""

    folder: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class GpuState:
    """An NVIDIA GPU; None if its driver does not say."""

    name: str
    memory: int
    """Bytes."""
    free: int | None
    """Bytes."""
    capability: str
    """Compute capability; 9.0 is Hopper."""
    driver: str | None


def cpu() -> CpuState:
    """Return the processor's name, cores and features."""
    allowed = cores()
    flags = _windows_flags() if sys.platform == "win32" else processor_flags()
    features = dict.fromkeys(title for flag, title in _FEATURES.items() if flag in flags)
    return CpuState(processor_name(), os.cpu_count() or 1, min(allowed, cpu_quota() or allowed), (*features,))


def memory() -> MemoryState:
    """Return the size of main memory, and what is left of it."""
    total, available = _memory()
    limit, used = memory_limit()
    if limit is None or (total is not None and limit >= total):
        return MemoryState(total, available, None)
    left = max(limit - used, 0)
    return MemoryState(total, left if available is None else min(left, available), limit)


def disks() -> tuple[DiskState, ...]:
    """Return the disks of the current folder and of the folder for temporary files."""
    folders = dict.fromkeys((str(Path.cwd()), tempfile.gettempdir()))
    usages = {folder: shutil.disk_usage(folder) for folder in folders}
    return tuple(DiskState(folder, usage.free, usage.total) for folder, usage in usages.items())


def gpus() -> tuple[GpuState, ...]:
    """Return the NVIDIA GPUs by nvidia-smi, or by the driver's library in containers without it."""
    output = output_of("nvidia-smi", f"--query-gpu={_SMI_FIELDS}", "--format=csv,noheader,nounits")
    if output is not None:
        return tuple(gpu for line in output.splitlines() if (gpu := _from_smi(line)))
    try:
        from vidsr.engines.gpus import gpus as known
    except ImportError:  # numpy is broken, which the engines report
        return ()
    return tuple(GpuState(gpu.name, gpu.memory, None, gpu.compute, None) for gpu in known())


def _from_smi(line: str) -> GpuState | None:
    """Parse `NVIDIA L4, 23034, 22500, 8.9, 550.54`; None for other lines."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 5 or not parts[1].isdigit():
        return None
    name, total, free, capability, driver = parts
    return GpuState(name, int(total) << 20, int(free) << 20 if free.isdigit() else None, capability, driver)


def _windows_flags() -> set[str]:
    is_present = ctypes.windll.kernel32.IsProcessorFeaturePresent  # type: ignore[attr-defined]
    titles = {title for number, title in _WINDOWS_FEATURES.items() if is_present(number)}
    return {flag for flag, title in _FEATURES.items() if title in titles}


def _memory() -> tuple[int | None, int | None]:
    """Return the total and the available bytes."""
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
