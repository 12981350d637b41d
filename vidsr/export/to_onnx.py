"""Export of a run's weights as a plain ONNX file with its card, checked against PyTorch."""

import io
import json
import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper
from torch import nn

from vidsr import nets
from vidsr.card import KEY, QP_NAME, ModelCard, read_card
from vidsr.engines import open_engine
from vidsr.errors import CardMismatch, ParityFailed
from vidsr.io.atomic import write_atomically
from vidsr.nets import receptive_field as measure
from vidsr.nets.int8 import Int8Conv, scales_of
from vidsr.nets.reparam import fold
from vidsr.runs import Run, read_weights, renamed
from vidsr.upscaling.graph.editor import with_input_shape
from vidsr.zoo import INT8

OPSET = 17
PARITY_SIZES = ((17, 23), (40, 9), (31, 64))  # heights and widths that are compared
PARITY_QPS = (0.0, 0.55)
PARITY_LIMIT = 1 / 255
INT8_PARITY_LIMIT = 4 / 255  # a value that is rounded the other way in one layer changes the layers after it

Weights = dict[str, NDArray[Any]]


def export(
    source: Path,
    target: Path | None = None,
    *,
    name: str | None = None,
    licence: str | None = None,
    fidelity: float | None = None,
) -> Path:
    """Export a run or a weights file to `target` and return its path; the default is export/NAME.onnx.

    Weights of a stage `int8` go into NAME.int8.onnx beside it: a run's, in addition to those of its other stages.
    Blocks are folded, receptive field and cost are measured, and the file is written only if its output differs from
    PyTorch's by less than 1/255. licence: of the training data, for the card. fidelity: for a run with a stage `gan`,
    the share of the first stage's weights; see `interpolate_weights`.
    Raises CheckpointError, NotAModel, CardMismatch, ParityFailed, DiskFull.
    """
    run, written = Run(source), list[Path]()
    if not run.int8.exists() or run.weights.exists():
        read = read_weights(source) if fidelity is None else interpolate_weights(source, fidelity)
        written.append(_write(source, *read, target, name=name, licence=licence))
    if run.int8.exists():
        beside = written[0] if written else target
        written.append(_write(run.int8, *read_weights(run.int8), beside, name=name, licence=licence))
    return written[0]


def _write(
    source: Path,
    arrays: Weights,
    card: ModelCard,
    recipe: str,
    target: Path | None,
    *,
    name: str | None,
    licence: str | None,
) -> Path:
    """Write the weights that were read from `source`; beside `target` if they are of a stage `int8`."""
    try:
        net = nets.build(json.loads(recipe)["net"])
        net.load_state_dict({key: torch.from_numpy(array) for key, array in arrays.items()})
    except (TypeError, RuntimeError) as exc:
        raise CardMismatch(f"{source}: the weights do not fit the network that their recipe describes") from exc
    net = fold(net).eval()
    path = target or Path("export") / f"{name or card.name}.onnx"
    if _is_int8(net) and not path.name.endswith(INT8):
        path = path.with_suffix(INT8)
    card = replace(
        card,
        name=name or card.name,
        receptive_field=measure.receptive_field(net, channels=card.channels),
        step=measure.step(net),
        parameters=measure.parameters(net),
        macs=measure.macs(net, channels=card.channels),
        licence=licence or card.licence,
    )
    plain = path.with_name(path.name.removesuffix(INT8) + ".onnx")
    if _is_int8(net) and plain.is_file() and (beside := read_card(plain)) is not None:
        # It replaces the model beside it where int8 is faster, so what is known of that holds for it.
        card = replace(card, name=beside.name, licence=licence or beside.licence, data=beside.data, gains=beside.gains)
    model = to_onnx(net, card)
    check_parity(model, net, card)
    write_atomically(path, model.SerializeToString())
    return path


