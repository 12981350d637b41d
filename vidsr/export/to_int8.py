"""Post-training quantisation of a model to int8, calibrated on clips like its later input."""

import contextlib
import importlib
import io
import logging
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from vidsr.card import KEY, QP_NAME, ModelCard
from vidsr.engines import open_engine
from vidsr.errors import NotAModel, ParityFailed
from vidsr.frames import Frame
from vidsr.io.atomic import write_atomically
from vidsr.upscaling.graph.edges import luma_top
from vidsr.upscaling.graph.editor import image_ports
from vidsr.upscaling.model_file import load_model
from vidsr.video.read.source import open_source

# NNCF sends statistics to Google Analytics through this package if it can be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

nncf: Any = importlib.import_module("nncf")
ranges: Any = importlib.import_module("nncf.quantization.range_estimator")

FRAMES = 12  # of each clip
CROP = 192  # side of the centre crop of a frame, in pixels
QPS = (None, 0.0, 0.6)  # QP / 51 of successive frames, for networks that take it; None: the frame's own
MIN_PSNR = 40  # dB between the outputs; at less, an output of 30 dB loses more than 0.4 dB

Sample = dict[str, NDArray[np.float32]]


def export_int8(
    source: str | Path, clips: Sequence[str | Path], target: Path | None = None, *, name: str | None = None
) -> Path:
    """Quantise a network's inner layers, write it to `target` and return the path; default: export/NAME-int8.onnx.

    source: name or path of a model. clips: videos or images of the size the network will be given; FRAMES frames of
    each give the ranges of the activations. The first layer and everything that acts on the input image stay in
    floating point. The file is plain ONNX: one input, one output, QuantizeLinear and DequantizeLinear around the int8
    layers (NNCF: arXiv 2002.08679).
    Raises UnknownModel, NotAModel, DiskFull, ParityFailed if quantising changes the output too much, and what
    `open_source` raises.
    """
    loaded = load_model(source)
    model, card = loaded.graph, loaded.card
    inner = inner_nodes(model)
    samples = [sample for clip in clips for sample in _samples(clip, card, image_ports(model)[0].name)]
    quantised = _quantised(model, samples, inner)
    card = replace(
        card,
        name=name or f"{card.name}-int8",
        recipe=f"int8 by NNCF {nncf.__version__} of {card.name}, {card.recipe}".removesuffix(", "),
        metrics={},
    )
    helper.set_model_props(quantised, {KEY: card.to_json()})
    quantised.producer_name, quantised.doc_string = "vidsr", f"{card.name}: {card.recipe}"
    onnx.checker.check_model(quantised)
    _check(model, quantised, samples, card)
    path = target or Path("export") / f"{card.name}.onnx"
    write_atomically(path, quantised.SerializeToString())
    return path


