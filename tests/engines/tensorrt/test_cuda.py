"""Pooled device buffers, without a GPU: when one is reused."""

import gc

import numpy as np
import pytest

cuda = pytest.importorskip(
    "vidsr.engines.tensorrt.cuda", reason="CUDA's bindings are not installed", exc_type=ImportError
)


class DeviceBuffer:
    """In place of memory on a device."""

    made = 0

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[np.uint8]) -> None:
        DeviceBuffer.made += 1
        self.shape, self.dtype, self.address = shape, dtype, DeviceBuffer.made


def test_a_buffer_is_reused_when_nothing_references_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "DeviceBuffer", DeviceBuffer)
    like, pool = DeviceBuffer((4, 6), np.dtype(np.uint8)), []  # type: ignore[var-annotated]
    first, second = cuda.PooledBuffer(like, pool), cuda.PooledBuffer(like, pool)
    assert (first.address, second.address, pool) == (2, 3, [])
    assert (first.shape, first.dtype) == ((4, 6), np.uint8)
    del first
    gc.collect()
    assert [buffer.address for buffer in pool] == [2]
    assert cuda.PooledBuffer(like, pool).address == 2
    assert DeviceBuffer.made == 3
