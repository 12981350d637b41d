"""The card of a model file that has none: what it does is found by running it."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto

from vidsr.card import QP_NAME, ModelCard, read_card
from vidsr.engines import Engine, open_engine
from vidsr.errors import EngineError, NotAModel
from vidsr.system import MOST_SCALE
from vidsr.upscaling.graph.editor import FLOATS, image_ports

STEPS = (1, 2, 4, 8, 16, 32)
SIDES = (32, 96, 192)  # of the pictures that are tried until a nudge no longer reaches their edge
EVERYWHERE = 1 << 20
"""Reach of a network that looks at the whole picture, or too far for tiles."""
MOST_NUMBERS = 1 << 28  # in one array of a trial: 1 GB
SEEN = 1e-6  # rounding alone changes less, and no depth can show so little


def card_of(path: Path) -> ModelCard:
    """The card of a model file; of one that carries none, what is found by running it. Raises as `probe` does."""
    return read_card(path) or probe(path)


def probe(path: Path) -> ModelCard:
    """Run a model on small pictures: shapes tell scale and channels, nudging single pixels tells how far it looks.

    Raises NotAModel where it is no network that takes a float picture of any size and gives a larger one.
    """
    model = load(path)
    try:
        channels = _channels(model)
        scale, step, receptive_field = _look(model, channels)
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


def _channels(model: onnx.ModelProto) -> Literal[1, 3]:
    """How many planes the network's picture has."""
    kind = image_ports(model)[0].type.tensor_type
    shape = [dim.dim_value for dim in kind.shape.dim]
    if kind.elem_type not in FLOATS or len(shape) != 4 or shape[1] not in (1, 3):
        found = f"{TensorProto.DataType.Name(kind.elem_type).lower()} {'x'.join(str(side or '?') for side in shape)}"
        raise NotAModel(f"it takes {found}; vidsr runs networks that take float pictures, 1x1xHxW or 1x3xHxW")
    return cast(Literal[1, 3], shape[1])


def _step(model: onnx.ModelProto, channels: int) -> int:
    """What the sides of its pictures must be multiples of: it fails at others, or gives no whole factor of them."""
    for step in STEPS:
        try:
            with _Trial(model, channels, SIDES[0] + step) as trial:
                trial.scale()
        except (NotAModel, EngineError):
            continue
        return step
    return 1  # it takes one size alone: the trials to come say so


def _look(model: onnx.ModelProto, channels: int) -> tuple[int, int, int]:
    """Scale, step and reach."""
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
    """Raise NotAModel where the shapes in a graph of fixed size grow beyond all reason, before they take memory."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, UnicodeDecodeError) as exc:  # the latter of a name that is no text
        raise NotAModel(f"its shapes do not fit together ({str(exc).splitlines()[0]}); export it again") from exc
    for value in (*inferred.value_info, *inferred.output):
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if math.prod(shape) > MOST_NUMBERS:
            sizes = "x".join(map(str, shape))
            raise NotAModel(f"it makes {sizes} numbers of a picture of {side}x{side}, more than vidsr computes with")


class _Trial:
    """The network, compiled for square pictures of one size whatever size the file names."""

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
            raise NotAModel(f"it takes pictures of {size} only; export it with dynamic height and width") from exc

    def __enter__(self) -> "_Trial":
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()

    def _run(self, picture: NDArray[Any]) -> NDArray[Any]:
        (large,) = self._engine.submit({self._name: picture.astype(self._type)}).result().values()
        return large.astype(np.float32)

    def scale(self) -> int:
        """The factor, from the shapes."""
        found = self._run(np.full(self._shape, 0.5)).shape
        count, channels, height, width = self._shape
        scale = found[-1] // width if len(found) == 4 else 0
        if not 2 <= scale <= MOST_SCALE or found != (count, channels, height * scale, width * scale):
            sizes = " into ".join("x".join(map(str, shape)) for shape in (self._shape, found))
            raise NotAModel(f"it turns {sizes}; vidsr runs networks that enlarge a picture by a whole factor")
        return scale

    def receptive_field(self, scale: int, step: int) -> tuple[int, int]:
        """How many input pixels away from a nudged pixel the output still changes, one at either end of a step; and how
        many would be seen here.
        """
        rng = np.random.default_rng(0)
        side = self._shape[-1]
        first = (side - step) // 2 // step * step
        last = first + step - 1
        farthest = 0
        # Both ways and on several pictures, since a ReLU may hide a path.
        for nudge in (-4.0, 4.0) * 3:
            picture = rng.random(self._shape)
            before = self._run(picture)
            for place in {first, last}:
                nudged = picture.copy()
                nudged[..., place, place] += nudge
                changed = np.abs(self._run(nudged) - before)[0].max(axis=0) > SEEN
                farthest = max(farthest, int(np.abs(np.argwhere(changed) // scale - place).max(initial=0)))
        return farthest, min(first, side - 1 - last)


def load(path: Path) -> onnx.ModelProto:
    """Read a model file. Raises NotAModel."""
    try:
        model = onnx.load(path, load_external_data=False)
        check_places(model, path)
        onnx.load_external_data_for_model(model, str(path.parent))
    except DecodeError as exc:
        raise NotAModel(f"{path} is no ONNX file; give an .onnx file, or a name that `vidsr models` lists") from exc
    except (onnx.checker.ValidationError, FileNotFoundError, ValueError) as exc:
        if isinstance(exc, NotAModel):
            raise
        reason = " ".join(str(exc).split())
        raise NotAModel(f"{path} keeps its weights in another file, which cannot be read: {reason}") from exc
    check_places(model, None)
    return model


def check_places(model: Any, path: Path | None) -> None:
    """Raise NotAModel where a tensor lies in a file outside the model's folder, or behind a link.

    path: of the model; None where no tensor may lie outside the model itself any more.
    """
    for tensor in _outside(model):
        place = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        if path is None or not _beside(path.parent, place):
            where = place or "no file at all"
            raise NotAModel(f"{path or 'the network'} keeps weights in {where}; only files beside the model are read")


def _beside(folder: Path, place: str) -> bool:
    parts = Path(place).parts
    if not place or "\0" in place or Path(place).is_absolute() or ".." in parts:
        return False
    steps = [folder.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    return not any(step.is_symlink() for step in steps)


def _outside(message: Any) -> Iterator[TensorProto]:
    """Every tensor within a protobuf message, however deep, whose numbers lie in another file."""
    if isinstance(message, TensorProto):
        if message.data_location == TensorProto.EXTERNAL:
            yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in [value] if hasattr(value, "ListFields") else value:
                yield from _outside(each)
