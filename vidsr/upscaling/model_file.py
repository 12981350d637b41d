"""Model files: the graph and its card, read once; a file without a card gets one by being run."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from vidsr import zoo
from vidsr.card import KEY, QP_NAME, ModelCard
from vidsr.engines import Engine, open_engine
from vidsr.errors import EngineError, NotAModel
from vidsr.frames import Frame
from vidsr.system import MOST_SCALE
from vidsr.upscaling.graph.editor import FLOATS, image_ports
from vidsr.upscaling.tiling import tile_size

EDGES_RECEPTIVE_FIELD = 4
"""What RGB edges add, in input pixels: chroma is interpolated before the network and averaged after it."""
STEPS = (1, 2, 4, 8, 16, 32)
SIDES = (32, 96, 192)  # of trial images, tried until a changed pixel no longer affects their edge
EVERYWHERE = 1 << 20
"""Receptive field of a network that looks at the whole image, or too far for tiles."""
MOST_NUMBERS = 1 << 28  # in one array of a trial: 1 GB
SEEN = 1e-6  # rounding alone changes less, and no bit depth can show so little


@dataclass(frozen=True)
class Model:
    """A model file, read."""

    name: str
    """As a user would call it: its name on the shelf or in the user's folder, else its path."""
    card: ModelCard
    graph: onnx.ModelProto

    @cached_property
    def stored_qp(self) -> NDArray[np.float32] | None:
        """QP / 51 as stored in the file, (1, 1, 1, 1); None for a network that takes no QP."""
        stored = next((tensor for tensor in self.graph.graph.initializer if tensor.name == QP_NAME), None)
        return None if stored is None else numpy_helper.to_array(stored).astype(np.float32)

    @property
    def step(self) -> int:
        """What positions of tiles must be multiples of, in input pixels; even, for subsampled chroma."""
        return math.lcm(2, self.card.step)

    @property
    def receptive_field(self) -> int:
        """Radius of the receptive field, edges included, in input pixels; a multiple of `step`."""
        radius = self.card.receptive_field + (EDGES_RECEPTIVE_FIELD if self.card.channels == 3 else 0)
        return radius + -radius % self.step

    def qp_input(self, frame: Frame) -> dict[str, NDArray[np.float32]]:
        """Return the QP as an input of the graph; empty for a network that takes no QP."""
        if self.stored_qp is None:
            return {}
        return {QP_NAME: self.stored_qp if frame.qp is None else np.full_like(self.stored_qp, frame.qp / 51)}

    def tile_size(self, height: int, width: int, tile: int | None = None, *, on_cpu: bool) -> tuple[int, int]:
        """Return (height, width) of the tiles of a frame; see `tiling.tile_size`."""
        return tile_size(
            height, width, tile, receptive_field=self.receptive_field, step=self.step, card=self.card, on_cpu=on_cpu
        )


def load_model(name: str | Path) -> Model:
    """Read a model by its name or path. Raises UnknownModel, NotAModel, CardMismatch."""
    path = zoo.find(name)
    graph = read_graph(path)
    text = next((entry.value for entry in graph.metadata_props if entry.key == KEY), None)
    card = probe(graph, path) if text is None else ModelCard.from_json(text, where=str(path))
    return Model(zoo.name_of(path), card, graph)


def read_graph(path: Path) -> onnx.ModelProto:
    """Read an ONNX file and the weights beside it. onnx refuses weights outside its folder. Raises NotAModel."""
    try:
        model = onnx.load(path, load_external_data=False)
        onnx.load_external_data_for_model(model, str(path.parent))
    except DecodeError as exc:
        raise NotAModel(f"{path} is not an ONNX file; give one, or a name that `vidsr models` lists") from exc
    except (onnx.checker.ValidationError, FileNotFoundError, ValueError) as exc:
        reason = " ".join(str(exc).split())
        raise NotAModel(f"{path} keeps its weights in another file, which cannot be read: {reason}") from exc
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise NotAModel(f"{path} keeps weights of a nested graph in another file; save it with its weights inside")
    return model


def probe(model: onnx.ModelProto, path: Path) -> ModelCard:
    """Run a model on small images: shapes give scale and channels, changed pixels the receptive field.

    Raises NotAModel unless it is a network that takes float images of any size and returns larger ones.
    """
    try:
        channels = _channels(model)
        scale, step, receptive_field = _measure(model, channels)
    except (NotAModel, EngineError) as exc:
        raise NotAModel(f"{path} cannot be used: {exc}") from exc
    stored = model.graph.initializer
    return ModelCard(
        name=path.stem,
        scale=scale,
        channels=channels,
        receptive_field=receptive_field,
        step=step,
        qp=any(tensor.name == QP_NAME for tensor in stored),
        parameters=sum(math.prod(tensor.dims) for tensor in stored if tensor.data_type in FLOATS),
    )


def _tensors(message: Any) -> Iterator[TensorProto]:
    """Every tensor in a protobuf message, however deep."""
    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(each)


