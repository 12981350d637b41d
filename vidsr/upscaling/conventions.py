"""How a network by other people takes and returns images: found by what it makes of flat colours, and made ours.

Ours is one float image in [0, 1], NCHW, in and out. Networks that differ in layout, type or range, that return several
things or crop the borders, get operators around them, so that nothing else has to know.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from vidsr.engines import Engine, open_engine
from vidsr.engines.graph_format import EDGE, of_opset
from vidsr.errors import EngineError, NotAModel
from vidsr.system import MOST_SCALE
from vidsr.upscaling.graph.editor import FLOATS, input_port, with_input_shape

Layout = Literal["NCHW", "NHWC"]
Range = tuple[int, int]
Size = tuple[int, int]  # height, width

TRIALS = (((32, 32),), ((64, 64), (96, 96)), ((160, 160), (192, 192)))
"""Sizes of trial images: one shows the factor; where that fails, two show what is cropped as well."""
UNIT: Range = (0, 1)
BYTES: Range = (0, 255)
RANGES = (UNIT, BYTES, (-1, 1))
"""Lowest and highest value of an image."""
SURE, NEAR = 0.03, 0.1
"""How far a flat colour may be off, of 1. A trained network is within SURE, a painting one (GAN) within NEAR."""
LEVELS = (0.25, 0.5, 0.75)
MOST_NUMBERS = 1 << 28  # in one array of a trial: 1 GB
_TYPES: dict[int, Any] = {
    TensorProto.FLOAT: np.float32, TensorProto.FLOAT16: np.float16, TensorProto.DOUBLE: np.float64,
    TensorProto.UINT8: np.uint8,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Convention:
    """How a network takes and returns images."""

    channels: int
    layout: Layout
    output: str
    """The name of the output that is the picture."""
    output_layout: Layout
    scale: int
    crop: int = 0
    """Pixels that the result lacks on each side."""
    fixed: Size | None = None
    """Height and width of the only image that it takes."""
    given: Range = UNIT
    returned: Range = UNIT
    swapped: bool = False
    """Whether it returns the channels in reverse order: BGR of RGB."""


def find_convention(model: onnx.ModelProto) -> Convention:
    """Run a network on flat images and return how it is to be used.

    Raises NotAModel if no convention fits, or several that differ, and EngineError if it cannot be run.
    """
    port = input_port(model)
    failures: list[NotAModel | EngineError] = []
    for layout, channels in _layouts(port):
        for sizes in TRIALS:
            try:
                return _convention(model, layout, channels, sizes)
            except (NotAModel, EngineError) as exc:
                failures.append(exc)
        if only := _named_size(port, layout):
            try:
                return replace(_convention(model, layout, channels, (only,)), fixed=only)
            except (NotAModel, EngineError) as exc:
                raise NotAModel(f"it takes images of {only[1]}x{only[0]} only, and {exc}") from exc
    raise failures[0]


def conform(model: onnx.ModelProto, found: Convention) -> onnx.ModelProto:
    """Return a network that takes and returns images as ours do: the model itself, if it does."""
    port = input_port(model)
    ordinary = Convention(found.channels, "NCHW", model.graph.output[0].name, "NCHW", found.scale, fixed=found.fixed)
    if found == ordinary and len(model.graph.output) == 1 and port.type.tensor_type.elem_type in FLOATS:
        return model
    return _Adapter(of_opset(model), found).adapted()


def _layouts(port: onnx.ValueInfoProto) -> list[tuple[Layout, int]]:
    """Return the layouts, with a number of channels, that the shape of an input allows."""
    kind = port.type.tensor_type
    shape = [dim.dim_value for dim in kind.shape.dim]
    found: list[tuple[Layout, int]] = []
    if kind.elem_type in _TYPES and len(shape) == 4:
        layouts: list[tuple[Layout, int]] = [("NCHW", 1), ("NHWC", 3)]
        named = [(layout, axis) for layout, axis in layouts if shape[axis] in (1, 3)][:1]
        for layout, axis in named or ([] if shape[1] else layouts):
            found += [(layout, channels) for channels in (3, 1) if shape[axis] in (0, channels)]
    if not found:
        text = f"{TensorProto.DataType.Name(kind.elem_type).lower()} {'x'.join(str(side or '?') for side in shape)}"
        raise NotAModel(
            f"it takes {text}; vidsr runs networks that take float or uint8 images, 1xCxHxW or 1xHxWxC "
            "of 1 or 3 channels"
        )
    return found


def _named_size(port: onnx.ValueInfoProto, layout: Layout) -> Size | None:
    """Return the height and width that the file names, if it names both."""
    sides = [dim.dim_value for dim in port.type.tensor_type.shape.dim]
    height, width = sides[2:] if layout == "NCHW" else sides[1:3]
    return (height, width) if height and width else None


def _convention(model: onnx.ModelProto, layout: Layout, channels: int, sizes: tuple[Size, ...]) -> Convention:
    """Return the convention for one layout. sizes: (height, width) of one trial image or two."""
    trials = [ConventionTrial(model, layout, channels, size) for size in sizes]
    try:
        results = [trial.run(np.full((channels, *trial.size), 0.5), UNIT) for trial in trials]
        shapes = [{name: array.shape for name, array in result.items()} for result in results]
        places = list(_pictures(shapes, sizes, layout, channels))
        if not places:
            given = trials[0].shape
            text = ", ".join(f"{'x'.join(map(str, shape))}" for shape in shapes[0].values())
            raise NotAModel(
                f"it turns {'x'.join(map(str, given))} into {text}; vidsr runs networks that upscale by a whole factor"
            )
        return _agreed(trials[-1], places)
    finally:
        for trial in trials:
            trial.close()


def _pictures(
    shapes: list[dict[str, tuple[int, ...]]],
    sizes: tuple[Size, ...],
    layout: Layout,
    channels: int,
) -> Iterator[Convention]:
    """Yield a convention for each output whose size is that of a larger picture."""
    other: Layout = "NHWC" if layout == "NCHW" else "NCHW"
    for name in shapes[0]:
        for output_layout in (layout, other):
            found = [_sides(shape[name], output_layout, channels) for shape in shapes]
            if None in found:
                continue
            factors = {_scale_and_crop(sizes, [sides[axis] for sides in found if sides], axis) for axis in (0, 1)}
            (scale, crop), *more = factors
            if not more and 2 <= scale <= MOST_SCALE and crop >= 0:
                yield Convention(channels, layout, name, output_layout, scale, crop)
                break


def _sides(shape: tuple[int, ...], layout: Layout, channels: int) -> Size | None:
    if len(shape) != 4 or shape[0] != 1 or shape[1 if layout == "NCHW" else 3] != channels:
        return None
    return (shape[2], shape[3]) if layout == "NCHW" else (shape[1], shape[2])


def _scale_and_crop(sizes: tuple[Size, ...], made: list[int], axis: int) -> tuple[int, int]:
    """Return the factor, and the pixels that are cropped on each side; (0, 0) if no whole numbers fit."""
    given = [size[axis] for size in sizes]
    if len(sizes) == 1:
        return (made[0] // given[0], 0) if made[0] % given[0] == 0 else (0, 0)
    scale, rest = divmod(made[1] - made[0], given[1] - given[0])
    lacking = scale * given[0] - made[0]
    return (0, 0) if rest or lacking % 2 or min(made) <= 0 else (scale, lacking // 2)


def _agreed(trial: "ConventionTrial", places: list[Convention]) -> Convention:
    """Return the convention of the output that keeps flat colours, with its ranges; several must agree."""
    judged = [(place, *trial.judge(place)) for place in places]
    best = min(off for _, off, _ in judged)
    if best > NEAR:
        found = ", ".join(f"{value:.3g}" for value in trial.levels(places[0]))
        raise NotAModel(
            f"it turns flat gray of {', '.join(map(str, LEVELS))} into {found}; vidsr runs networks that keep the "
            "brightness, of images in 0..1, -1..1 or 0..255: export it with its normalisation inside"
        )
    good = [convention for _, off, convention in judged if off <= max(best, SURE)]
    if len(good) > 1 and not trial.agree(good):
        names = ", ".join(convention.output for convention in good)
        raise NotAModel(f"several of its outputs may be the picture ({names}); export it with one of them only")
    return good[0]


class ConventionTrial:
    """The network as it is, compiled for images of one size."""

    def __init__(self, model: onnx.ModelProto, layout: Layout, channels: int, size: Size) -> None:
        port = input_port(model)
        self.size, self._layout, self._name = size, layout, port.name
        self._type = _TYPES[port.type.tensor_type.elem_type]
        self.shape = (1, channels, *size) if layout == "NCHW" else (1, *size, channels)
        self._results: dict[tuple[float, ...], dict[str, NDArray[Any]]] = {}
        self._engine = open_trial(model, self.shape, size)

    def close(self) -> None:
        """Close the engine."""
        self._engine.close()

    def run(self, image: NDArray[Any], given: Range) -> dict[str, NDArray[Any]]:
        """Return the outputs as they are. image: (channels, height, width) in [0, 1], which is moved to the range."""
        low, high = given
        values = image * (high - low) + low
        values = np.rint(values) if self._type is np.uint8 else values
        values = values if self._layout == "NCHW" else values.transpose(1, 2, 0)
        results = self._engine.submit({self._name: values[None].astype(self._type)}).result()
        return {name: np.array(array) for name, array in results.items()}

    def judge(self, place: Convention) -> tuple[float, Convention]:
        """Return how far flat colours are off at best, and the convention with the ranges of that."""
        usual = self._off(place)
        if self._type is not np.uint8 and usual <= SURE:
            return usual, place
        found: list[tuple[float, Convention]] = []
        for given in (BYTES,) if self._type is np.uint8 else RANGES:
            for swapped in (False, True)[: 1 + (place.channels == 3)]:
                for returned in RANGES:
                    guess = replace(place, given=given, returned=returned, swapped=swapped)
                    found.append((self._off(guess), guess))
        best = min(found, key=lambda pair: pair[0])
        # A network without biases keeps flat colours in any range as well as in the usual one.
        return found[0] if best[0] > SURE and found[0][0] <= NEAR else best

    def levels(self, place: Convention) -> list[float]:
        """Return what flat grays become, read as the network returns it."""
        images = (np.full(self._chw(place), level) for level in LEVELS)
        return [float(_picture(self.run(image, place.given), place).mean()) for image in images]

    def agree(self, conventions: list[Convention]) -> bool:
        """Return whether several outputs are the same picture."""
        image = np.random.default_rng(0).random(self._chw(conventions[0]))
        first, *others = (_picture(self.run(image, each.given), each) for each in conventions)
        return all(first.shape == other.shape and bool(np.allclose(first, other, atol=SURE)) for other in others)

    def _chw(self, place: Convention) -> tuple[int, int, int]:
        return (place.channels, *self.size)

    def _off(self, guess: Convention) -> float:
        colors = [np.full(guess.channels, level) for level in LEVELS]
        colors += [np.array(LEVELS)] if guess.channels == 3 else []
        off = 0.0
        for color in colors:
            image = np.broadcast_to(color[:, None, None], self._chw(guess))
            key = (*color, *guess.given)
            if key not in self._results:
                self._results[key] = self.run(image, guess.given)
            made = _picture(self._results[key], guess)
            height, width = made.shape[1:]
            middle = made[:, height // 3 : height - height // 3, width // 3 : width - width // 3].mean((1, 2))
            off = max(off, float(np.abs(middle - color).max()))
        return off if np.isfinite(off) else np.inf


def _picture(results: dict[str, NDArray[Any]], guess: Convention) -> NDArray[Any]:
    """Return the picture among the results as (channels, height, width) in [0, 1]."""
    made = results[guess.output][0].astype(np.float32)
    made = made if guess.output_layout == "NCHW" else made.transpose(2, 0, 1)
    low, high = guess.returned
    picture: NDArray[Any] = ((made - low) / (high - low))[:: -1 if guess.swapped else 1]
    return picture


def open_trial(model: onnx.ModelProto, shape: Sequence[int], size: Size) -> Engine:
    """Open a network on the CPU in f32 for one image. shape: of its input; size: (height, width) of the image.

    Raises NotAModel and EngineError.
    """
    fixed = with_input_shape(model, shape)
    _check_sizes(fixed, *size)
    return open_engine(fixed.SerializeToString(), device="cpu", precision="f32", in_flight=1)


def _check_sizes(model: onnx.ModelProto, height: int, width: int) -> None:
    """Raise NotAModel if shapes in a graph of fixed size grow beyond reason, before they take memory."""
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, UnicodeDecodeError) as exc:  # the latter of a name that is not text
        raise NotAModel(f"its shapes do not fit together ({str(exc).splitlines()[0]}); export it again") from exc
    for value in (*inferred.value_info, *inferred.output):
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        if int(np.prod(shape, dtype=object)) > MOST_NUMBERS:
            sizes = "x".join(map(str, shape))
            raise NotAModel(f"it makes {sizes} numbers of an image of {width}x{height}, more than vidsr computes with")


class _Adapter:
    """Operators around a network, by which it takes and returns images as ours do."""

    def __init__(self, model: onnx.ModelProto, found: Convention) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        self._found, self._nodes = found, list[NodeProto]()
        self._port = input_port(self._model)

    def adapted(self) -> onnx.ModelProto:
        found, graph, kind = self._found, self._model.graph, self._port.type.tensor_type.elem_type
        inner = self._port.name
        body = list(graph.node)
        del graph.node[:], graph.value_info[:], graph.output[:]
        graph.input.remove(self._port)
        name = f"{EDGE}convention.image"
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, self._dims()))
        image = self._moved(self._padded(name), UNIT, found.given)
        if kind == TensorProto.UINT8:
            image = self._add("Clip", self._add("Round", image), self._constant(0.0), self._constant(255.0))
        if found.layout == "NHWC":
            image = self._add("Transpose", image, perm=[0, 2, 3, 1])
        self._add("Cast", image, out=inner, to=kind)
        graph.node.extend([*self._nodes, *body])
        self._nodes = []
        image = self._add("Cast", found.output, to=TensorProto.FLOAT)
        if found.output_layout == "NHWC":
            image = self._add("Transpose", image, perm=[0, 3, 1, 2])
        image = self._moved(image, found.returned, UNIT)
        if found.swapped:
            image = self._add("Gather", image, self._constant([2, 1, 0], np.int64), axis=1)
        self._trimmed(image)
        graph.node.extend(self._nodes)
        out = helper.make_tensor_value_info(self._nodes[-1].output[0], TensorProto.FLOAT, None)
        graph.output.append(out)
        return self._model

    def _dims(self) -> list[int | str]:
        height, width = self._found.fixed or ("height", "width")
        return ["batch", self._found.channels, height, width]

    def _padded(self, image: str) -> str:
        """Repeat the borders of the input as far as the network crops them."""
        lacking = self._lacking()
        if not lacking:
            return image
        return self._add("Pad", image, self._constant([0, 0, lacking, lacking] * 2, np.int64), mode="edge")

    def _trimmed(self, image: str) -> None:
        """Cut off what the borders, whole input pixels, became beyond the cropped pixels."""
        extra = self._lacking() * self._found.scale - self._found.crop
        if extra:
            starts, ends = (self._constant([side, side], np.int64) for side in (extra, -extra))
            self._add("Slice", image, starts, ends, self._constant([2, 3], np.int64))

    def _lacking(self) -> int:
        return -(-self._found.crop // self._found.scale)

    def _moved(self, image: str, old: Range, new: Range) -> str:
        if old == new:
            return image
        factor = (new[1] - new[0]) / (old[1] - old[0])
        scaled = self._add("Mul", image, self._constant(factor))
        return self._add("Add", scaled, self._constant(new[0] - old[0] * factor))

    def _constant(self, value: Any, dtype: type = np.float32) -> str:
        stored = self._model.graph.initializer
        name = f"{EDGE}convention.constant.{len(stored)}"
        stored.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def _add(self, operator: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        name = f"{EDGE}convention.{operator}.{len(self._model.graph.node)}.{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [out or name], name, **attributes))
        return out or name
