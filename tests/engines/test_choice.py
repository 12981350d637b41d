"""Which engine a name resolves to, and that no engine uses the network."""

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from tests.engines.test_contract import IN, graph, picture
from vidsr import engines
from vidsr.engines import Precision, Runtime, Setup, choose, open_engine, settle
from vidsr.engines.openvino import _shareable, other_devices
from vidsr.errors import EngineError, EngineMissing


def test_openvino_is_the_default() -> None:
    assert choose("auto") == "openvino"


def test_an_engine_that_is_not_installed_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        engines.ENGINES, "onnxruntime", Runtime("nowhere", "no_such_runtime", "pip install vidsr[onnx]")
    )
    with pytest.raises(EngineMissing, match=r"onnxruntime is not installed; 'pip install vidsr\[onnx\]' installs it"):
        open_engine(b"", engine="onnxruntime")


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EngineMissing, match="unknown engine 'cuda'; expected one of auto, openvino, onnxruntime"):
        choose("cuda")


def test_an_unknown_precision_is_refused_with_the_known_ones() -> None:
    with pytest.raises(EngineError, match="unknown precision 'f8'; expected one of auto, f32, bf16, f16"):
        open_engine(graph(), precision="f8")  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["gpu:", "npu:1", "cuda:", "CUDA"])
def test_an_unknown_device_is_refused_with_the_known_ones(device: str) -> None:
    with pytest.raises(EngineError, match=f"unknown device '{device}'; expected auto, cpu, cuda or cuda:N"):
        open_engine(graph(), device=device)


def test_a_setup_contains_no_auto() -> None:
    assert settle(engine="openvino", precision="f32") == Setup("openvino", "cpu", "f32")
    assert "auto" not in (settled := settle()).precision and settled == settle(device="cpu")


@pytest.mark.parametrize("device", ["cuda", "gpu", "gpu:1", "npu"])
def test_openvino_refuses_a_device_that_is_not_here(device: str) -> None:
    if device in other_devices():
        pytest.skip(f"this machine has {device}")
    with pytest.raises(EngineError, match=f"OpenVINO finds no {device} here; expected one of cpu"):
        open_engine(graph(), engine="openvino", device=device)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_only_openvino_computes_on_devices_of_intel(engine: str) -> None:
    pytest.importorskip(engine)
    for device in ("gpu", "gpu:1", "npu"):
        with pytest.raises(EngineError, match=f"does not compute on {device} here; use --engine openvino"):
            settle(engine=engine, device=device)


class Core:
    """OpenVINO's core on a machine with two GPUs and an NPU, as its documentation describes it."""

    available_devices = ("CPU", "GPU.0", "GPU.1", "NPU")

    def get_property(self, name: str, key: str) -> list[str]:
        assert key == "OPTIMIZATION_CAPABILITIES"
        return {"CPU": ["FP32", "INT8"], "NPU": ["FP16", "INT8"]}.get(name, ["FP32", "FP16", "INT8", "BIN"])


def test_devices_of_intel_are_named_and_compute_in_f16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidsr.engines.openvino._core", Core)
    assert other_devices() == ["gpu", "gpu:0", "gpu:1", "npu"]
    assert settle(engine="openvino") == Setup("openvino", "cpu", "f32")  # others only on request: not measured yet
    for device in other_devices():
        assert settle(device=device) == Setup("openvino", device, "f16")
    assert settle(device="gpu:1", precision="f32") == Setup("openvino", "gpu:1", "f32")
    with pytest.raises(EngineError, match="this NPU does not compute in f32; use --precision auto"):
        settle(device="npu", precision="f32")
    monkeypatch.setattr(Core, "available_devices", ("CPU", "GPU"))
    assert other_devices() == ["gpu", "gpu:0"]
    with pytest.raises(EngineError, match="OpenVINO finds no gpu:1 here; expected one of cpu, gpu, gpu:0"):
        settle(device="gpu:1")


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_onnxruntime_has_f32_alone_on_a_cpu(precision: Precision) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(EngineError, match="ONNX Runtime computes in f32"):
        open_engine(graph(), engine="onnxruntime", precision=precision)


def test_precision_auto_is_what_the_cpu_has() -> None:
    native = native_of_openvino()
    results = {}
    for precision in ("auto", "f32", *native):
        with open_engine(graph(residual=1), engine="openvino", precision=precision) as engine:
            results[precision] = next(iter(engine.submit({IN: picture()}).result().values())).astype(int)
    np.testing.assert_array_equal(results["auto"], results["bf16" if "bf16" in native else "f32"])
    for precision in native:  # coarser, and computed so in truth
        assert 0 < np.abs(results[precision] - results["f32"]).max() <= 8


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_a_precision_that_the_cpu_lacks_is_refused(precision: Precision) -> None:
    if precision in native_of_openvino():
        pytest.skip(f"this CPU computes in {precision}")
    with pytest.raises(EngineError, match=f"does not compute in {precision}; use --precision auto"):
        open_engine(graph(), engine="openvino", precision=precision)


def native_of_openvino() -> list[Precision]:
    """The precisions below f32 that OpenVINO says this CPU computes in."""
    open_engine(graph(), engine="openvino").close()  # which keeps telemetry out before OpenVINO is imported
    from openvino import Core

    named = Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    kinds: list[tuple[Precision, str]] = [("bf16", "BF16"), ("f16", "FP16")]
    return [precision for precision, name in kinds if name in named]


def test_a_plane_that_can_be_shared_is_not_copied() -> None:
    plane = np.zeros((4, 8), np.uint8)
    assert _shareable(plane) is plane
    assert _shareable(plane[:, :4]) is not plane


def test_a_runtime_is_imported_only_when_asked_for() -> None:
    alone("import vidsr.engines, sys; assert not {'openvino', 'onnxruntime'} & set(sys.modules)")


def test_openvino_sends_nothing() -> None:
    alone(
        """
        import socket, sys
        def call(*args, **kwargs):
            raise AssertionError("somebody phoned")
        socket.socket.connect = socket.create_connection = socket.getaddrinfo = call
        from tests.engines.test_contract import IN, graph, picture
        from vidsr.engines import open_engine
        with open_engine(graph()) as engine:
            engine.submit({IN: picture()}).result()
        import openvino
        assert sys.modules["openvino_telemetry"] is None
        assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
        from openvino.tools.ovc import telemetry_utils
        assert "stub" in telemetry_utils.tm.__name__
        """
    )


def test_two_threads_open_engines_at_once() -> None:
    def open_many() -> None:
        for _ in range(5):
            open_engine(graph(), engine="openvino").close()

    threads = [threading.Thread(target=open_many, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def alone(script: str) -> None:
    """Run a script in a new Python, where nothing is imported yet."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
