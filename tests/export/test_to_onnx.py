import json

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="exporting needs vidsr[train]")

from vidsr import nets
from vidsr.card import QP_NAME, ModelCard, read_card
from vidsr.errors import CardMismatch, NotAModel, ParityFailed
from vidsr.export import to_onnx
from vidsr.export.to_onnx import check_parity, export
from vidsr.nets.reparam import fold
from vidsr.runs import Run, write_weights

SPEC = {"kind": "compact", "scale": 2, "width": 8, "depth": 2, "head_size": 5}


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    return written(tmp_path, nets.build(SPEC), SPEC)


def written(folder, net, spec):
    path = folder / "w.safetensors"
    arrays = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    card = ModelCard(name="mine", scale=spec["scale"], channels=1, receptive_field=0, qp=True)
    write_weights(path, arrays, card, json.dumps({"net": spec}))
    return path


def test_the_file_has_one_input_and_one_output_of_any_size(weights, tmp_path):
    path = export(weights, tmp_path / "mine.onnx")
    graph = onnx.load(path).graph
    assert [port.name for port in graph.input] == ["luma"]
    assert len(graph.output) == 1
    dims = graph.input[0].type.tensor_type.shape.dim
    assert [dim.dim_value or dim.dim_param for dim in dims] == ["n", 1, "height", "width"]
    assert QP_NAME in [tensor.name for tensor in graph.initializer]


def test_the_repeated_input_is_concatenated_directly_so_that_edges_can_replace_it(weights, tmp_path):
    graph = onnx.load(export(weights, tmp_path / "mine.onnx")).graph
    (repeat,) = [node for node in graph.node if node.op_type == "Concat"]
    assert set(repeat.input) == {"luma"}


def test_weights_of_stage_int8_go_beside_the_model_with_8_bits_a_weight(weights, tmp_path):
    plain = export(weights, tmp_path / "mine.onnx", licence="CC0")
    spec = SPEC | {"int8": True}
    net = nets.build(spec)
    net(torch.rand(1, 1, 16, 16))  # gives the activations a range
    path = export(written(tmp_path, net, spec), tmp_path / "mine.onnx")
    assert path == tmp_path / "mine.int8.onnx"
    assert read_card(path).licence == read_card(plain).licence == "CC0"
    graph = onnx.load(path).graph
    kernels = [
        tensor for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(kernels) == 3
    assert path.stat().st_size < plain.stat().st_size


def test_a_run_gives_both_files(weights, tmp_path):
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    weights.rename(run.weights)
    spec = SPEC | {"int8": True}
    net = nets.build(spec)
    net(torch.rand(1, 1, 16, 16))
    written(tmp_path, net, spec).rename(run.int8)
    assert export(run.folder, tmp_path / "mine.onnx") == tmp_path / "mine.onnx"
    assert {file.name for file in tmp_path.glob("*.onnx")} == {"mine.onnx", "mine.int8.onnx"}


def test_a_mixture_with_a_gan_is_asked_for_beside_int8_too(weights, tmp_path):
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    weights.rename(run.weights)
    spec = SPEC | {"int8": True}
    written(tmp_path, nets.build(spec), spec).rename(run.int8)
    with pytest.raises(CardMismatch, match="not a run with a stage gan"):
        export(run.folder, tmp_path / "mine.onnx", fidelity=0.5)


def test_weights_that_do_not_fit_are_named(tmp_path):
    path = written(tmp_path, nets.build(SPEC), SPEC | {"depth": 3})
    with pytest.raises(CardMismatch, match=str(path)):
        export(path, tmp_path / "mine.onnx")


def test_the_card_says_what_was_measured(weights, tmp_path):
    card = read_card(export(weights, tmp_path / "mine.onnx", name="better", licence="CC0"))
    assert (card.name, card.licence, card.receptive_field) == ("better", "CC0", 2 + 2 + 1)
    assert card.macs == 25 * 8 + 2 * 9 * 64 + 9 * 8 * 4
    assert card.parameters > 0


def test_a_network_of_columns_uses_plain_operators_of_any_size(tmp_path):
    spec = SPEC | {"columns": 2, "width": 16}
    path = export(written(tmp_path, nets.build(spec), spec), tmp_path / "mine.onnx")
    card, graph = read_card(path), onnx.load(path).graph
    assert (card.step, card.receptive_field) == (2, 2 * (2 + 2 + 1) + 1)
    assert [node.op_type for node in graph.node].count("Reshape") == 2
    assert not {"Shape", "Gather", "Unsqueeze"} & {node.op_type for node in graph.node}


def test_by_default_it_goes_to_the_export_folder(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(export(weights)) == "export/mine.onnx"
    assert (tmp_path / "export" / "mine.onnx").exists()


def test_a_file_that_computes_something_else_is_not_written(weights, tmp_path, monkeypatch):
    truly = to_onnx.to_onnx

    def damaged(net, card):
        model = truly(net, card)
        tail = next(t for t in model.graph.initializer if t.name == "tail.bias")
        tail.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tail) + np.float32(0.01), tail.name))
        return model

    monkeypatch.setattr(to_onnx, "to_onnx", damaged)
    with pytest.raises(ParityFailed, match=r"differs from PyTorch by 0\.01"):
        export(weights, tmp_path / "mine.onnx")
    assert not (tmp_path / "mine.onnx").exists()


@pytest.mark.parametrize("spec", [SPEC, {**SPEC, "scale": 3, "qp": False}])
def test_file_and_network_agree_on_odd_sizes_to_a_rounding(spec):
    torch.manual_seed(1)
    net = fold(nets.build(spec)).eval()
    card = ModelCard("a", spec["scale"], 1, 5, qp=spec.get("qp", True))
    assert check_parity(to_onnx.to_onnx(net, card), net, card) < 1e-5


def test_weights_from_before_columns_replaced_unshuffle_can_be_read(tmp_path):
    old = SPEC | {"unshuffle": 1, "residual": False}
    net = nets.build(SPEC)
    plain, again = (export(written(tmp_path, net, spec), tmp_path / "a.onnx").read_bytes() for spec in (SPEC, old))
    assert plain == again
    for gone in (old | {"unshuffle": 2}, old | {"width": 32}):  # the second learnt undamped
        built = nets.build({key: value for key, value in gone.items() if key != "unshuffle"})
        with pytest.raises(CardMismatch, match="do not fit the network"):
            export(written(tmp_path, built, gone), tmp_path / "b.onnx")


def test_weights_of_another_network_are_refused(tmp_path):
    path = written(tmp_path, nets.build(SPEC), {**SPEC, "depth": 3})
    with pytest.raises(CardMismatch, match="do not fit the network"):
        export(path, tmp_path / "mine.onnx")
    with pytest.raises(NotAModel, match="is not a safetensors file"):
        (tmp_path / "text.safetensors").write_text("no")
        export(tmp_path / "text.safetensors")
