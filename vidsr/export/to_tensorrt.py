"""Export of a model as a TensorRT engine for this GPU, including the conversion of its input and output planes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import onnx

from vidsr.engines.gpus import gpu_of
from vidsr.engines.graph_format import PLANES_IN
from vidsr.engines.tensorrt.plan_file import EngineHeader, Shape, folder, pack
from vidsr.engines.tensorrt.tensorrt_engine import TensorrtEngine, settle, tensorrt
from vidsr.engines.tensorrt.tensorrt_graph import for_tensorrt, spec_of
from vidsr.errors import WrongOption
from vidsr.export.tensorrt_build import Progress, Warn, build
from vidsr.export.tensorrt_parity import check_engine
from vidsr.io.atomic import write_atomically
from vidsr.upscaling.graph.edges import attach
from vidsr.upscaling.graph.frame_format import FrameFormat, word_of
from vidsr.upscaling.model_file import Model, load_model

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Input sizes of an engine, each (width, height)."""

    least: Size
    best: Size
    """The size it is optimised for."""
    most: Size

    def __post_init__(self) -> None:
        for a, b, c in zip(self.least, self.best, self.most, strict=True):
            if not a <= b <= c:
                raise WrongOption(f"expected a minimum, a usual and a maximum size, got {self}")
        if self.least != self.most and any(side % 2 for size in (self.least, self.best, self.most) for side in size):
            raise WrongOption(f"sizes of an engine with --dynamic must be even, got {self}")

    def __str__(self) -> str:
        return " ".join("{}x{}".format(*size) for size in (self.least, self.best, self.most))

    def check_step(self, model: Model) -> None:
        """Raise WrongOption if sizes vary and the network would need padding, which such an engine cannot do."""
        step, sides = model.step, {side for size in (self.least, self.best, self.most) for side in size}
        if self.least != self.most and any(side % step for side in sides):
            raise WrongOption(f"sizes of {model.card.name} with --dynamic must be multiples of {step}, got {self}")

    def option(self) -> str:
        """Return the sizes as an option of `vidsr export`."""
        return "--size {}x{}".format(*self.best) if self.least == self.most else f"--dynamic {self}"


def export_engine(
    model: str | Path,
    target: Path | None = None,
    *,
    sizes: Sizes,
    pixels: FrameFormat,
    precision: Literal["f16", "f32"] = "f16",
    device: str = "auto",
    progress: Progress = lambda phase, done, total: None,
    warn: Warn = lambda sentence: None,
) -> Path:
    """Build the engine of a model for frames of these sizes and this format, check it against f32 and write it.

    model: name or path. target: the file; None: a name in the cache folder, where `--engine tensorrt` finds it.
    pixels: the frames' format; its size is ignored. precision: of the network; conversions of planes are exact in any
    case. progress: called from any thread with a phase of the build, its finished steps and their
    number. Returns the file's path.
    Raises UnknownModel, NotAModel, EngineMissing, EngineError if the engine cannot be built here, ParityFailed if it
    differs from f32, DiskFull.
    """
    if pixels.surface and sizes.least != sizes.most:
        raise WrongOption("an engine with --surface takes one size; give it with --size")
    device, _ = settle(device, precision)
    gpu = gpu_of(device)
    assert gpu is not None
    loaded = load_model(model)
    sizes.check_step(loaded)
    sizes = sizes if pixels.surface else in_bands(sizes, loaded, warn)
    pixels = replace(pixels, width=sizes.best[0], height=sizes.best[1])
    graph = graph_for(loaded, pixels, guarded=precision == "f16")
    spec = spec_of(graph, precision)
    header = EngineHeader(
        model=loaded.card.name,
        graph=spec.graph,
        precision=precision,
        inputs={name: limits_of(name, shape, sizes) for name, shape in spec.shapes.items()},
        gpu=gpu.name,
        compute=gpu.compute,
        tensorrt=tensorrt().__version__,
        command=spec.command.replace("--size {}x{}".format(*sizes.best), sizes.option()),
        card=loaded.card.to_json(),
        bits=pixels.bits,
        color=word_of(pixels.color, gray=pixels.gray),
        built=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    typed = for_tensorrt(with_dynamic_sizes(graph, header.inputs), precision)
    plan = build(typed, header.inputs, gpu=gpu.name, device=device, progress=progress, warn=warn)
    with TensorrtEngine(plan, spec, device=device, in_flight=1) as engine:
        check_engine(engine, loaded, pixels)
    path = target or folder() / header.file_name()
    write_atomically(path, pack(header, plan))
    return path


def in_bands(sizes: Sizes, model: Model, warn: Warn) -> Sizes:
    """Return the size of the bands in which an upscaler computes large frames, or the sizes if it needs none."""
    if sizes.least != sizes.most:
        return sizes
    width, height = sizes.best
    tall, _ = model.tile_size(height, width, on_cpu=False)
    if tall == height:
        return sizes
    warn(f"frames of {width}x{height} are computed in bands, so the engine is built for {width}x{tall}")
    return Sizes(*3 * ((width, tall),))


def graph_for(model: Model, pixels: FrameFormat, *, guarded: bool) -> bytes:
    """Return the same graph that an upscaler opens an engine with; see `attach`."""
    card = model.card
    return attach(
        model.graph, pixels, channels=card.channels, scale=card.scale, step=card.step, shuffled=True, guarded=guarded,
        name=model.name,
    )  # fmt: skip


def limits_of(name: str, shape: Shape, sizes: Sizes) -> list[list[int]]:
    """Return the minimum, optimum and maximum shape of an input. shape: the optimum."""
    if name not in PLANES_IN:
        return [list(shape)] * 3
    (width, height), (count, channels, *sides) = sizes.best, shape
    return [
        [count, channels, sides[0] * size[1] // height, sides[1] * size[0] // width]
        for size in (sizes.least, sizes.best, sizes.most)
    ]


def with_dynamic_sizes(graph: bytes, limits: Mapping[str, list[list[int]]]) -> bytes:
    """Return the graph with dynamic dimensions where the limits differ."""
    model = onnx.ModelProto.FromString(graph)
    for port in model.graph.input:
        least, _, most = limits[port.name]
        for axis, dim in enumerate(port.type.tensor_type.shape.dim):
            if least[axis] != most[axis]:
                dim.dim_param = f"{port.name}.{axis}"
    return bytes(model.SerializeToString())
