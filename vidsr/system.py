"""The machine, as the operating system reports it: processor, memory, control groups; and the limits that follow."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

MAX_ISA = "ONEDNN_MAX_CPU_ISA"
"""Environment variable by which oneDNN, in OpenVINO and PyTorch, computes as on a processor with fewer instructions."""
MOST_PIXELS = 1 << 28
"""Of one frame, read or written: about FFmpeg's own limit, and twice a 16K video's."""
BYTES_PER_PIXEL = 16
"""Peak memory of a frame until it is upscaled or written (RGB that is held as 10-bit 4:4:4 as well)."""
MOST_SCALE = 16
"""Of a network; a larger one is a mistake, or an attack."""
MOST_STEP = 64
"""Of a network: the largest divisor that it may require of its input's sides."""


def processor_name() -> str:
    """Return the processor's marketing name, or the architecture if the system does not report one."""
    if sys.platform == "linux":
        fields = _cpuinfo()
        name = fields.get("model name", fields.get("Model", ""))
    elif sys.platform == "darwin":
        name = (output_of("sysctl", "-n", "machdep.cpu.brand_string") or "").strip()
    else:
        name = platform.processor()
    return name or platform.machine()


def processor_kind() -> str:
    """Return the processor's name with its family, model and stepping: virtual machines give many the same name."""
    fields = _cpuinfo() if sys.platform == "linux" else {}
    details = (fields.get(key, "") for key in ("cpu family", "model", "stepping", "CPU part", "CPU revision"))
    return " ".join([processor_name(), *filter(None, details)])


def processor_flags() -> set[str]:
    """Return the processor's features by Linux's or macOS's names; empty on other systems."""
    if sys.platform == "linux":
        fields = _cpuinfo()
        return set(fields.get("flags", fields.get("Features", "")).split())
    if sys.platform == "darwin":
        lines = (output_of("sysctl", "hw.optional") or "").splitlines()
        return {line.split(":")[0].split(".")[-1].lower() for line in lines if line.endswith(": 1")}
    return set()


@cache
def has_native_bf16() -> bool:
    """Return whether the processor multiplies bf16 matrices natively: AMX or AVX-512 BF16."""
    most = os.environ.get(MAX_ISA, "").upper()
    if most and not any(name in most for name in ("BF16", "FP16", "AMX", "ALL", "DEFAULT")):
        return False
    return bool({"amx_bf16", "avx512_bf16"} & processor_flags())


def computes_int8_faster() -> bool:
    """Return whether int8 is the fastest precision of the processor: AVX2 or AVX-512 without native bf16."""
    return "avx2" in processor_flags() and not has_native_bf16()


def cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def output_of(*command: str, timeout_s: float = 10) -> str | None:
    """Return what a program prints, or None if it does not exist or fails."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=True,
            timeout=timeout_s,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def child_environment() -> dict[str, str]:
    """Return an environment in which `python -P -m vidsr` imports the same modules as this process.

    Without it, `python -m` would first look in the current folder, which may be a checkout of another version.
    """
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}


def memory_limit(root: Path = Path("/")) -> tuple[int | None, int]:
    """Return the memory limit that leaves the least, and what is used of it, in bytes; (None, 0) without a limit.

    root: the folder that contains /proc and /sys.
    """
    return min(memory_limits(root), default=(None, 0), key=lambda group: group[0] - group[1])


def memory_limits(root: Path = Path("/")) -> list[tuple[int, int]]:
    """Return the memory limit and usage, in bytes, of this process's control group and of each of its parents."""
    found: list[tuple[int, int]] = []
    for folder in _groups(root, "memory"):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        if limit is not None:
            used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
            found.append((limit, max(used - _reclaimable(folder), 0)))
    return found


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return the CPU time that the control groups allow, in cores, or None without a limit."""
    quotas: list[float] = []
    for folder in _groups(root, "cpu"):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit():  # without a limit it is "max", or -1
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def most_memory() -> int | None:
    """Return the memory that this process may use, in bytes: the machine's or, if smaller, its control group's limit.

    None if the system does not say.
    """
    known = []
    with suppress(AttributeError, ValueError, OSError):  # Windows
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min([*known, *(limit for limit, _ in memory_limits())], default=None)


def most_pixels() -> int:
    """Return the most pixels that a frame may have: MOST_PIXELS or, if smaller, what fits into memory."""
    memory = most_memory()
    return MOST_PIXELS if memory is None else min(MOST_PIXELS, memory // BYTES_PER_PIXEL)


def fits(width: int, height: int) -> bool:
    """Return whether frames of this size are allowed."""
    # The second is FFmpeg's rule (av_image_check_size), which very wide or tall frames break first.
    return width * height <= most_pixels() and (8 * width + 1024) * (height + 128) < 1 << 31


def megapixels() -> str:
    """Return the limit of frames, for messages."""
    return f"{most_pixels() // 1_000_000} megapixels"


@contextmanager
def keep_priority() -> Iterator[None]:
    """Restore the scheduling policy of this thread afterwards.

    SVT-AV1, run by root on Linux, makes the thread that opens it real-time (SCHED_FIFO): whatever that thread computes
    later starves every other process of the machine.
    """
    if not hasattr(os, "sched_getscheduler"):  # not Linux
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


@cache
def _cpuinfo() -> dict[str, str]:
    """Return the fields of /proc/cpuinfo, of the first core."""
    path, fields = Path("/proc/cpuinfo"), dict[str, str]()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return fields


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Return the folders of this process's control group and its parents, for both versions of control groups."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            top = root / "sys/fs/cgroup" / (controller if controllers else "")
            group = top / path.lstrip("/")
            # In a container the path may be the host's, of which only the top is visible.
            yield from (folder for folder in (group, *group.parents) if folder == top or top in folder.parents)


def _reclaimable(folder: Path) -> int:
    """Return the bytes of cached files, which the kernel frees when memory is needed."""
    pairs = (line.split() for line in _text(folder / "memory.stat").splitlines())
    fields = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
    return fields.get("total_inactive_file", fields.get("inactive_file", 0))


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:  # the file belongs to the other version of control groups, or may not be read
        return ""
