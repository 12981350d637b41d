"""What was measured on: machine, versions, and whether other programs were running."""

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from vidsr.engines import ENGINES, Setup
from vidsr.engines.gpus import gpu_of
from vidsr.system import cores, processor_name

BUSY_CORES = 0.1  # with more cores busy, figures are not reliable


@dataclass(frozen=True, slots=True)
class Conditions:
    """The machine at one time. Its fields are keys of the JSON output."""

    cpu: str
    cores: int
    """Those that this process may use."""
    gpus: tuple[str, ...]
    """Those that are measured."""
    system: str
    versions: dict[str, str]
    """Of vidsr and of the packages that compute."""
    date: str
    """Date, minute and time zone."""
    busy_cores: float | None
    """Used by other programs before measuring began; None if the system does not say."""

    @property
    def warning(self) -> str | None:
        """A sentence if other programs were running."""
        if self.busy_cores is None or self.busy_cores < BUSY_CORES:
            return None
        return (
            f"other programs keep {self.busy_cores:.1f} of {self.cores} cores busy; measure again when they have ended"
        )

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{', '.join([self.cpu, f'{self.cores} cores', *self.gpus, self.system])}; {versions}; {self.date}"


def current_conditions(setups: Sequence[Setup]) -> Conditions:
    """Describe this machine and what the setups use. Takes half a second."""
    packages = ["vidsr", "av", *(ENGINES[setup.engine].package for setup in setups)]
    distributions = packages_distributions()  # a package may be installed under other names, such as onnxruntime-gpu
    gpus = [str(gpu) for setup in setups if (gpu := gpu_of(setup.device))]
    return Conditions(
        cpu=processor_name(),
        cores=cores(),
        gpus=tuple(dict.fromkeys(gpus)),
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        versions={name: _version(distributions.get(name, [name])[0]) for name in packages},
        date=datetime.now().astimezone().isoformat(" ", "minutes"),
        busy_cores=_busy_cores(),
    )


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:  # a checkout that is run without being installed
        return "unknown"


def _busy_cores(seconds: float = 0.5) -> float | None:
    """Return the cores that other programs use while this one sleeps; except on Linux, the load of the last minute."""
    if sys.platform != "linux":
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    before = _idle_s()
    time.sleep(seconds)
    after = _idle_s()
    return (os.cpu_count() or 1) - (after - before) / seconds


def _idle_s() -> float:
    """Return the seconds that all cores together have been idle since the system started."""
    ticks = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    return sum(map(int, ticks[3:5])) / os.sysconf("SC_CLK_TCK")  # idle, and waiting for I/O
