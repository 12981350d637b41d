"""The control groups of Linux: how much of the machine a container, or a service, may use."""

from collections.abc import Iterator
from pathlib import Path


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
