"""Engine files: what a header says comes back, and what is damaged or belongs elsewhere is refused in a sentence."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto

from tests.engines.test_contract import graph
from vidsr.card import ModelCard
from vidsr.engines.gpus import Gpu
from vidsr.engines.graph_format import Port
from vidsr.engines.tensorrt import plan_file as plans
from vidsr.engines.tensorrt.plan_file import (
    EngineHeader,
    EngineSpec,
    check_fits,
    find,
    identity,
    pack,
    read_engine,
    read_header,
)
from vidsr.errors import CardMismatch, EngineMissing, NotAModel

SHAPE = [1, 1, 270, 480]
COMMAND = "vidsr export live-x4 --trt --size 480x270"
HEADER = EngineHeader(
    model="live-x4",
    graph="ab12" * 16,
    precision="f16",
    inputs={"quantiser": [[1, 1, 1, 1]] * 3, "in.y": [SHAPE, SHAPE, SHAPE]},
    gpu="NVIDIA L4",
    compute="8.9",
    tensorrt="11.4.0",
    command=COMMAND,
    card=ModelCard("live-x4", 4, 1, 6).to_json(),
    bits=8,
    color="bt601-full",
    built="2026-11-23T04:00:00",
)
L4 = Gpu("NVIDIA L4", "8.9", 24 << 30)
PLAN = bytes(range(256)) * 8
SHAPES = {"quantiser": (1, 1, 1, 1), "in.y": (1, 1, 270, 480)}
INPUTS = tuple(Port(name, shape, TensorProto.UINT8) for name, shape in SHAPES.items())
SPEC = EngineSpec(HEADER.graph, "f16", COMMAND, INPUTS, ())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDSR_ENGINES", str(tmp_path))
    return tmp_path


def kept(folder: Path, header: EngineHeader = HEADER) -> Path:
    path = folder / header.file_name()
    path.write_bytes(pack(header, PLAN))
    return path


def test_what_was_written_is_read(folder: Path) -> None:
    path = kept(folder)
    header, plan = read_engine(path)
    assert replace(header, plan="") == HEADER
    assert ModelCard.from_json(header.card, where="header").scale == 4
    assert bytes(plan) == PLAN
    assert read_header(path) == header


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
sides = st.lists(st.integers(1, 1 << 20), min_size=4, max_size=4)
headers = st.builds(
    EngineHeader,
    **dict.fromkeys(
        ("model", "graph", "precision", "gpu", "compute", "tensorrt", "command", "card", "color", "built"), text
    ),
    bits=st.sampled_from([8, 10]),
    inputs=st.dictionaries(text, st.tuples(sides, sides, sides).map(list), min_size=1, max_size=3),
)


@given(headers, st.binary(max_size=200))
def test_any_header_and_plan_come_back(
    tmp_path_factory: pytest.TempPathFactory, header: EngineHeader, plan: bytes
) -> None:
    path = tmp_path_factory.mktemp("engine") / "any.engine"
    path.write_bytes(pack(header, plan))
    found, content = read_engine(path)
    assert (replace(found, plan=""), bytes(content)) == (header, plan)


@given(st.integers(0, len(pack(HEADER, PLAN)) - 1), st.integers(1, 255))
def test_a_file_with_any_byte_changed_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    content = bytearray(pack(HEADER, PLAN))
    content[place] ^= change
    path = tmp_path_factory.mktemp("engine") / "changed.engine"
    path.write_bytes(content)
    with pytest.raises(NotAModel, match=r"is damaged|is not an engine file"):
        read_engine(path)


@given(st.integers(0, len(pack(HEADER, PLAN)) - 1))
def test_a_file_that_ends_too_soon_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.mktemp("engine") / "short.engine"
    path.write_bytes(pack(HEADER, PLAN)[:length])
    with pytest.raises(NotAModel, match=r"is damaged|is not an engine file"):
        read_engine(path)


@pytest.mark.parametrize(
    "values", [b"[]", b"{}", b'{"model": 1}', b"\xff", b'{"inputs": {"a": [1, 2, 3]}}', b"[" * 9999, b""]
)
def test_a_header_that_is_whole_but_says_nothing_is_refused(folder: Path, values: bytes) -> None:
    path = folder / "odd.engine"
    path.write_bytes(plans.START.pack(plans.MAGIC, len(values), sha256(values).digest()) + values)
    with pytest.raises(NotAModel, match=r"is damaged .*export MODEL --trt' builds it again"):
        read_engine(path)


def test_a_damaged_plan_says_the_command_that_builds_it_again(folder: Path) -> None:
    path = kept(folder)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(NotAModel, match=f"is damaged: the checksum of its plan .* rebuild it: {COMMAND}"):
        read_engine(path)


@pytest.mark.parametrize(
    ("gpu", "tensorrt"),
    [
        (Gpu("NVIDIA H200", "9.0", 0), "11.4.0"),
        (Gpu("NVIDIA RTX 4090", "8.9", 0), "11.4.0"),
        (Gpu("NVIDIA L4", "9.0", 0), "11.4.0"),
        (L4, "10.16.1"),
    ],
)
def test_another_gpu_or_version_is_refused_with_what_it_was_built_for_and_what_is_here(
    folder: Path, gpu: Gpu, tensorrt: str
) -> None:
    kept(folder)
    with pytest.raises(CardMismatch) as caught:
        find(SPEC, gpu, tensorrt)
    said = str(caught.value)
    assert "was built for NVIDIA L4 (compute capability 8.9) and TensorRT 11.4.0; this machine has" in said
    assert said.endswith(f"{gpu} and TensorRT {tensorrt}; rebuild it: {COMMAND}")
    check_fits(Path("a.engine"), HEADER, L4, "11.4.0")


def test_the_one_that_fits_is_found_among_others(folder: Path) -> None:
    for other in (
        replace(HEADER, gpu="NVIDIA H200", compute="9.0"),
        replace(HEADER, tensorrt="10.16.1"),
        replace(HEADER, precision="f32"),
        replace(HEADER, inputs={**HEADER.inputs, "in.y": [[1, 1, 540, 960]] * 3}),
        replace(HEADER, graph=HEADER.graph[:8] + "0" * 56),
    ):
        kept(folder, other)
    with pytest.raises(CardMismatch, match="was built for"):
        find(SPEC, L4, "11.4.0")
    path = kept(folder)
    assert find(SPEC, L4, "11.4.0") == path
    (folder / f"broken-{HEADER.graph[:8]}.engine").write_bytes(b"VIDSRTRT")
    assert find(SPEC, L4, "11.4.0") == path


def test_one_that_cannot_be_read_is_said_and_another_taken(folder: Path) -> None:
    (folder / f"a-{HEADER.graph[:8]}.engine").mkdir()
    with pytest.raises(NotAModel, match=f"cannot be read: .*; '{COMMAND}' builds it again"):
        find(SPEC, L4, "11.4.0")
    path = kept(folder)
    assert find(SPEC, L4, "11.4.0") == path


def test_where_none_is_built_the_command_that_builds_one_is_said(folder: Path) -> None:
    kept(folder, replace(HEADER, precision="f32"))
    with pytest.raises(
        EngineMissing, match=rf"no TensorRT engine .* 480x270 in f16 on NVIDIA L4 .*; '{COMMAND}' builds one"
    ):
        find(SPEC, L4, "11.4.0")


def test_an_engine_of_many_sizes_takes_those_between_its_ends() -> None:
    header = replace(HEADER, inputs={"in.y": [[1, 1, 180, 320], [1, 1, 270, 480], [1, 1, 540, 960]]})
    assert header.takes({"in.y": (1, 1, 180, 320)}) and header.takes({"in.y": (1, 1, 540, 960)})
    assert not header.takes({"in.y": (1, 1, 178, 320)})
    assert not header.takes({"in.y": (1, 1, 180, 962)})
    assert not header.takes({"in.y": (1, 270, 480)})
    assert not header.takes({"in.y": (1, 1, 270, 480), "in.u": (1, 1, 135, 240)})


def test_an_identity_is_the_networks_and_the_edges_but_not_the_size() -> None:
    assert identity(graph()) == identity(graph(height=48, width=64))
    assert identity(graph()) != identity(graph(seed=1))
    assert identity(graph()) != identity(graph(qp=0.5))


def test_a_file_name_says_what_it_is_for() -> None:
    assert HEADER.file_name() == "live-x4-480x270-f16-NVIDIA-L4-trt11.4.0-ab12ab12.engine"
    many = replace(HEADER, inputs={"in.y": [[1, 1, 180, 320], SHAPE, [1, 1, 540, 960]]}, model="my/own model")
    assert many.file_name().startswith("my-own-model-320x180-960x540-f16")


def test_engines_are_kept_where_it_is_said_or_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VIDSR_ENGINES", str(tmp_path / "mine"))
    assert plans.folder() == tmp_path / "mine"
    monkeypatch.delenv("VIDSR_ENGINES")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert plans.folder() == tmp_path / "vidsr" / "engines"
