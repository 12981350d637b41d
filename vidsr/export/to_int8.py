"""From a stored network to one in 8 bits, calibrated on pictures like those it will see."""

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

# NNCF reports itself to Google Analytics through this package where it can be imported; nothing here phones home.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

nncf: Any = importlib.import_module("nncf")
ranges: Any = importlib.import_module("nncf.quantization.range_estimator")

FRAMES = 12  # of each clip
SIDE = 192  # of the middle of a frame that is looked at
QPS = (None, 0.0, 0.6)  # in turns, where the network knows it; None: the frame's own
LEAST = 40  # dB between the networks' pictures; below, a picture regained at 30 dB loses more than 0.4

Sample = dict[str, NDArray[np.float32]]


def export_int8(
    source: str | Path, clips: Sequence[str | Path], target: Path | None = None, *, name: str | None = None
) -> Path:
    """Quantise a network's inner layers after training and write it to `target`, by default export/NAME-int8.onnx.

    source: a stored network, by name or path. clips: films or pictures of the size the network takes; each layer's
    range is what it held on FRAMES frames of each. The first layer stays as it is, and so does all that touches the
    picture itself. The file is plain: QuantizeLinear and DequantizeLinear around what runs in int8, one input, one
    output. Gives the file's path. Raises UnknownModel, NotAModel, what `open_source` raises, DiskFull, and
    ParityFailed where quantising spoils the network (NNCF: arXiv 2002.08679).
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
    """The middle of some frames, evenly spread, as the network sees them."""
    with open_source(clip) as source:
        step = max((source.info.frames or 10 * FRAMES) // FRAMES, 1)
        for index, frame in enumerate(frame for frame in source if isinstance(frame, Frame)):
            if index % step:
                continue
            if index == step * FRAMES:
                return
            known = QPS[index // step % len(QPS)]
            qp = (frame.qp or 0) / 51 if known is None else known
            told = {QP_NAME: np.full((1, 1, 1, 1), qp, np.float32)} if card.qp else {}
            yield {port: _middle(_seen(frame, card), card.step), **told}


def _seen(frame: Frame, card: ModelCard) -> NDArray[np.float32]:
    """(1, channels, height, width) in [0, 1]."""
    if card.channels == 3:
        return frame.to_rgb().transpose(2, 0, 1)[None]
    top = np.float32(luma_top(frame.bits, frame.color.full_range))
    return np.asarray(frame.planes[0][None, None] / top, np.float32)


def _middle(picture: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """A square of SIDE, or what there is, in multiples of `step`."""
    for axis in (2, 3):
        side = min(picture.shape[axis], SIDE) // step * step
        start = (picture.shape[axis] - side) // 2
        picture = np.take(picture, range(start, start + side), axis)
    return np.ascontiguousarray(picture, np.float32)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's progress from stdout, and from silencing the root logger's handlers, which are others'."""
    levels = [(handler, handler.level) for handler in logging.getLogger().handlers]
    nncf.set_log_level(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for handler, level in levels:
            handler.setLevel(level)


def _quantised(model: ModelProto, samples: list[Sample], inner: set[str]) -> ModelProto:
    """The model with all nodes but `inner` left as they are; its quantiser is a constant again."""
    told = _with_qp(model)
    outer = [node.name for node in told.graph.node if node.name not in inner]
    # The widest range seen, where NNCF takes the mean of the pictures' ranges: clipping what is rare cost fast-x4
    # 0.1 dB on Set14, the widest range 0.01. Symmetric, since OpenVINO leaves AMX for a zero point (5 times slower).
    widest = ranges.RangeEstimatorParameters(
        min=ranges.StatisticsCollectorParameters(ranges.StatisticsType.MIN, ranges.AggregatorType.MIN),
        max=ranges.StatisticsCollectorParameters(ranges.StatisticsType.MAX, ranges.AggregatorType.MAX),
    )
    with _quiet():
        quantised: ModelProto = nncf.quantize(
            told,
            nncf.Dataset(samples),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            subset_size=len(samples),
            ignored_scope=nncf.IgnoredScope(names=outer, validate=False),
            advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=widest),
        )
    for port in [port for port in quantised.graph.input if port.name == QP_NAME]:
        quantised.graph.input.remove(port)
    quantised.graph.initializer.extend(each for each in model.graph.initializer if each.name == QP_NAME)
    return quantised


def _with_qp(model: ModelProto) -> ModelProto:
    """The model with the quantiser, where it knows that, as an input."""
    told = ModelProto()
    told.CopyFrom(model)
    for constant in [constant for constant in told.graph.initializer if constant.name == QP_NAME]:
        told.graph.input.append(helper.make_tensor_value_info(QP_NAME, TensorProto.FLOAT, list(constant.dims)))
        told.graph.initializer.remove(constant)
    return told


def _check(model: ModelProto, quantised: ModelProto, samples: list[Sample], card: ModelCard) -> None:
    """Raise ParityFailed where the two make different pictures of the samples."""
    error, count = 0.0, 0
    for sample in samples:
        before, after = (_run(each, sample) for each in (model, quantised))
        error, count = error + float(np.square(before - after).sum()), count + before.size
    decibels = -10 * math.log10(error / count) if error else math.inf
    if decibels < LEAST:
        raise ParityFailed(
            f"{card.name}: in 8 bits its pictures are at {decibels:.1f} dB from the network's, and {LEAST} are wanted; "
            "calibrate it on clips more like its input, or leave it in floating point"
        )


def _run(model: ModelProto, sample: Sample) -> NDArray[Any]:
    told = _with_qp(model)
    for port in told.graph.input:
        if port.name in sample:
            for dim, size in zip(port.type.tensor_type.shape.dim, sample[port.name].shape, strict=True):
                dim.dim_value = size
    with open_engine(told.SerializeToString(), engine="onnxruntime", precision="f32", in_flight=1) as engine:
        (large,) = engine.submit(sample).result().values()
        return np.array(large, np.float32)


def inner_nodes(model: ModelProto) -> set[str]:
    """Names of the nodes that come after a convolution and lead to one, or are one; those are worth 8 bits.

    Outside are the first layer, what is added to the last, and the small network that shifts by the quantiser with
    the sum it ends in. Raises NotAModel where nodes have no names, or there is nothing inside.
    """
    nodes = list(model.graph.node)
    if len({node.name for node in nodes}) < len(nodes) or not all(node.name for node in nodes):
        raise NotAModel("the network's nodes have no names of their own; export it again, by PyTorch say")
    picture = _reached(nodes, {image_ports(model)[0].name})
    shift = _reached(nodes, {QP_NAME}) - picture
    layers = [node for node in nodes if node.op_type == "Conv" and _made(node) <= picture]
    behind = _reached(nodes, {name for node in layers for name in node.output})
    leading = {name for node in layers for name in node.input}
    for node in reversed(nodes):
        if _made(node) & leading:
            leading |= set(node.input)
    inside = [
        node
        for node in nodes
        if set(node.input) & behind and (node in layers or _made(node) & leading) and not set(node.input) & shift
    ]
    if not inside:
        raise NotAModel("the network has no layer behind another, so there is nothing to quantise")
    return {node.name for node in inside}


def _made(node: NodeProto) -> set[str]:
    return set(node.output)


def _reached(nodes: Iterable[NodeProto], start: set[str]) -> set[str]:
    """The names of all that is computed from some values, and their own."""
    found = set(start)
    for node in nodes:
        if set(node.input) & found:
            found |= set(node.output)
    return found
