"""TensorRT through ONNX Runtime, which builds an engine when a stream begins, minutes the first time, and keeps it."""

import importlib
from typing import TYPE_CHECKING

from vidsr.engines import Precision, Setup
from vidsr.engines import onnxruntime_gpu as gpu
from vidsr.engines.onnxruntime_providers import TENSORRT

if TYPE_CHECKING:
    from vidsr.engines.onnxruntime_gpu import OnnxruntimeGpuEngine


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """The device and the precision; see `vidsr.engines.settle`."""
    importlib.import_module("tensorrt_libs")  # which loads them: ONNX Runtime would not find them by itself
    return gpu.settle(device, precision, TENSORRT)


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> "OnnxruntimeGpuEngine":
    """Open a session; see `open_engine`."""
    return gpu.open_on_gpu(graph, setup, TENSORRT, in_flight=in_flight)
