"""The processor: its name, and what it can, as the operating system tells."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path


def processor_name() -> str:
    """As its maker gives it; the architecture where the system does not say."""
    if sys.platform == "linux":
        facts = _cpuinfo()
        name = facts.get("model name", facts.get("Model", ""))
    elif sys.platform == "darwin":
        name = (output_of("sysctl", "-n", "machdep.cpu.brand_string") or "").strip()
    else:
        name = platform.processor()
    return name or platform.machine()


def processor_kind() -> str:
    """The name, and what else tells it from others: virtual machines give many the same name."""
    facts = _cpuinfo() if sys.platform == "linux" else {}
    told = (facts.get(key, "") for key in ("cpu family", "model", "stepping", "CPU part", "CPU revision"))
    return " ".join([processor_name(), *filter(None, told)])


def processor_flags() -> set[str]:
    """What it can, by Linux's or macOS's own names; elsewhere nothing is told."""
    if sys.platform == "linux":
        facts = _cpuinfo()
        return set(facts.get("flags", facts.get("Features", "")).split())
    if sys.platform == "darwin":
        lines = (output_of("sysctl", "hw.optional") or "").splitlines()
        return {line.split(":")[0].split(".")[-1].lower() for line in lines if line.endswith(": 1")}
    return set()


def output_of(*command: str, timeout_s: float = 10) -> str | None:
    """What a program prints; None where it is not there, or fails."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=True,
            timeout=timeout_s,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


@cache
def _cpuinfo() -> dict[str, str]:
    """What Linux tells, of the first core."""
    told, facts = Path("/proc/cpuinfo"), dict[str, str]()
    for line in told.read_text(encoding="utf-8", errors="replace").splitlines() if told.exists() else ():
        key, _, value = line.partition(":")
        facts.setdefault(key.strip(), value.strip())
    return facts


def memory_limit(root: Path = Path("/")) -> tuple[int | None, int]:
    """The limit on memory that leaves least and what is used of it, in bytes; (None, 0) where there is none.

    root: where /proc and /sys are.
    """
    return min(memory_limits(root), default=(None, 0), key=lambda group: group[0] - group[1])


def memory_limits(root: Path = Path("/")) -> list[tuple[int, int]]:
    """Every limit on memory and what is used of it, from this process's own group up."""
    found: list[tuple[int, int]] = []
    for folder in _groups(root, "memory"):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        if limit is not None:
            used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes") or 0
            found.append((limit, max(used - _reclaimable(folder), 0)))
    return found


def cpu_quota(root: Path = Path("/")) -> float | None:
    """How many cores' worth of time there is; None where nothing limits it."""
    quotas: list[float] = []
    for folder in _groups(root, "cpu"):
        quota, _, period = _text(folder / "cpu.max").partition(" ")
        if not quota:
            quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
        if quota.isdigit() and period.isdigit():  # no limit is "max", or -1
            quotas.append(int(quota) / int(period))
    return min(quotas, default=None)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The folders that limit this process, from its own group up, in both versions of control groups."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers or controller in controllers.split(","):
            top = root / "sys/fs/cgroup" / (controller if controllers else "")
            own = top / path.lstrip("/")
            # In a container the path may be the host's, where only the top can be seen.
            yield from (folder for folder in (own, *own.parents) if folder == top or top in folder.parents)


def _reclaimable(folder: Path) -> int:
    """Bytes of files kept in memory until it is wanted."""
    pairs = (line.split() for line in _text(folder / "memory.stat").splitlines())
    facts = {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
    return facts.get("total_inactive_file", facts.get("inactive_file", 0))


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:  # there is no such file in the other version, or it may not be read
        return ""


MOST_PIXELS = 1 << 28
"""Of one picture, read or written: about what FFmpeg holds at most, and twice a film of 16K."""
BYTES_A_PIXEL = 16
"""Memory that a picture takes at worst until it is enlarged or written (RGB, held as 10-bit 4:4:4 as well)."""
MOST_SCALE = 16  # of a network; more is a mistake, or meant to do harm
MOST_STEP = 64  # the same of what the sides of its pictures are multiples of


def most_pixels() -> int:
    """Pixels that a picture may have here: MOST_PIXELS, or what the memory there is holds where that is less."""
    memory = most_memory()
    return MOST_PIXELS if memory is None else min(MOST_PIXELS, memory // BYTES_A_PIXEL)


def most_memory() -> int | None:
    """Bytes of memory that a process may have here: the machine's, or its control group's where that is less.

    None where the system does not say.
    """
    known = []
    with suppress(AttributeError, ValueError, OSError):  # Windows does not say
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min([*known, *(limit for limit, _ in memory_limits())], default=None)


def fits(width: int, height: int) -> bool:
    """Whether a picture of that size can be held."""
    # The second is FFmpeg's own rule (av_image_check_size), which very wide or tall pictures meet first.
    return width * height <= most_pixels() and (8 * width + 1024) * (height + 128) < 1 << 31


def megapixels() -> str:
    """The limit in a sentence."""
    return f"{most_pixels() // 1_000_000} megapixels"


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
