"""DLPack without a framework: read arrays where they are in device memory, and hand out arrays in device memory.

See https://dmlc.github.io/dlpack/latest/c_api.html and python_spec.html. These are the structures of version 0, which
every library exports unless a newer version is requested.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsr.errors import EngineError

CPU, CUDA = 1, 2  # DLDeviceType
TYPES = {(0, 8): "i1", (0, 32): "i4", (0, 64): "i8", (1, 8): "u1", (1, 16): "u2", (2, 16): "f2", (2, 32): "f4"}
CODES = {np.dtype(name): code for code, name in TYPES.items()}
UNUSED = b"dltensor"  # the name of a capsule that no consumer has taken


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),  # type, index
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),  # allowed word: DLPack's
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),  # in elements; null if contiguous
        ("offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    pass


_DELETER = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _DELETER))

_Function = ctypes.PYFUNCTYPE  # keeps the GIL, which the functions of Python's C API need
_pointer_in = _Function(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
# By address: a capsule that is being destroyed must not be referenced again.
_pointer_of = _Function(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_is_valid = _Function(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_capsule = _Function(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)


@dataclass(frozen=True, slots=True)
class DLPackView:
    """Another library's array, on any device."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In bytes."""
    dtype: np.dtype[Any]
    device: tuple[int, int]
    """DLDeviceType and index."""
    owner: Any
    """Keeps the memory allocated."""

    def lines(self) -> tuple[int, int, int]:
        """Return the number of lines, the distance between their starts, and their length, the latter two in bytes.

        A line is contiguous. Raises EngineError if the lines are not evenly spaced.
        """
        length, axis = self.dtype.itemsize, len(self.shape)
        while axis and (self.strides[axis - 1] == length or self.shape[axis - 1] == 1):
            axis -= 1
            length *= self.shape[axis]
        outer = [side for side in self.shape[:axis] if side > 1]
        if not outer:
            return 1, length, length
        if len(outer) > 1 or self.shape[axis - 1] == 1:
            raise EngineError(
                f"expected lines at even distances; got an array of shape {self.shape} and strides {self.strides}"
            )
        return outer[0], self.strides[axis - 1], length


def view_of(array: Any, *, stream: int | None = None) -> DLPackView:
    """Return a view of an object that supports `__dlpack__`, without a copy.

    stream: the CUDA stream that will read it. Raises EngineError if its type is not one of TYPES.
    """
    capsule = array.__dlpack__(stream=stream) if stream is not None else array.__dlpack__()
    # The capsule is kept and not renamed, so its own destructor releases the memory.
    tensor = _Managed.from_address(_pointer_in(capsule, UNUSED)).tensor
    name = TYPES.get((tensor.code, tensor.bits)) if tensor.lanes == 1 else None  # allowed word: DLPack's
    if name is None:
        raise EngineError(f"an array of DLPack's type {tensor.code} and {tensor.bits} bits cannot be read")
    dtype, shape = np.dtype(name), tuple(tensor.shape[: tensor.ndim])
    strides = tensor.strides[: tensor.ndim] if tensor.strides else contiguous_strides(shape)
    return DLPackView(
        (tensor.data or 0) + tensor.offset,
        shape,
        tuple(step * dtype.itemsize for step in strides),
        dtype,
        (tensor.device[0], tensor.device[1]),
        (capsule, array),
    )


class DeviceArray:
    """An array in device memory that supports `__dlpack__`; its content must be complete.

    Slicing and splitting the last axis need no copy: enough for planes with padded lines.
    """

    def __init__(
        self,
        address: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        device: tuple[int, int],
        owner: Any,
        strides: tuple[int, ...] | None = None,
    ) -> None:
        """owner: keeps the memory allocated, and is referenced while the array is in use. strides: in elements."""
        self.shape, self.dtype = shape, dtype
        self._address, self._device, self._owner = address, device, owner
        self._strides = strides or contiguous_strides(shape)

    def __getitem__(self, key: slice | tuple[slice, ...]) -> "DeviceArray":
        cuts = key if isinstance(key, tuple) else (key,)
        spans = [range(side)[cut] for side, cut in zip(self.shape, cuts, strict=False)]
        count, pairs = len(spans), list(zip(spans, self._strides, strict=False))
        address = self._address + self.dtype.itemsize * sum(span.start * step for span, step in pairs)
        shape = (*map(len, spans), *self.shape[count:])
        strides = (*(span.step * step for span, step in pairs), *self._strides[count:])
        return DeviceArray(address, shape, self.dtype, self._device, self._owner, strides)

    def reshape(self, *shape: int) -> "DeviceArray":
        """Split the last axis in two: (h, w) -> (h, w / n, n)."""
        *before, parts, part = shape
        if (*before, parts * part) != self.shape:
            raise ValueError(f"{self.shape} cannot become {shape} by splitting its last axis")
        strides = (*self._strides[:-1], self._strides[-1] * part, self._strides[-1])
        return DeviceArray(self._address, shape, self.dtype, self._device, self._owner, strides)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device

    def __dlpack__(self, *, stream: Any = None, **_: Any) -> Any:
        managed, count = _Managed(), len(self.shape)
        code, bits = CODES[self.dtype]
        sides, strides = (ctypes.c_int64 * count)(*self.shape), (ctypes.c_int64 * count)(*self._strides)
        managed.tensor = _Tensor(self._address, self._device, count, code, bits, 1, sides, strides, 0)
        managed.deleter = _deleter
        address = ctypes.addressof(managed)
        _exported[address] = (managed, sides, strides, self._owner)
        return _capsule(address, UNUSED, ctypes.cast(_destructor, ctypes.c_void_p))


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a contiguous array, in elements."""
    steps = [1]
    for side in reversed(shape[1:]):
        steps.insert(0, steps[0] * side)
    return tuple(steps[: len(shape)])


_exported: dict[int, Any] = {}  # keeps arrays alive until their consumer releases them


def _release(managed: Any) -> None:
    _exported.pop(ctypes.addressof(managed.contents), None)


def _release_unused(capsule: int) -> None:
    """Release the array of a destroyed capsule if no consumer took it, and so none will release it."""
    if _is_valid(capsule, UNUSED):
        _exported.pop(_pointer_of(capsule, UNUSED), None)


_deleter = _DELETER(_release)
_destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_release_unused)
