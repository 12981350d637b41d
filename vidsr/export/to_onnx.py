"""From a run's weights to a plain ONNX that any tool can use, with its card."""

import io
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import onnx
import torch
from onnx import ModelProto, helper, numpy_helper
from torch import nn

from vidsr import nets
from vidsr.card import KEY, QP_NAME, ModelCard
from vidsr.errors import CardMismatch
from vidsr.export.interpolate import mixed_weights
from vidsr.export.parity import check_parity
from vidsr.io.atomic import write_atomically
from vidsr.nets import receptive_field as measure
from vidsr.nets.reparam import fold
from vidsr.runs import read_weights

OPSET = 17


def export(
    source: Path,
    target: Path | None = None,
    *,
    name: str | None = None,
    licence: str | None = None,
    fidelity: float | None = None,
) -> Path:
    """Turn a run or a weights file into `target`, by default export/NAME.onnx under the current folder.

    Blocks are folded, reach and cost are measured, and the file is held against PyTorch on odd sizes: it is left on
    disk only if no output differs by 1/255. licence: of the training data, for the card. fidelity: of a run with a
    stage `gan`, how much of the first stage to mix in; see `mixed_weights`. Gives the file's path.
    Raises CheckpointError, NotAModel, CardMismatch, ParityFailed, DiskFull.
    """
    arrays, card, recipe = read_weights(source) if fidelity is None else mixed_weights(source, fidelity)
    try:
        net = nets.build(json.loads(recipe)["net"])
        net.load_state_dict({key: torch.from_numpy(array) for key, array in arrays.items()})
    except (TypeError, RuntimeError) as exc:
        raise CardMismatch(f"{source}: the weights do not fit the network that their recipe describes") from exc
    net = fold(net).eval()
    card = replace(
        card,
        name=name or card.name,
        receptive_field=measure.receptive_field(net, channels=card.channels),
        step=measure.step(net),
        parameters=measure.parameters(net),
        macs=measure.macs(net, channels=card.channels),
        licence=licence or card.licence,
    )
    model = to_onnx(net, card)
    check_parity(model, net, card)
    path = target or Path("export") / f"{card.name}.onnx"
    write_atomically(path, model.SerializeToString())
    return path


def to_onnx(net: nn.Module, card: ModelCard) -> ModelProto:
    """Write a folded network as ONNX: one input, one output, NCHW float in [0, 1], dynamic height and width.

    What it takes beside the picture, the quantiser, becomes a constant of that name, 0: clean.
    """
    names = ["luma" if card.channels == 1 else "rgb", *([QP_NAME] if card.qp else [])]
    inputs = (torch.zeros(1, card.channels, 24, 32), *([torch.zeros(1, 1, 1, 1)] if card.qp else []))
    axes = {0: "n", 2: "height", 3: "width"}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that replaces this one needs two packages more, and writes a graph of the same operators.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            net,
            inputs,
            cast(Any, buffer),  # its annotation knows paths only
            dynamo=False,
            opset_version=OPSET,
            input_names=names,
            output_names=["large"],
            dynamic_axes={names[0]: axes, "large": {0: "n", 2: "height_large", 3: "width_large"}},
        )
    model = onnx.load_from_string(buffer.getvalue())
    for value in [value for value in model.graph.input if value.name == QP_NAME]:
        model.graph.input.remove(value)
        model.graph.initializer.append(numpy_helper.from_array(inputs[1].numpy(), QP_NAME))
    helper.set_model_props(model, {KEY: card.to_json()})
    model.producer_name, model.doc_string = "vidsr", f"{card.name}: luma or RGB in [0, 1], {card.scale} times larger"
    onnx.checker.check_model(model)
    return model
