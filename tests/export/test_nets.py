"""Every kind of network that a recipe can name becomes a plain file."""

import json

import onnx
import pytest

torch = pytest.importorskip("torch", reason="exporting needs vidsr[train]")

from vidsr import nets
from vidsr.card import ModelCard, read_card
from vidsr.export.to_onnx import export
from vidsr.runs import write_weights

SPECS = [  # each with its reach: of srresnet 4 + 2 * blocks + 1, then up the scale 1 + 1/2 + 1, or 1 + 4/3, rounded up
    ({"kind": "compact", "scale": 2, "channels": 3, "width": 32, "depth": 4, "residual": True, "qp": False}, 6),
    ({"kind": "srresnet", "scale": 4, "width": 8, "blocks": 2}, 12),
    ({"kind": "srresnet", "scale": 3, "width": 8, "blocks": 1, "tanh": True}, 10),
]


@pytest.mark.parametrize(("spec", "receptive_field"), SPECS)
def test_a_colour_network_becomes_a_plain_file_that_computes_the_same(spec, receptive_field, tmp_path):
    torch.manual_seed(0)
    net = nets.build(spec)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)  # some begin at 0
    net(torch.rand(2, 3, 12, 12))  # moves the averages of a batch normalisation
    arrays = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    card = ModelCard(name="mine", scale=spec["scale"], channels=3, receptive_field=0, qp=False)
    write_weights(tmp_path / "w.safetensors", arrays, card, json.dumps({"net": spec}))
    path = export(tmp_path / "w.safetensors", tmp_path / "mine.onnx")  # which compares the two on odd sizes
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert not operators & {"BatchNormalization", "Shape", "Expand", "Gather"}
    assert read_card(path).receptive_field == receptive_field