def _samples(clip: str | Path, card: ModelCard, port: str) -> Iterator[Sample]:
    """Yield network inputs from the centres of evenly spaced frames."""
    with open_source(clip) as source:
        step = max((source.info.frames or 10 * FRAMES) // FRAMES, 1)
        for index, frame in enumerate(frame for frame in source if isinstance(frame, Frame)):
            if index % step:
                continue
            if index == step * FRAMES:
                return
            fixed = QPS[index // step % len(QPS)]
            qp = (frame.qp or 0) / 51 if fixed is None else fixed
            inputs = {QP_NAME: np.full((1, 1, 1, 1), qp, np.float32)} if card.qp else {}
            yield {port: _centre(_network_input(frame, card), card.step), **inputs}


def _network_input(frame: Frame, card: ModelCard) -> NDArray[np.float32]:
    """(1, channels, height, width) in [0, 1]."""
    if card.channels == 3:
        return frame.to_rgb().transpose(2, 0, 1)[None]
    top = np.float32(luma_top(frame.bits, frame.color.full_range))
    return np.asarray(frame.planes[0][None, None] / top, np.float32)


def _centre(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return a centre crop of at most CROP × CROP whose sides are multiples of `step`."""
    for axis in (2, 3):
        side = min(image.shape[axis], CROP) // step * step
        start = (image.shape[axis] - side) // 2
        image = np.take(image, range(start, start + side), axis)
    return np.ascontiguousarray(image, np.float32)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF from printing its progress and from changing the levels of the root logger's handlers."""
    levels = [(handler, handler.level) for handler in logging.getLogger().handlers]
    nncf.set_log_level(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for handler, level in levels:
            handler.setLevel(level)


def _quantised(model: ModelProto, samples: list[Sample], inner: set[str]) -> ModelProto:
    """Return the model with the nodes `inner` quantised."""
    exposed = _with_qp_input(model)
    outer = [node.name for node in exposed.graph.node if node.name not in inner]
    # Full ranges instead of NNCF's default, means of the samples' ranges: clipping rare values cost fast-x4 0.1 dB on
    # Set14, full ranges 0.01. Symmetric, because with a zero point OpenVINO does not use AMX and is 5 times slower.
    full_range = ranges.RangeEstimatorParameters(
        min=ranges.StatisticsCollectorParameters(ranges.StatisticsType.MIN, ranges.AggregatorType.MIN),
        max=ranges.StatisticsCollectorParameters(ranges.StatisticsType.MAX, ranges.AggregatorType.MAX),
    )
    with _quiet():
        quantised: ModelProto = nncf.quantize(
            exposed,
            nncf.Dataset(samples),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(names=outer, validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=full_range),
        )
    for port in [port for port in quantised.graph.input if port.name == QP_NAME]:
        quantised.graph.input.remove(port)
    quantised.graph.initializer.extend(each for each in model.graph.initializer if each.name == QP_NAME)
    return quantised


def _with_qp_input(model: ModelProto) -> ModelProto:
    """Return the model with the QP, if it takes that, as an input instead of a constant."""
    exposed = ModelProto()
    exposed.CopyFrom(model)
    for constant in [constant for constant in exposed.graph.initializer if constant.name == QP_NAME]:
        exposed.graph.input.append(helper.make_tensor_value_info(QP_NAME, TensorProto.FLOAT, list(constant.dims)))
        exposed.graph.initializer.remove(constant)
    return exposed


def _check(model: ModelProto, quantised: ModelProto, samples: list[Sample], card: ModelCard) -> None:
    """Raise ParityFailed if the PSNR between the models' outputs is below MIN_PSNR."""
    error, count = 0.0, 0
    for sample in samples:
        before, after = (_run(each, sample) for each in (model, quantised))
        error, count = error + float(np.square(before - after).sum()), count + before.size
    psnr = -10 * math.log10(error / count) if error else math.inf
    if psnr < MIN_PSNR:
        raise ParityFailed(
            f"{card.name}: the PSNR between int8 and float output is {psnr:.1f} dB, expected at least {MIN_PSNR};"
            " calibrate it on clips more like its input, or leave it in floating point"
        )


def _run(model: ModelProto, sample: Sample) -> NDArray[Any]:
    exposed = _with_qp_input(model)
    for port in exposed.graph.input:
        if port.name in sample:
            for dim, size in zip(port.type.tensor_type.shape.dim, sample[port.name].shape, strict=True):
                dim.dim_value = size
    with open_engine(exposed.SerializeToString(), engine="onnxruntime", precision="f32", in_flight=1) as engine:
        (output,) = engine.submit(sample).result().values()
        return np.array(output, np.float32)


def inner_nodes(model: ModelProto) -> set[str]:
    """Return the names of the nodes from the first convolution's output to the last convolution, to be quantised.

    Not included are the first convolution, the sum at the end, and the branch that computes a bias from the QP with the
    addition of that bias. Raises NotAModel if nodes have no names, or without such nodes.
    """
    nodes = list(model.graph.node)
    if len({node.name for node in nodes}) < len(nodes) or not all(node.name for node in nodes):
        raise NotAModel("the network's nodes have no unique names; export it again, for example by PyTorch")
    from_image = _descendants(nodes, {image_ports(model)[0].name})
    from_qp = _descendants(nodes, {QP_NAME}) - from_image
    layers = [node for node in nodes if node.op_type == "Conv" and from_image.issuperset(node.output)]
    after = _descendants(nodes, {name for node in layers for name in node.output})
    before = {name for node in layers for name in node.input}
    for node in reversed(nodes):
        if before & set(node.output):
            before |= set(node.input)
    inner = [
        node.name
        for node in nodes
        if after & set(node.input) and (node in layers or before & set(node.output)) and not from_qp & set(node.input)
    ]
    if not inner:
        raise NotAModel("the network has no two consecutive convolutions, so there is nothing to quantise")
    return set(inner)


def _descendants(nodes: Iterable[NodeProto], start: set[str]) -> set[str]:
    """Return `start` and the names of all values computed from it."""
    found = set(start)
    for node in nodes:
        if set(node.input) & found:
            found |= set(node.output)
    return found
