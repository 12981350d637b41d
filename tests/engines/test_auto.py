"""`--engine auto`: what is ready, by what is there; probes stand in for GPUs and runtimes."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.engines.test_choice import alone
from tests.engines.test_contract import graph
from tests.notices import Notices
from vidsr import engines
from vidsr.context import Context
from vidsr.engines import Setup, gpus, settle
from vidsr.engines.gpus import Gpu
from vidsr.engines.tensorrt import tensorrt_engine as on_tensorrt
from vidsr.engines.tensorrt.plan_file import EngineHeader, pack
from vidsr.engines.tensorrt.tensorrt_graph import spec_of
from vidsr.errors import EngineError, EngineMissing
from vidsr.options import UpscaleOptions
from vidsr.upscaling.session import best_setup

L4 = Gpu("NVIDIA L4", "8.9", 24 << 30)
TORCH = Setup("torch", "cuda", "f16")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """One GPU."""
    monkeypatch.setattr(gpus, "gpus", lambda: (L4,))


@pytest.fixture
def runtimes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is installed and what it computes on: a setting for each engine, or None where it has no CUDA."""
    found: dict[str, Any] = {"openvino": ("cpu", "f32"), "onnxruntime": None, "torch": None}

    def module(name: str) -> Any:
        def set_up(device: str, precision: str) -> Any:
            if found[name] is None:
                raise EngineError(f"{name} has no {device}")
            return found[name]

        return on_tensorrt if name == "tensorrt" else SimpleNamespace(settle=set_up)

    monkeypatch.setattr(engines, "installed", lambda: list(found))
    monkeypatch.setattr(engines, "_module", module)
    return found


def test_without_a_gpu_the_cpu_computes_as_ever(monkeypatch: pytest.MonkeyPatch, runtimes: dict[str, Any]) -> None:
    monkeypatch.setattr(gpus, "gpus", lambda: ())
    runtimes["torch"] = ("cuda", "f16")
    assert settle() == Setup("openvino", "cpu", "f32")


@pytest.mark.usefixtures("gpu")
def test_on_a_gpu_the_first_that_computes_there_is_taken(runtimes: dict[str, Any]) -> None:
    assert settle().engine == "openvino"
    runtimes["onnxruntime"] = ("cuda", "f16")
    assert settle() == Setup("onnxruntime", "cuda", "f16")
    runtimes["torch"] = ("cuda", "f16")
    assert settle() == TORCH
    assert settle(device="cpu").engine == "openvino"
    assert settle(engine="onnxruntime").engine == "onnxruntime"


def test_on_a_cpu_no_other_runtime_is_imported_for_it() -> None:
    if gpus.gpus():
        pytest.skip("there is a GPU here")
    alone(
        "import sys; from vidsr.engines import settle; assert settle().engine == 'openvino'; "
        "assert not {'torch', 'onnxruntime', 'tensorrt', 'cuda'} & set(sys.modules)"
    )


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, runtimes: dict[str, Any], tmp_path: Path) -> EngineHeader:
    """TensorRT, and an engine for `graph()` on the GPU that is here."""
    runtimes["tensorrt"] = ("cuda", "f16")
    monkeypatch.setattr(gpus, "gpus", lambda: (L4,))
    monkeypatch.setattr(on_tensorrt, "gpu_of", lambda _: L4)
    monkeypatch.setattr(on_tensorrt, "tensorrt", lambda: SimpleNamespace(__version__="11.4.0"))
    monkeypatch.setenv("VIDSR_ENGINES", str(tmp_path))
    spec = spec_of(graph(), "f16")
    shapes = {name: [list(shape)] * 3 for name, shape in spec.shapes.items()}
    header = EngineHeader("mine", spec.graph, "f16", shapes, L4.name, L4.compute, "11.4.0", spec.command)
    keep(tmp_path, header)
    return header


def keep(folder: Path, header: EngineHeader) -> None:
    (folder / header.file_name()).write_bytes(pack(header, b"plan"))


