"""DLPack without a framework: arrays on a device are read where they lie, and given to others where they lie.

After https://dmlc.github.io/dlpack/latest/c_api.html and python_spec.html, version 0 of the structures, which every
library gives to who asks for no newer one.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsr.errors import EngineError

CPU, CUDA = 1, 2  # DLDeviceType
KINDS = {(0, 8): "i1", (0, 32): "i4", (0, 64): "i8", (1, 8): "u1", (1, 16): "u2", (2, 16): "f2", (2, 32): "f4"}
CODES = {np.dtype(name): code for code, name in KINDS.items()}
FRESH = b"dltensor"  # the name of a capsule that nobody has taken


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),  # type, number
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),  # in elements; null: side by side
        ("offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    pass


_DELETER = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Managed))
_Managed._fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _DELETER))

_Function = ctypes.PYFUNCTYPE  # with the GIL, as all of Python's own functions
_pointer_in = _Function(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
# By address, for a capsule that goes must not be referred to again.
_pointer_of = _Function(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_is_valid = _Function(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_capsule = _Function(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)


@dataclass(frozen=True, slots=True)
class DLPackView:
    """An array that somebody else owns, on some device."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In bytes."""
    kind: np.dtype[Any]
    device: tuple[int, int]
    """DLDeviceType and number."""
    owner: Any
    """Keeps the memory while it is held."""

    def lines(self) -> tuple[int, int, int]:
        """How many lines it has, how far they lie apart and how long each is, in bytes; a line has no gaps.

        Raises EngineError where it is no picture, whose lines lie evenly apart.
        """
        length, axis = self.kind.itemsize, len(self.shape)
        while axis and (self.strides[axis - 1] == length or self.shape[axis - 1] == 1):
            axis -= 1
            length *= self.shape[axis]
        outer = [side for side in self.shape[:axis] if side > 1]
        if not outer:
            return 1, length, length
        if len(outer) > 1 or self.shape[axis - 1] == 1:
            raise EngineError(f"what is lent lies scattered: {self.shape} in steps of {self.strides} bytes")
        return outer[0], self.strides[axis - 1], length


def lent(array: Any, *, stream: int | None = None) -> DLPackView:
    """Read what an object with `__dlpack__` lends. stream: of CUDA, on which it will be read.

    Raises EngineError where it is nothing of numbers.
    """
    capsule = array.__dlpack__(stream=stream) if stream is not None else array.__dlpack__()
    # The capsule is held instead of renamed: its own destructor then gives the memory back.
    tensor = _Managed.from_address(_pointer_in(capsule, FRESH)).tensor
    kind = KINDS.get((tensor.code, tensor.bits)) if tensor.sessions == 1 else None
    if kind is None:
        raise EngineError(f"an array of DLPack's type {tensor.code} and {tensor.bits} bits cannot be read")
    dtype, shape = np.dtype(kind), tuple(tensor.shape[: tensor.ndim])
    strides = tensor.strides[: tensor.ndim] if tensor.strides else side_by_side(shape)
    return DLPackView(
        (tensor.data or 0) + tensor.offset,
        shape,
        tuple(step * dtype.itemsize for step in strides),
        dtype,
        (tensor.device[0], tensor.device[1]),
        (capsule, array),
    )


class DeviceArray:
    """An array on a device for whoever knows `__dlpack__`; what was computed is there already.

    It can be cut and its last side split, without a copy, as pictures with lines filled up need it.
    """

    def __init__(
        self,
        address: int,
        shape: tuple[int, ...],
        kind: np.dtype[Any],
        device: tuple[int, int],
        owner: Any,
        steps: tuple[int, ...] | None = None,
    ) -> None:
        """owner: keeps the memory; it is held as long as anyone uses the array. steps: strides in elements."""
        self.shape, self.dtype = shape, kind
        self._address, self._device, self._owner = address, device, owner
        self._steps = steps or side_by_side(shape)

    def __getitem__(self, key: slice | tuple[slice, ...]) -> "DeviceArray":
        cuts = key if isinstance(key, tuple) else (key,)
        spans = [range(side)[cut] for side, cut in zip(self.shape, cuts, strict=False)]
        moved = sum(span.start * step for span, step in zip(spans, self._steps, strict=False))
        shape = (*map(len, spans), *self.shape[len(spans) :])
        steps = (
            *(span.step * step for span, step in zip(spans, self._steps, strict=False)),
            *self._steps[len(spans) :],
        )
        address = self._address + moved * self.dtype.itemsize
        return DeviceArray(address, shape, self.dtype, self._device, self._owner, steps)

    def reshape(self, *shape: int) -> "DeviceArray":
        """Split the last side in two: (h, w) -> (h, w / n, n)."""
        *before, parts, part = shape
        if (*before, parts * part) != self.shape:
            raise ValueError(f"{self.shape} cannot become {shape} by splitting its last side")
        steps = (*self._steps[:-1], self._steps[-1] * part, self._steps[-1])
        return DeviceArray(self._address, shape, self.dtype, self._device, self._owner, steps)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._device

    def __dlpack__(self, *, stream: Any = None, **_: Any) -> Any:
        managed, count = _Managed(), len(self.shape)
        code, bits = CODES[self.dtype]
        sides, steps = (ctypes.c_int64 * count)(*self.shape), (ctypes.c_int64 * count)(*self._steps)
        managed.tensor = _Tensor(self._address, self._device, count, code, bits, 1, sides, steps, 0)
        managed.deleter = _drop
        address = ctypes.addressof(managed)
        _held[address] = (managed, sides, steps, self._owner)
        return _capsule(address, FRESH, ctypes.cast(_destructor, ctypes.c_void_p))


def side_by_side(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of an array without gaps."""
    steps = [1]
    for side in reversed(shape[1:]):
        steps.insert(0, steps[0] * side)
    return tuple(steps[: len(shape)])


_held: dict[int, Any] = {}  # what is lent, until it is given back


def _give_back(managed: Any) -> None:
    _held.pop(ctypes.addressof(managed.contents), None)


def _unused(capsule: int) -> None:
    """A capsule goes; where nobody took what is in it, nobody else will give it back."""
    if _is_valid(capsule, FRESH):
        _held.pop(_pointer_of(capsule, FRESH), None)


_drop = _DELETER(_give_back)
_destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_unused)
