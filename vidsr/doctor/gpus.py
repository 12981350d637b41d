"""NVIDIA's GPUs, asked of its own tool, or of the driver where a container has no tool."""

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from vidsr.doctor.machine import output_of

_FIELDS = "name,memory.total,memory.free,compute_cap,driver_version"
_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device; None where its driver does not say."""

    name: str
    memory: int
    """Bytes."""
    free: int | None
    """Bytes."""
    capability: str
    """What code for it is compiled to: 9.0 is Hopper."""
    driver: str | None


def gpus() -> tuple[Gpu, ...]:
    """Find the GPUs that this process may use."""
    told = output_of("nvidia-smi", f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits")
    found = [gpu for line in (told or "").splitlines() if (gpu := _from_line(line))]
    return tuple(found) if told is not None else tuple(_from_driver())


def _from_line(line: str) -> Gpu | None:
    """Read `NVIDIA L4, 23034, 22500, 8.9, 550.54`; None where it is no such line."""
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 5 or not parts[1].isdigit():
        return None
    name, total, free, capability, driver = parts
    return Gpu(name, int(total) << 20, int(free) << 20 if free.isdigit() else None, capability, driver)


def _from_driver() -> list[Gpu]:
    try:
        cuda: Any = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return []
    count = ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)):
        return []
    return [_device(cuda, number) for number in range(count.value)]


def _device(cuda: Any, number: int) -> Gpu:
    device, total, major, minor = ctypes.c_int(), ctypes.c_size_t(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(128)
    cuda.cuDeviceGet(ctypes.byref(device), number)
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(total), device)
    cuda.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    return Gpu(name.value.decode(errors="replace"), total.value, None, f"{major.value}.{minor.value}", None)
