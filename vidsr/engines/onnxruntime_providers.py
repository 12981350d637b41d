"""What of ONNX Runtime computes on a GPU, and whether it truly does: its providers."""

import hashlib
import io
import logging
from contextlib import redirect_stdout
from functools import cache
from typing import Any

import onnxruntime

from vidsr.engines import Setup
from vidsr.engines.gpus import number_of
from vidsr.engines.onnxruntime import FOREIGN, of_onnxruntime
from vidsr.engines.tensorrt.plan_file import folder
from vidsr.errors import EngineMissing, NotAModel

log = logging.getLogger(__name__)

CUDA, TENSORRT, CPU = "CUDAExecutionProvider", "TensorrtExecutionProvider", "CPUExecutionProvider"
RECORD = "session.record_ep_graph_assignment_info"
NEEDS = {
    CUDA: "'pip install vidsr[gpu]' in place of vidsr[onnx] brings it with CUDA and cuDNN",
    TENSORRT: "it needs vidsr[gpu] and the libraries of TensorRT 10; or use --engine tensorrt",
}
EXPECTED: tuple[type[Exception], ...] = (*FOREIGN, RuntimeError, ValueError)  # the binding adds two of Python's own
Providers = list[tuple[str, dict[str, str]]]


def providers_for(graph: bytes, setup: Setup, provider: str) -> Providers:
    """What is asked of ONNX Runtime. TensorRT leaves to CUDA what it does not know, which are codes of 16 bits."""
    number, half = str(number_of(setup.device)), setup.precision == "f16"
    cuda = (CUDA, {"device_id": number, "use_tf32": "0"})  # TF32 is as coarse as f16
    if provider == CUDA:
        return [cuda]
    # Its engines are named by the graph's shape alone; ours are kept by all that is in it.
    kept = folder() / "onnxruntime" / hashlib.sha256(graph + setup.precision.encode()).hexdigest()[:16]
    options = {
        "device_id": number,
        "trt_fp16_enable": "1" if half else "0",  # TensorRT 10 computes in f16 only where it is allowed as well
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(kept),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder() / "onnxruntime"),
    }
    return [(TENSORRT, options), cuda]


def session(graph: bytes, providers: Providers) -> Any:
    """Open a session whose first provider is taken. Raises EngineMissing where it is not, and NotAModel."""
    wanted = providers[0][0]
    if wanted not in onnxruntime.get_available_providers():
        raise EngineMissing(f"this ONNX Runtime has no {wanted}; {NEEDS.get(wanted, 'use --device cpu')}")
    onnxruntime.set_default_logger_severity(4)  # what it would print is raised here
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry(RECORD, "1")
    try:
        opened = onnxruntime.InferenceSession(graph, options, providers=providers, enable_fallback=0)
    except EXPECTED as exc:
        if "Please install" in str(exc) or "LoadLibrary" in str(exc):
            raise EngineMissing(f"ONNX Runtime cannot load {wanted}; {NEEDS[wanted]}") from exc
        raise of_onnxruntime(exc, NotAModel) from exc
    if (taken := opened.get_providers()[0]) != wanted:
        raise EngineMissing(f"ONNX Runtime took {taken} in place of {wanted}; {NEEDS.get(wanted, '')}")
    if elsewhere := on_cpu(opened):
        log.warning("ONNX Runtime computes on the CPU, between what %s computes: %s", wanted, ", ".join(elsewhere))
    return opened


def on_cpu(opened: Any) -> list[str]:
    """The operators that a session leaves to the CPU, each kind once; none where it was asked for."""
    if opened.get_providers()[0] == CPU:
        return []
    parts = [part for part in opened.get_provider_graph_assignment_info() if part.ep_name == CPU]
    return sorted({node.op_type for part in parts for node in part.get_nodes()})


@cache
def try_out(provider: str, number: int) -> None:
    """Raise EngineMissing where a provider is there by name alone: it is known only once something was opened on it."""
    from onnx import TensorProto, helper

    if hasattr(onnxruntime, "preload_dlls"):
        with redirect_stdout(io.StringIO()) as said:  # stdout belongs to the picture
            onnxruntime.preload_dlls()
        log.debug("%s", said.getvalue())
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    node = helper.make_node("Add", ["x", "x"], ["y"])
    model = helper.make_model(
        helper.make_graph([node], "trial", ports[:1], ports[1:]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    session(model.SerializeToString(), [(provider, {"device_id": str(number)})])