def interpolate_weights(folder: Path, fidelity: float) -> tuple[Weights, ModelCard, str]:
    """Interpolate between the weights of a run's two stages; returns weights, card and recipe as `read_weights` does.

    fidelity: 1 for the first stage, which is faithful to the pixels, to 0 for the GAN. The result is a working network
    because the second stage started from the first (ESRGAN, arXiv 1809.00219, section 3.4). Raises CardMismatch if the
    folder holds no run with two stages of one network; CheckpointError, NotAModel.
    """
    run = Run(folder)
    if not run.pixel.exists():
        raise CardMismatch(f"{folder} is not a run with a stage gan, so there is nothing to mix; leave --fidelity out")
    pixel, pixel_card, pixel_recipe = read_weights(run.pixel)
    gan, card, recipe = read_weights(run.weights)
    facts = [
        (
            c.scale,
            c.channels,
            c.receptive_field,
            c.parameters,
            c.macs,
            renamed(json.loads(r)["net"], nets.OLD_ARGUMENTS),
        )
        for c, r in ((pixel_card, pixel_recipe), (card, recipe))
    ]
    shapes = [{key: array.shape for key, array in weights.items()} for weights in (pixel, gan)]
    if facts[0] != facts[1] or shapes[0] != shapes[1]:
        raise CardMismatch(f"the two stages in {folder} have different networks; train the second from the first")
    weights = {
        key: np.asarray(fidelity * pixel[key] + (1 - fidelity) * array, array.dtype)
        if np.issubdtype(array.dtype, np.floating)
        else array  # batch normalisation's count of batches
        for key, array in gan.items()
    }
    return weights, replace(card, recipe=f"{card.recipe}, fidelity {fidelity:g}", metrics={}), recipe


def to_onnx(net: nn.Module, card: ModelCard) -> ModelProto:
    """Convert a folded network to ONNX: one input, one output, NCHW float in [0, 1], dynamic height and width.

    Its second input, the QP, becomes a named constant of 0: not compressed.
    """
    names = ["luma" if card.channels == 1 else "rgb", *([QP_NAME] if card.qp else [])]
    inputs = (torch.zeros(1, card.channels, 24, 32), *([torch.zeros(1, 1, 1, 1)] if card.qp else []))
    axes = {0: "n", 2: "height", 3: "width"}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The dynamo exporter needs two more packages, and writes a graph of the same operators.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            net,
            inputs,
            cast(Any, buffer),  # annotated as a path
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
    model.producer_name, model.doc_string = "vidsr", f"{card.name}: luma or RGB in [0, 1], ×{card.scale}"
    _store_int8_weights(model, net)
    onnx.checker.check_model(model)
    return model


def _is_int8(net: nn.Module) -> bool:
    return any(isinstance(module, Int8Conv) for module in net.modules())


def _store_int8_weights(model: ModelProto, net: nn.Module) -> None:
    """Store the weights of int8 convolutions in 8 bits, and let a DequantizeLinear precede each convolution."""
    kernels = {f"{name}.weight": each.weight for name, each in net.named_modules() if isinstance(each, Int8Conv)}
    for index, tensor in reversed(list(enumerate(model.graph.initializer))):
        if tensor.name not in kernels:
            continue
        name, kernel = tensor.name, kernels[tensor.name].detach()
        scales = scales_of(kernel)
        codes = (kernel / scales[:, None, None, None]).round().to(torch.int8)
        del model.graph.initializer[index]
        stored = {
            f"{name}.int8": codes,
            f"{name}.scales": scales,
            f"{name}.zeros": torch.zeros(len(codes), dtype=torch.int8),
        }
        model.graph.initializer.extend(numpy_helper.from_array(value.numpy(), key) for key, value in stored.items())
        node = helper.make_node("DequantizeLinear", list(stored), [name], name=f"{name}.dequantised", axis=0)
        model.graph.node.insert(0, node)


@torch.no_grad()
def check_parity(model: ModelProto, net: nn.Module, card: ModelCard) -> float:
    """Run model and network on noise of odd sizes, if the network takes them, and return the largest difference.

    Raises ParityFailed if it is 1/255 or more, or 4/255 with int8 convolutions.
    """
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for size, qp in product(PARITY_SIZES, PARITY_QPS if card.qp else PARITY_QPS[:1]):
        height, width = (side - side % card.step for side in size)
        image = torch.rand(1, card.channels, height, width, generator=generator)
        inputs = (image, torch.full((1, 1, 1, 1), qp)) if card.qp else (image,)
        with open_engine(_with_fixed_size(model, height, width, qp), precision="f32") as opened:
            (output,) = opened.submit({model.graph.input[0].name: image.numpy()}).result().values()
            largest = max(largest, float(np.abs(output - net(*inputs).numpy()).max()))
    if not largest < (INT8_PARITY_LIMIT if _is_int8(net) else PARITY_LIMIT):
        raise ParityFailed(f"{card.name}: the exported file differs from PyTorch by {largest:.4f}; nothing was written")
    return largest


def _with_fixed_size(model: ModelProto, height: int, width: int, qp: float) -> bytes:
    fixed = with_input_shape(model, (1, None, height, width))
    for constant in [constant for constant in fixed.graph.initializer if constant.name == QP_NAME]:
        constant.CopyFrom(numpy_helper.from_array(np.full((1, 1, 1, 1), qp, np.float32), QP_NAME))
    return bytes(fixed.SerializeToString())
