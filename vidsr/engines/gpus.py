"""The NVIDIA GPUs of this machine, as CUDA's driver lists them. No runtime is imported to find out."""

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
MAJOR, MINOR = 75, 76  # CUdevice_attribute: compute capability


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU."""

    name: str
    compute: str
    """Compute capability, such as 8.9."""
    memory: int
    """Bytes."""

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute})"


@cache
def gpus() -> tuple[Gpu, ...]:
    """Return the GPUs that CUDA can use, in CUDA's order; empty without a driver."""
    try:
        cuda = ctypes.CDLL(DRIVER)
    except OSError:
        return ()
    if cuda.cuInit(0):
        return ()
    return tuple(_gpu(cuda, index) for index in range(_int_from(cuda.cuDeviceGetCount)))


def gpu_index(device: str) -> int:
    """Return the index of the GPU that a device names: 0 for cuda, N for cuda:N."""
    return int(device.partition(":")[2] or 0)


def gpu_of(device: str) -> Gpu | None:
    """Return the GPU that a device names, the first for auto; None for others, or if the machine has no such GPU."""
    index = gpu_index(device)
    return gpus()[index] if device.startswith(("auto", "cuda")) and index < len(gpus()) else None


def _gpu(cuda: Any, index: int) -> Gpu:
    device = _int_from(cuda.cuDeviceGet, index)
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    major, minor = (_int_from(cuda.cuDeviceGetAttribute, attribute, device) for attribute in (MAJOR, MINOR))
    return Gpu(name.value.decode(errors="replace"), f"{major}.{minor}", memory.value)


def _int_from(function: Any, *arguments: int) -> int:
    """Call a driver function that writes an int through its first argument, and return the int."""
    result = ctypes.c_int()
    function(ctypes.byref(result), *arguments)
    return result.value