def chosen(said: Notices, setup: Setup = TORCH, *, asked: str = "auto", stateless: bool = False) -> Setup:
    return best_setup(lambda _: graph(), setup, UpscaleOptions(engine=asked, stateless=stateless), Context(said))


def test_an_engine_that_fits_is_taken_and_it_is_said(built: EngineHeader) -> None:
    said = Notices()
    assert chosen(said) == Setup("tensorrt", "cuda", "f16")
    assert said.messages == [f"TensorRT computes in f16, by {built.file_name()}"]


def test_where_none_is_built_it_is_said_what_computes_and_what_builds_one(built: EngineHeader, tmp_path: Path) -> None:
    (tmp_path / built.file_name()).unlink()
    said = Notices()
    assert chosen(said) == TORCH
    (sentence,) = said.messages
    assert sentence.startswith("torch computes on the GPU in f16; no TensorRT engine was built for this network")
    assert f"'{built.command}' builds one" in sentence


def test_one_for_another_gpu_is_left_and_it_is_said_why(built: EngineHeader, tmp_path: Path) -> None:
    (tmp_path / built.file_name()).unlink()
    keep(tmp_path, replace(built, gpu="NVIDIA H200", compute="9.0"))
    said = Notices()
    assert chosen(said) == TORCH
    assert "was built for NVIDIA H200 (compute capability 9.0)" in said.messages[0]
    assert said.messages[0].endswith(f"rebuild it: {built.command}")


@pytest.mark.usefixtures("built")
def test_what_was_asked_for_is_taken_without_a_word() -> None:
    said = Notices()
    assert chosen(said, asked="torch") == TORCH
    cpu = Setup("openvino", "cpu", "bf16")
    assert chosen(said, cpu) == cpu
    assert not said


@pytest.mark.usefixtures("built")
def test_a_run_that_must_be_repeatable_looks_for_no_engine() -> None:
    said = Notices()
    assert chosen(said, stateless=True) == TORCH
    assert said.messages == ["torch computes on the GPU in f16"]


def test_without_tensorrt_nothing_is_said_of_it(runtimes: dict[str, Any]) -> None:
    said = Notices()
    assert chosen(said) == TORCH
    assert said.messages == ["torch computes on the GPU in f16"]


@pytest.mark.usefixtures("gpu")
def test_tensorrt_without_a_fitting_engine_says_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(on_tensorrt, "tensorrt", lambda: SimpleNamespace(__version__="11.4.0"))
    monkeypatch.setattr(on_tensorrt, "gpu_of", lambda _: L4)
    monkeypatch.setenv("VIDSR_ENGINES", str(tmp_path))
    with pytest.raises(EngineMissing, match=r"40x24 in f32 on NVIDIA L4.*; '.* 40x24 --precision f32' builds one"):
        on_tensorrt.open_graph(graph(), Setup("tensorrt", "cuda", "f32"), in_flight=1, threads=0)


def test_tensorrt_takes_no_cpu_and_no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_tensorrt, "gpu_of", lambda device: None if device in ("cpu", "cuda:1") else L4)
    assert on_tensorrt.settle("auto", "auto") == ("cuda", "f16")
    assert on_tensorrt.settle("cuda", "f32") == ("cuda", "f32")
    with pytest.raises(EngineError, match="needs an NVIDIA GPU, and cuda:1 does not exist"):
        on_tensorrt.settle("cuda:1", "auto")
    with pytest.raises(EngineError, match="computes in f16 or f32 here"):
        on_tensorrt.settle("cuda", "bf16")


def test_what_is_missing_of_tensorrt_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(EngineMissing, match=r"TensorRT cannot be used here .*'pip install vidsr\[trt\]' installs it"):
        on_tensorrt.tensorrt()
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    monkeypatch.delitem(sys.modules, "vidsr.engines.tensorrt.cuda", raising=False)
    with pytest.raises(EngineMissing, match=r"TensorRT cannot be used here"):
        on_tensorrt.use_gpu("cuda")
