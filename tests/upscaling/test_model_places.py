"""A model's weights may lie in files beside it, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from tests.networks import network
from vidsr.errors import NotAModel
from vidsr.upscaling.model_file import read_graph as load

SIZE = 1 << 16


def model_with(folder: Path, place: str, *, hidden: bool = False, **entries: str) -> Path:
    """A model whose first weights lie elsewhere; hidden: in a function of the model's own."""
    model = network()
    tensor = model.graph.initializer[0]
    entries = {"location": place, "length": str(len(tensor.raw_data)), **entries}
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    if hidden:
        constant = helper.make_node("Constant", [], ["o"], value=tensor)
        model.functions.append(helper.make_function("own", "F", [], ["o"], [constant], [helper.make_opsetid("", 17)]))
        model.graph.node.insert(0, helper.make_node("F", [], [tensor.name], domain="own"))
        model.opset_import.append(helper.make_opsetid("own", 1))
        model.graph.initializer.remove(tensor)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with weights in it, and with ways out of it."""
    folder = tmp_path / "models"
    (folder / "sub").mkdir(parents=True)
    for file in (tmp_path / "secret.bin", folder / "weights.bin", folder / "sub" / "weights.bin"):
        file.write_bytes(bytes(SIZE))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "way").symlink_to(tmp_path)
    return folder


@pytest.mark.parametrize("place", ["weights.bin", "sub/weights.bin"])
def test_weights_beside_the_model_are_read(folder: Path, place: str) -> None:
    tensor = load(model_with(folder, place)).graph.initializer[0]
    assert tensor.data_location == TensorProto.DEFAULT and not any(tensor.raw_data)


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize(
    "place",
    [
        "../secret.bin", "sub/../../secret.bin", "link.bin", "way/secret.bin", "..", "", "/dev/zero",
        lambda folder: str(folder.parent / "secret.bin"),
        lambda folder: str(folder / "weights.bin"),
    ],
)  # fmt: skip
def test_weights_elsewhere_are_refused_and_never_opened(
    folder: Path, place: str | Callable[[Path], str], hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    name = place if isinstance(place, str) else place(folder)
    with pytest.raises(NotAModel, match="another file"):
        load(model_with(folder, name, hidden=hidden))


@pytest.mark.parametrize(
    "entries", [{"length": str(10**12)}, {"offset": str(10**12)}, {"offset": "-5"}, {"length": "x"}]
)
def test_a_piece_that_the_file_does_not_have_is_told(folder: Path, entries: dict[str, str]) -> None:
    with pytest.raises(NotAModel, match="keeps its weights in another file, which cannot be read"):
        load(model_with(folder, "weights.bin", **entries))


def test_a_file_that_is_gone_is_told(folder: Path) -> None:
    (folder / "weights.bin").unlink()
    with pytest.raises(NotAModel, match="which cannot be read"):
        load(model_with(folder, "weights.bin"))
