"""Arrays passed in and out through DLPack, on the CPU, to and from NumPy and PyTorch."""

import gc
import weakref
from typing import Any

import numpy as np
import pytest

from vidsr.engines.tensorrt import dlpack
from vidsr.engines.tensorrt.dlpack import CPU, DeviceArray, view_of
from vidsr.errors import EngineError


class Owner:
    """Holds an array, and can be watched."""

    def __init__(self, array: Any) -> None:
        self.array = array


def given(array: Any) -> tuple[DeviceArray, "weakref.ref[Owner]"]:
    owner = Owner(array)
    return DeviceArray(array.ctypes.data, array.shape, array.dtype, (CPU, 0), owner), weakref.ref(owner)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float16, np.float32])
def test_an_array_is_read_where_it_lies(kind: type) -> None:
    array = np.zeros((1, 1, 6, 10), kind)
    found = view_of(array)
    assert (found.address, found.shape, found.strides) == (array.ctypes.data, array.shape, array.strides)
    assert (found.dtype, found.device) == (array.dtype, (CPU, 0))
    lines = array[:, :, ::2, :8]
    assert (view_of(lines).shape, view_of(lines).strides) == (lines.shape, lines.strides)


def test_an_unsupported_type_is_refused() -> None:
    with pytest.raises(EngineError, match="type 5 and 64 bits cannot be read"):
        view_of(np.zeros(3, np.complex64))


def test_what_is_lent_is_exported_and_then_given_back() -> None:
    array = np.zeros(1000)
    array = array.astype(np.float32)
    gone = weakref.ref(array)
    found = view_of(array)
    del array
    gc.collect()
    assert gone() is not None
    del found
    gc.collect()
    assert gone() is None


def test_numpy_reads_our_arrays_and_releases_them() -> None:
    source = np.arange(24, dtype=np.uint8).reshape(1, 1, 4, 6)
    array, owner = given(source)
    taken = np.from_dlpack(array)
    np.testing.assert_array_equal(taken, source)
    assert np.shares_memory(taken, source)
    del array
    gc.collect()
    assert owner() is not None
    del taken
    gc.collect()
    assert owner() is None
    assert not dlpack._exported


def test_a_capsule_without_a_consumer_is_released() -> None:
    array, owner = given(np.zeros((2, 3), np.float32))
    capsule = array.__dlpack__()
    del array
    gc.collect()
    assert owner() is not None
    del capsule
    gc.collect()
    assert owner() is None


def test_pytorch_reads_our_arrays() -> None:
    torch = pytest.importorskip("torch", reason="needs vidsr[train]")
    source = np.arange(24, dtype=np.uint8).reshape(1, 1, 4, 6)
    array, owner = given(source)
    taken = torch.from_dlpack(array)
    source[0, 0, 0, 0] = 99
    assert taken.shape == (1, 1, 4, 6) and taken[0, 0, 0, 0] == 99
    found = view_of(taken)
    assert found.address == source.ctypes.data
    del array, taken, found
    gc.collect()
    assert owner() is None


def test_lines_of_a_picture_lie_evenly_apart() -> None:
    padded = np.zeros((1, 1, 6, 16), np.uint16)[..., :10]
    assert view_of(padded).lines() == (6, 32, 20)
    assert view_of(np.zeros((6, 5, 2), np.uint8)).lines() == (1, 60, 60)
    assert view_of(np.zeros((6, 8, 2), np.uint8)[:, :5]).lines() == (6, 16, 10)
    assert view_of(np.zeros((1, 1, 1, 1), np.float32)).lines() == (1, 4, 4)
    with pytest.raises(EngineError, match="at even distances"):
        view_of(np.zeros((3, 6, 16), np.uint8)[:, :4, :8]).lines()


def test_a_device_array_is_cut_and_split_without_a_copy() -> None:
    source = np.arange(6 * 16, dtype=np.uint8).reshape(6, 16)
    array, _ = given(source)
    chroma = array[4:, :10].reshape(2, 5, 2)
    assert chroma.shape == (2, 5, 2)
    np.testing.assert_array_equal(np.from_dlpack(chroma), source[4:, :10].reshape(2, 5, 2))
    np.testing.assert_array_equal(np.from_dlpack(array[:4]), source[:4])
    with pytest.raises(ValueError, match="cannot become"):
        array.reshape(3, 4, 8)


def test_an_encoders_frame_is_made_of_our_arrays_without_a_copy() -> None:
    av = pytest.importorskip("av")
    height, width, pitch = 16, 20, 32
    source = np.random.default_rng(0).integers(0, 256, (height * 3 // 2, pitch)).astype(np.uint8)
    array, _ = given(source)
    planes = array[:height, :width], array[height:, :width].reshape(height // 2, width // 2, 2)
    frame = av.VideoFrame.from_dlpack(planes, format="nv12")
    assert (frame.width, frame.height, frame.planes[0].line_size) == (width, height, pitch)
    source[0, 0] ^= 255
    np.testing.assert_array_equal(frame.to_ndarray(), source[:, :width])
