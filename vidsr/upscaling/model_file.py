"""Model files: the graph and its card, read once; a file without a card gets one by being run."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from vidsr import zoo
from vidsr.card import KEY, QP_NAME, ModelCard
from vidsr.errors import EngineError, NotAModel
from vidsr.frames import Frame
from vidsr.system import MOST_SCALE
from vidsr.upscaling.graph.editor import FLOATS, image_ports
from vidsr.upscaling.tiling import tile_size

if TYPE_CHECKING:
    from vidsr.upscaling.conventions import Convention

EDGES_RECEPTIVE_FIELD = 4
"""What RGB edges add, in input pixels: chroma is interpolated before the network and averaged after it."""
STEPS = (1, 2, 4, 8, 16, 32)
SIDES = (32, 96, 192)  # of trial images, tried until a changed pixel no longer affects their edge
EVERYWHERE = 1 << 20
"""Receptive field of a network that looks at the whole image, or too far for tiles."""
SEEN = 1e-6  # rounding alone changes less, and no bit depth can show so little


@dataclass(frozen=True)
class Model:
    """A model file, read."""

    name: str
    """As a user would call it: its name on the shelf or in the user's folder, else its path."""
    card: ModelCard
    graph: onnx.ModelProto
    """Takes and returns one image, NCHW, float in [0, 1]."""
    fixed: tuple[int, int] | None = None
    """Height and width of the only images that it takes; None for any."""
    file: Path = Path()
    """Where it lies."""

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
        if self.fixed:  # tiles can be no larger, and must supply something
            radius = min(radius, min(self.fixed) // 4 // self.step * self.step)
        return radius + -radius % self.step

    def qp_input(self, frame: Frame) -> dict[str, NDArray[np.float32]]:
        """Return the QP as an input of the graph; empty for a network that takes no QP."""
        if self.stored_qp is None:
            return {}
        return {QP_NAME: self.stored_qp if frame.qp is None else np.full_like(self.stored_qp, frame.qp / 51)}

    def tile_size(self, height: int, width: int, tile: int | None = None, *, on_cpu: bool) -> tuple[int, int]:
        """Return (height, width) of the tiles of a frame; see `tiling.tile_size`."""
        if self.fixed:
            sides = zip((height, width), self.fixed, strict=True)
            rows, columns = (min(length, most - (most - length) % self.step) for length, most in sides)
            return rows, columns
        return tile_size(
            height, width, tile, receptive_field=self.receptive_field, step=self.step, card=self.card, on_cpu=on_cpu
        )


def load_model(name: str | Path) -> Model:
    """Read a model by its name or path. Raises UnknownModel, NotAModel, CardMismatch."""
    path = zoo.find(name)
    graph = read_graph(path)
    text = next((entry.value for entry in graph.metadata_props if entry.key == KEY), None)
    if text is not None:
        return Model(zoo.name_of(path), ModelCard.from_json(text, where=str(path)), graph, file=path)
    return probe(graph, path)


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


def probe(model: onnx.ModelProto, path: Path) -> Model:
    """Run a model without a card on small images, and return it as one that takes and returns images as ours do.

    Flat colours give its conventions (see `find_convention`), shapes scale and channels, changed pixels the receptive
    field. Raises NotAModel unless it is a network that returns larger images.
    """
    from vidsr.upscaling.conventions import conform, find_convention  # models with a card do without

    try:
        found = find_convention(model)
        graph = conform(model, found)
        scale, step, receptive_field = _measure(graph, found)
    except (NotAModel, EngineError) as exc:
        raise NotAModel(f"{path} cannot be used: {exc}") from exc
    stored = model.graph.initializer
    card = ModelCard(
        name=path.stem,
        scale=scale,
        channels=cast(Literal[1, 3], found.channels),
        receptive_field=receptive_field,
        step=step,
        qp=any(tensor.name == QP_NAME for tensor in stored),
        parameters=sum(math.prod(tensor.dims) for tensor in stored if tensor.data_type in FLOATS),
    )
    return Model(zoo.name_of(path), card, graph, found.fixed, path)


def _tensors(message: Any) -> Iterator[TensorProto]:
    """Every tensor in a protobuf message, however deep."""
    if isinstance(message, TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(each)


def _step(model: onnx.ModelProto, channels: int) -> int:
    """Return what both sides of an image must be multiples of: at others it fails, or returns no whole factor."""
    for step in STEPS:
        try:
            with _Trial(model, channels, (SIDES[0] + step, SIDES[0] + step)) as trial:
                trial.scale()
        except (NotAModel, EngineError):
            continue
        return step
    return 1  # it takes one size alone: the trials to come say so


def _measure(model: onnx.ModelProto, found: "Convention") -> tuple[int, int, int]:
    """Return scale, step and receptive field."""
    scale, step = 0, 1 if found.fixed else 0
    for size in [found.fixed] if found.fixed else [(side, side) for side in SIDES]:
        with _Trial(model, found.channels, size) as trial:
            scale = trial.scale()
            step = step or _step(model, found.channels)
            receptive_field, most = trial.receptive_field(scale, step)
            if receptive_field < most:
                return scale, step, receptive_field
    return scale, step, EVERYWHERE


class _Trial:
    """The network, compiled for images of one size whatever size the file names."""

    def __init__(self, model: onnx.ModelProto, channels: int, size: tuple[int, int]) -> None:
        from vidsr.upscaling.conventions import open_trial

        port, _ = image_ports(model)
        is_f32 = port.type.tensor_type.elem_type == TensorProto.FLOAT
        self._name, self._type = port.name, np.float32 if is_f32 else np.float16
        self._shape = (1, channels, *size)
        self._engine = open_trial(model, self._shape, size)

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
        side = min(self._shape[-2:])
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
