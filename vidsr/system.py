"""The processor: its name, and what it can, as the operating system tells."""

import platform
import subprocess
import sys
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
