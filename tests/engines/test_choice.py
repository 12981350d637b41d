"""Which engine a name stands for, and that none of them phones home."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from tests.engines.test_contract import IN, graph, picture
from vidsr import engines
from vidsr.engines import choose, open_engine, shareable
from vidsr.errors import EngineError, EngineMissing


def test_openvino_is_the_default() -> None:
    assert choose("auto") == "openvino"


def test_an_engine_that_is_not_installed_says_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engines.ENGINES, "onnxruntime", ("nowhere", "no_such_runtime", "pip install vidsr[onnx]"))
    with pytest.raises(EngineMissing, match=r"onnxruntime is not installed; 'pip install vidsr\[onnx\]' installs it"):
        open_engine(b"", engine="onnxruntime")


def test_an_engine_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(EngineMissing, match="no engine 'cuda'; choose one of auto, openvino, onnxruntime"):
        choose("cuda")


def test_a_precision_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(EngineError, match="no precision 'f8'; choose one of auto, f32, bf16"):
        open_engine(graph(), precision="f8")  # type: ignore[arg-type]


def test_onnxruntime_has_no_bf16_on_a_cpu() -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(EngineError, match="ONNX Runtime computes in f32"):
        open_engine(graph(), engine="onnxruntime", precision="bf16")


def test_precision_auto_is_what_the_cpu_has() -> None:
    open_engine(graph()).close()  # which keeps telemetry out before OpenVINO is imported
    from openvino import Core

    native = "BF16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    results = {}
    for precision in ("auto", "f32", *(["bf16"] if native else [])):
        with open_engine(graph(residual=1), precision=precision) as engine:
            results[precision] = next(iter(engine.submit({IN: picture()}).result().values())).copy()
    np.testing.assert_array_equal(results["auto"], results["bf16" if native else "f32"])
    if not native:
        with pytest.raises(EngineError, match="does not compute in bf16"):
            open_engine(graph(), precision="bf16")


def test_a_plane_that_can_be_shared_is_not_copied() -> None:
    plane = np.zeros((4, 8), np.uint8)
    assert shareable(plane) is plane
    assert shareable(plane[:, :4]) is not plane


def test_a_runtime_is_imported_only_when_asked_for() -> None:
    alone("import vidsr.engines, sys; assert not {'openvino', 'onnxruntime'} & set(sys.modules)")


def test_openvino_phones_nobody() -> None:
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


def alone(script: str) -> None:
    """Run a script in a Python of its own, where nothing is imported yet."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
