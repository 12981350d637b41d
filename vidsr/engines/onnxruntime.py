"""ONNX Runtime: on the CPU the second opinion, and on a GPU by CUDA."""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self
from weakref import WeakSet

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as state

from vidsr.engines import Arrays, Engine, Precision, Setup, busy, explained
from vidsr.engines.gpus import gpu_of
from vidsr.errors import EngineError, EngineMissing, NotAModel, VidsrError

log = logging.getLogger(__name__)

# The runtime's exceptions have no ancestor of their own.
FOREIGN: tuple[type[Exception], ...] = tuple(
    kind for kind in vars(state).values() if isinstance(kind, type) and issubclass(kind, Exception)
)

onnxruntime.disable_telemetry_events()


class OnnxruntimeEngine:
    """A session, and a thread that waits in it."""

    def __init__(self, graph: bytes, *, in_flight: int, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what it would print is raised as well, and explained here
        # A worker that spins between two runs takes the core from decoder and encoder.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except FOREIGN as exc:
            raise of_onnxruntime(exc, NotAModel) from exc
        self.in_flight = in_flight
        self._outputs = [port.name for port in self._session.get_outputs()]
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="onnxruntime")  # a run uses all threads; see on_openvino
        self._under_way: WeakSet[OnnxruntimeRun] = WeakSet()

    def submit(self, inputs: Arrays) -> "OnnxruntimeRun":
        """Start one run; see Engine."""
        if sum(not run.taken for run in self._under_way) >= self.in_flight:
            raise busy(self.in_flight)
        run = OnnxruntimeRun(self._pool.submit(self._session.run, self._outputs, dict(inputs)), self._outputs)
        self._under_way.add(run)
        return run

    def close(self) -> None:
        """Let go of the device; see Engine."""
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OnnxruntimeRun:
    """One run under way."""

    taken = False

    def __init__(self, future: Future[list[Any]], outputs: list[str]) -> None:
        self._future, self._outputs = future, outputs

    def result(self) -> Arrays:
        """Wait for the run, without the GIL; see Pending."""
        self.taken = True
        try:
            return dict(zip(self._outputs, self._future.result(), strict=True))
        except FOREIGN as exc:
            raise of_onnxruntime(exc, EngineError) from exc


def settle(device: str, precision: Precision) -> tuple[str, Precision]:
    """The device and the precision; see `vidsr.engines.settle`."""
    if gpu_of(device) is not None or device not in ("auto", "cpu"):
        from vidsr.engines import onnxruntime_gpu as gpu
        from vidsr.engines.onnxruntime_providers import CUDA

        try:
            return gpu.settle(device, precision, CUDA)
        except EngineMissing as exc:
            if device != "auto":
                raise
            log.warning("ONNX Runtime computes on the CPU, though a GPU is here: %s", exc)
    if precision not in ("auto", "f32"):
        raise EngineError("ONNX Runtime computes in f32 on a CPU; leave out --precision, or use --engine openvino")
    return "cpu", "f32"


def open_graph(graph: bytes, setup: Setup, *, in_flight: int, threads: int) -> Engine:
    """Open a session; see `open_engine`."""
    if setup.device != "cpu":
        from vidsr.engines import onnxruntime_gpu as gpu
        from vidsr.engines.onnxruntime_providers import CUDA

        return gpu.open_on_gpu(graph, setup, CUDA, in_flight=in_flight)
    return OnnxruntimeEngine(graph, in_flight=in_flight, threads=threads)


def of_onnxruntime(exc: Exception, otherwise: type[VidsrError]) -> VidsrError:
    """What ONNX Runtime raises, as a sentence."""
    return explained("ONNX Runtime", exc, otherwise, lacking=("bad_alloc", "Failed to allocate", "out of memory"))
