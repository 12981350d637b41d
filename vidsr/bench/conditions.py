"""What the figures were measured on, and whether something else ran there."""

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import packages_distributions, version
from pathlib import Path

from vidsr.engines import ENGINES, Setup
from vidsr.engines.gpus import gpu_of
from vidsr.system import cores, processor_name

BUSY = 0.1  # cores in use by others, beyond which figures do not hold


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine and what runs on it, at one time."""

    cpu: str
    cores: int
    """Those that this process may use."""
    gpus: tuple[str, ...]
    """Those that are measured."""
    system: str
    versions: dict[str, str]
    """Of vidsr and what it computes with."""
    date: str
    """Day and minute, with the zone."""
    busy_cores: float | None
    """In use by other programs before the measurement began; None where the system does not say."""

    @property
    def warning(self) -> str | None:
        """A sentence where something else ran."""
        if self.busy_cores is None or self.busy_cores < BUSY:
            return None
        return (
            f"other programs keep {self.busy_cores:.1f} of {self.cores} cores busy; figures do not hold until they end"
        )

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{', '.join([self.cpu, f'{self.cores} cores', *self.gpus, self.system])}; {versions}; {self.date}"


def this_machine(setups: Sequence[Setup]) -> Machine:
    """Describe this machine now, and what computes on it; takes half a second."""
    packages = ["vidsr", "av", *(ENGINES[setup.engine].package for setup in setups)]
    homes = packages_distributions()  # a package may come under several names: onnxruntime-gpu
    gpus = [str(gpu) for setup in setups if (gpu := gpu_of(setup.device))]
    return Machine(
        cpu=processor_name(),
        cores=cores(),
        gpus=tuple(dict.fromkeys(gpus)),
        system=f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        versions={name: version(homes[name][0]) for name in packages},
        date=datetime.now().astimezone().isoformat(" ", "minutes"),
        busy_cores=_busy(),
    )


def _busy(seconds: float = 0.5) -> float | None:
    """Cores that others keep busy while this process sleeps; elsewhere than on Linux the load of the last minute."""
    if sys.platform != "linux":
        return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    before = _idle()
    time.sleep(seconds)
    after = _idle()
    return (os.cpu_count() or 1) - (after - before) / seconds


def _idle() -> float:
    """Seconds that all cores together have had nothing to do since the system started."""
    ticks = Path("/proc/stat").read_text(encoding="utf-8").split("\n", 1)[0].split()[1:]
    return sum(map(int, ticks[3:5])) / os.sysconf("SC_CLK_TCK")  # idle, and waiting for a disk
