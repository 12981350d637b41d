"""Memory on a GPU, without one: which room is taken, and when it is taken again."""

import gc

import numpy as np
import pytest

cuda = pytest.importorskip(
    "vidsr.engines.tensorrt.cuda", reason="CUDA's bindings are not installed", exc_type=ImportError
)


class DeviceBuffer:
    """In place of memory on a device."""

    made = 0

    def __init__(self, shape: tuple[int, ...], kind: np.dtype[np.uint8]) -> None:
        DeviceBuffer.made += 1
        self.shape, self.kind, self.address = shape, kind, DeviceBuffer.made


def test_a_room_is_taken_again_when_nobody_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "Room", DeviceBuffer)
    like, spare = DeviceBuffer((4, 6), np.dtype(np.uint8)), []  # type: ignore[var-annotated]
    first, second = cuda.PooledBuffer(like, spare), cuda.PooledBuffer(like, spare)
    assert (first.address, second.address, spare) == (2, 3, [])
    assert (first.shape, first.kind) == ((4, 6), np.uint8)
    del first
    gc.collect()
    assert [room.address for room in spare] == [2]
    assert cuda.PooledBuffer(like, spare).address == 2
    assert DeviceBuffer.made == 3
