"""Building of TensorRT plans from strongly typed graphs, with a timing cache on disk."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vidsr.engines.tensorrt.plan_file import folder, slug
from vidsr.engines.tensorrt.tensorrt_engine import logger, tensorrt, use_gpu
from vidsr.errors import DiskFull, EngineError
from vidsr.io.atomic import write_atomically

Progress = Callable[[str, int, int], None]
Warn = Callable[[str], None]
Limits = Mapping[str, list[list[int]]]

OPTIMIZATION_LEVEL = 5  # of 5: slow to build, but an engine is built once and runs on many frames
DIGEST = 32  # bytes of SHA-256 before a timing cache


def build(graph: bytes, limits: Limits, *, gpu: str, device: str, progress: Progress, warn: Warn) -> bytes:
    """Build a plan for a GPU.

    graph: ONNX, by `for_tensorrt`. limits: minimum, optimum and maximum shape of each input as a caller gives it.
    gpu: its name, for the timing cache. Raises EngineError with TensorRT's reason.
    """
    trt = tensorrt()
    stopped = threading.Event()
    timings = folder() / f"timings-{slug(gpu)}-trt{trt.__version__}.cache"

    def work() -> bytes:
        use_gpu(device)
        builder = trt.Builder(logger())
        # TensorRT 11 has only strongly typed networks and ignores the flag.
        network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
        parser = trt.OnnxParser(network, logger())
        if not parser.parse(graph):
            reasons = "; ".join(str(parser.get_error(index)) for index in range(parser.num_errors))
            raise EngineError(f"TensorRT cannot read the network: {reasons[-300:]}")
        config = builder.create_builder_config()
        config.builder_optimization_level = OPTIMIZATION_LEVEL
        config.progress_monitor = monitor = _monitor(trt, progress, stopped)
        config.clear_flag(trt.BuilderFlag.TF32)  # f32 is used where f16 is too coarse, and TF32 is as coarse as f16
        _add_profile(builder, network, config, limits)
        cache = config.create_timing_cache(read_timings(timings, warn))
        if not config.set_timing_cache(cache, ignore_mismatch=False):  # of another driver, for example
            config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)
        plan = builder.build_serialized_network(network, config)
        if plan is None:
            raise EngineError(f"TensorRT cannot build the engine: {logger().last}")
        keep_timings(timings, bytes(config.get_timing_cache().serialize()), warn)
        del monitor  # it has to outlive the build
        return bytes(plan)

    # In a thread, so that the main thread can handle signals; the build then stops at its next step.
    pool = ThreadPoolExecutor(1, thread_name_prefix="tensorrt")
    try:
        return pool.submit(work).result()
    except BaseException:
        stopped.set()
        raise
    finally:
        pool.shutdown(wait=False)


def read_timings(path: Path, warn: Warn) -> bytes:
    """Return the timings of earlier builds on this GPU; empty if there are none. A damaged file is deleted."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    timings = content[DIGEST:]
    if hashlib.sha256(timings).digest() == content[:DIGEST]:
        return timings
    path.unlink(missing_ok=True)
    warn(f"the timing cache {path} is damaged and was deleted, so this build takes longer")
    return b""


def keep_timings(path: Path, timings: bytes, warn: Warn) -> None:
    """Write the timings with their checksum; only warn if the disk is full."""
    try:
        write_atomically(path, hashlib.sha256(timings).digest() + timings)
    except DiskFull as exc:
        warn(f"{exc}; the next build takes as long as this one")


def _add_profile(builder: Any, network: Any, config: Any, limits: Limits) -> None:
    """Add the limits of inputs whose size varies to the builder's configuration."""
    profile = builder.create_optimization_profile()
    varies = False
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if -1 in tuple(tensor.shape):
            varies = True
            bytes_of = [2] * (
                len(tensor.shape) - len(limits[tensor.name][0])
            )  # 16-bit codes are given as pairs of bytes
            profile.set_shape(tensor.name, *([*shape, *bytes_of] for shape in limits[tensor.name]))
    if varies:
        config.add_optimization_profile(profile)


def _monitor(trt: Any, progress: Progress, stopped: threading.Event) -> Any:
    """Return a progress monitor that calls `progress` and stops the build when `stopped` is set."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._steps: dict[str, int] = {}

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            self._steps[phase_name] = num_steps
            progress(phase_name, 0, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            progress(phase_name, step + 1, max(self._steps.get(phase_name, 0), step + 1))
            return not stopped.is_set()

        def phase_finish(self, phase_name: str) -> None:
            steps = self._steps.pop(phase_name, 0)
            progress(phase_name, steps, steps)

    return Monitor()
