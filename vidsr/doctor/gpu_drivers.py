"""NVIDIA's GPUs, asked of its own tool, or of the driver where a container has no tool."""

from dataclasses import dataclass

from vidsr.system import output_of

_FIELDS = "name,memory.total,memory.free,compute_cap,driver_version"


@dataclass(frozen=True, slots=True)
class GpuState:
    """One device; None where its driver does not say."""

    name: str
    memory: int
    """Bytes."""
    free: int | None
    """Bytes."""
    capability: str
    """What code for it is compiled to: 9.0 is Hopper."""
    driver: str | None


def gpus() -> tuple[GpuState, ...]:
    """Find the GPUs that this process may use."""
    told = output_of("nvidia-smi", f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits")
    found = [gpu for line in (told or "").splitlines() if (gpu := _from_line(line))]
    return tuple(found) if told is not None else tuple(_from_driver())


def _from_line(line: str) -> GpuState | None:
    """Read `NVIDIA L4, 23034, 22500, 8.9, 550.54`; None where it is no such line."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 5 or not parts[1].isdigit():
        return None
    name, total, free, capability, driver = parts
    return GpuState(name, int(total) << 20, int(free) << 20 if free.isdigit() else None, capability, driver)


def _from_driver() -> list[GpuState]:
    try:
        from vidsr.engines.gpus import gpus as known
    except ImportError:  # numpy's, of which the engines tell
        return []
    return [GpuState(gpu.name, gpu.memory, None, gpu.compute, None) for gpu in known()]
