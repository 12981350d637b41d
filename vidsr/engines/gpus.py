"""Which GPUs are here, asked of NVIDIA's driver itself: no runtime is imported for it, and where there is no driver
the answer costs a failed look for one library.
"""

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
MAJOR, MINOR = 75, 76  # CUdevice_attribute: of the compute capability


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, as the driver counts and names them."""

    name: str
    compute: str
    """Compute capability: 8.9."""
    memory: int
    """Bytes."""

    def __str__(self) -> str:
        return f"{self.name} (compute capability {self.compute})"


@cache
def gpus() -> tuple[Gpu, ...]:
    """The GPUs that CUDA can use, in its order; none where there is no driver, or it sees none."""
    try:
        cuda = ctypes.CDLL(DRIVER)
    except OSError:
        return ()
    if cuda.cuInit(0):
        return ()
    return tuple(_gpu(cuda, number) for number in range(_asked(cuda.cuDeviceGetCount)))


def number_of(device: str) -> int:
    """Of the GPU that a device means: cuda the first, cuda:N that of the number."""
    return int(device.partition(":")[2] or 0)


def gpu_of(device: str) -> Gpu | None:
    """The GPU that a device means: cuda or auto the first, cuda:N that of the number; None for the CPU or where none is
    there.
    """
    number = number_of(device)
    return gpus()[number] if device != "cpu" and number < len(gpus()) else None


def _gpu(cuda: Any, number: int) -> Gpu:
    device = _asked(cuda.cuDeviceGet, number)
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t()
    cuda.cuDeviceGetName(name, len(name), device)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    major, minor = (_asked(cuda.cuDeviceGetAttribute, which, device) for which in (MAJOR, MINOR))
    return Gpu(name.value.decode(errors="replace"), f"{major}.{minor}", memory.value)


def _asked(function: Any, *more: int) -> int:
    """What a function of the driver writes into its first argument."""
    answer = ctypes.c_int()
    function(ctypes.byref(answer), *more)
    return answer.value
