"""The driver's answer, and that asking costs nothing where there is none."""

import ctypes

import pytest

from tests.engines.test_choice import alone
from vidsr.engines import gpus as module
from vidsr.engines.gpus import Gpu, gpu_of, gpus


def test_where_there_is_no_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRIVER", "libno-such-driver.so")
    gpus.cache_clear()
    try:
        assert gpus() == ()
    finally:
        gpus.cache_clear()


def test_a_driver_without_a_gpu_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class Driver:
        @staticmethod
        def cuInit(_: int) -> int:  # noqa: N802
            return 100  # CUDA_ERROR_NO_DEVICE

    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driver)
    gpus.cache_clear()
    try:
        assert gpus() == ()
    finally:
        gpus.cache_clear()


def test_a_device_means_one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    two = (Gpu("NVIDIA L4", "8.9", 1), Gpu("NVIDIA H200", "9.0", 2))
    monkeypatch.setattr(module, "gpus", lambda: two)
    assert [gpu_of(device) for device in ("auto", "cuda", "cuda:0", "cuda:1")] == [two[0], two[0], two[0], two[1]]
    assert gpu_of("cpu") is None
    assert gpu_of("cuda:2") is None


def test_asking_for_gpus_imports_no_runtime() -> None:
    alone(
        "import sys; from vidsr.engines.gpus import gpus; gpus(); "
        "assert not {'torch', 'openvino', 'onnxruntime', 'tensorrt', 'cuda'} & set(sys.modules)"
    )


def test_a_gpu_that_is_here_says_its_name_and_compute_capability() -> None:
    if not gpus():
        pytest.skip("there is no NVIDIA GPU here")
    first = gpus()[0]
    assert first.name and first.memory > 1 << 28 and float(first.compute) >= 3