def _channels(model: onnx.ModelProto) -> Literal[1, 3]:
    kind = image_ports(model)[0].type.tensor_type
    shape = [dim.dim_value for dim in kind.shape.dim]
    if kind.elem_type not in FLOATS or len(shape) != 4 or shape[1] not in (1, 3):
        found = f"{TensorProto.DataType.Name(kind.elem_type).lower()} {'x'.join(str(side or '?') for side in shape)}"
        raise NotAModel(f"it takes {found}; vidsr runs networks that take float images, 1x1xHxW or 1x3xHxW")
    return cast(Literal[1, 3], shape[1])


def _step(model: onnx.ModelProto, channels: int) -> int:
    """Return what both sides of an image must be multiples of: at others it fails, or returns no whole factor."""
    for step in STEPS:
        try:
            with _Trial(model, channels, SIDES[0] + step) as trial:
                trial.scale()
        except (NotAModel, EngineError):
            continue
        return step
    return 1  # it takes one size alone: the trials to come say so


def _measure(model: onnx.ModelProto, channels: int) -> tuple[int, int, int]:
    """Return scale, step and receptive field."""
    scale = step = 0
    for side in SIDES:
        with _Trial(model, channels, side) as trial:
            scale = trial.scale()
            step = step or _step(model, channels)
            receptive_field, most = trial.receptive_field(scale, step)
            if receptive_field < most:
                return scale, step, receptive_field
    return scale, step, EVERYWHERE


def _check_sizes(model: onnx.ModelProto, side: int) -> None:
    """Raise NotAModel if shapes in a graph of fixed size grow beyond reason, before they take memory."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, UnicodeDecodeError) as exc:  # the latter of a name that is not text
        raise NotAModel(f"its shapes do not fit together ({str(exc).splitlines()[0]}); export it again") from exc
    for value in (*inferred.value_info, *inferred.output):
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if math.prod(shape) > MOST_NUMBERS:
            sizes = "x".join(map(str, shape))
            raise NotAModel(f"it makes {sizes} numbers of an image of {side}x{side}, more than vidsr computes with")


class _Trial:
    """The network, compiled for square images of one size whatever size the file names."""

    def __init__(self, model: onnx.ModelProto, channels: int, side: int) -> None:
        fixed = onnx.ModelProto()
        fixed.CopyFrom(model)
        port, _ = image_ports(fixed)
        kind = port.type.tensor_type
        self._name, self._type = port.name, np.float32 if kind.elem_type == TensorProto.FLOAT else np.float16
        self._shape = (1, channels, side, side)
        named = [dim.dim_value for dim in kind.shape.dim][2:]
        for dim, value in zip(kind.shape.dim, self._shape, strict=True):
            dim.dim_value = value
        fixed.graph.output[0].type.tensor_type.ClearField("shape")
        del fixed.graph.value_info[:]
        _check_sizes(fixed, side)
        try:
            self._engine: Engine = open_engine(fixed.SerializeToString(), device="cpu", precision="f32", in_flight=1)
        except NotAModel as exc:
            if not any(named):
                raise
            size = "x".join(str(length or "?") for length in reversed(named))
            raise NotAModel(f"it takes images of {size} only; export it with dynamic height and width") from exc

    def __enter__(self) -> "_Trial":
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def _run(self, image: NDArray[Any]) -> NDArray[Any]:
        (large,) = self._engine.submit({self._name: image.astype(self._type)}).result().values()
        return large.astype(np.float32)

    def scale(self) -> int:
        """Return the factor between the shapes."""
        found = self._run(np.full(self._shape, 0.5)).shape
        count, channels, height, width = self._shape
        scale = found[-1] // width if len(found) == 4 else 0
        if not 2 <= scale <= MOST_SCALE or found != (count, channels, height * scale, width * scale):
            sizes = " into ".join("x".join(map(str, shape)) for shape in (self._shape, found))
            raise NotAModel(f"it turns {sizes}; vidsr runs networks that upscale by a whole factor")
        return scale

    def receptive_field(self, scale: int, step: int) -> tuple[int, int]:
        """Return how many input pixels from a changed pixel the output changes, and how many could be seen here.

        A pixel at either end of a step is changed.
        """
        rng = np.random.default_rng(0)
        side = self._shape[-1]
        first = (side - step) // 2 // step * step
        last = first + step - 1
        farthest = 0
        # Up and down and on several images, since a ReLU may hide a path.
        for change in (-4.0, 4.0) * 3:
            image = rng.random(self._shape)
            before = self._run(image)
            for place in {first, last}:
                changed = image.copy()
                changed[..., place, place] += change
                seen = np.abs(self._run(changed) - before)[0].max(axis=0) > SEEN
                farthest = max(farthest, int(np.abs(np.argwhere(seen) // scale - place).max(initial=0)))
        return farthest, min(first, side - 1 - last)
