"""From a model to a TensorRT engine for this GPU, edges inside, in the folder where engines are looked for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import onnx

from vidsr.engines import Precision
from vidsr.engines.gpus import gpu_of
from vidsr.engines.graph_format import PLANES_IN
from vidsr.engines.tensorrt.plan_file import EngineHeader, Shape, folder, pack
from vidsr.engines.tensorrt.tensorrt_engine import TensorrtEngine, settle, tensorrt
from vidsr.engines.tensorrt.tensorrt_graph import for_tensorrt, spec_of
from vidsr.errors import WrongOption
from vidsr.export.tensorrt_build import Notice, Progress, build
from vidsr.export.tensorrt_parity import check_engine
from vidsr.io.atomic import write_atomically
from vidsr.upscaling.graph.edges import attach
from vidsr.upscaling.graph.frame_format import FrameFormat, word_of
from vidsr.upscaling.model_file import Model, load_model

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Widths and heights that an engine takes."""

    least: Size
    best: Size
    """What it is tuned for."""
    most: Size

    def __post_init__(self) -> None:
        for a, b, c in zip(self.least, self.best, self.most, strict=True):
            if not a <= b <= c:
                raise WrongOption(f"{self} do not grow; give the least size, the usual one and the largest")
        if self.least != self.most and any(side % 2 for size in (self.least, self.best, self.most) for side in size):
            raise WrongOption(f"{self} are not all even, which sizes that vary must be")

    def __str__(self) -> str:
        return " ".join("{}x{}".format(*size) for size in (self.least, self.best, self.most))

    def check_step(self, network: Model) -> None:
        """Raise WrongOption where sizes vary and a network cannot take them as they are: its engine fills none up."""
        step, sides = network.step, {side for size in (self.least, self.best, self.most) for side in size}
        if self.least != self.most and any(side % step for side in sides):
            raise WrongOption(f"{self} are not all multiples of {step}, as {network.card.name} wants sizes that vary")

    def option(self) -> str:
        """As the command is told them."""
        return "--size {}x{}".format(*self.best) if self.least == self.most else f"--dynamic {self}"


def export_engine(
    model: str | Path,
    target: Path | None = None,
    *,
    sizes: Sizes,
    pixels: FrameFormat,
    f16: bool = True,
    device: str = "auto",
    progress: Progress = lambda phase, done, total: None,
    notice: Notice = lambda sentence: None,
) -> Path:
    """Build the engine of a model for pictures of these sizes, bits and colours, and say where it lies.

    model: a name or a path. target: the file; None gives it a name in `plans.folder`, where `--engine tensorrt` finds
    it. pixels: of any size; that of `sizes` counts. f16: whether the network computes in float16; its edges are exact
    either way. progress: called from any thread with a phase of the build, how many of its steps are done, and how many
    there are.
    The engine is held against f32 on the CPU before it is written, whole or not at all.
    Raises UnknownModel, NotAModel, EngineMissing and EngineError where it cannot be built here, ParityFailed where it
    computes something else, DiskFull.
    """
    if pixels.surface and sizes.least != sizes.most:
        raise WrongOption("an engine for pictures as GPUs hold them takes one size; give it with --size")
    precision: Precision = "f16" if f16 else "f32"
    device, _ = settle(device, precision)
    gpu = gpu_of(device)
    assert gpu is not None
    network = load_model(model)
    sizes.check_step(network)
    sizes = sizes if pixels.surface else in_bands(sizes, network, notice)
    pixels = replace(pixels, width=sizes.best[0], height=sizes.best[1])
    graph = graph_for(network, pixels, guarded=f16)
    spec = spec_of(graph, precision)
    header = EngineHeader(
        model=network.card.name,
        graph=spec.graph,
        precision=precision,
        inputs={name: limits_of(name, shape, sizes) for name, shape in spec.shapes.items()},
        gpu=gpu.name,
        compute=gpu.compute,
        tensorrt=tensorrt().__version__,
        command=spec.command.replace("--size {}x{}".format(*sizes.best), sizes.option()),
        card=network.card.to_json(),
        bits=pixels.bits,
        color=word_of(pixels.color, gray=pixels.gray),
        built=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    typed = for_tensorrt(opened(graph, header.inputs), precision)
    plan = build(typed, header.inputs, gpu=gpu.name, device=device, progress=progress, notice=notice)
    with TensorrtEngine(plan, spec, device=device, in_flight=1) as engine:
        check_engine(engine, network, pixels)
    path = target or folder() / header.file_name()
    write_atomically(path, pack(header, plan))
    return path


def in_bands(sizes: Sizes, network: Model, notice: Notice) -> Sizes:
    """The size of what an upscaler computes at once where pictures are large: bands as wide as they are."""
    if sizes.least != sizes.most:
        return sizes
    width, height = sizes.best
    tall, _ = network.tile_size(height, width, on_cpu=False)
    if tall == height:
        return sizes
    notice(f"pictures of {width}x{height} are computed in bands, so the engine is built for {width}x{tall}")
    return Sizes(*3 * ((width, tall),))


def graph_for(model: Model, wanted: FrameFormat, *, guarded: bool) -> bytes:
    """Return the very graph that an upscaler asks an engine for; see `attach`."""
    card = model.card
    return attach(
        model.graph, wanted, channels=card.channels, scale=card.scale, step=card.step, shuffled=True, guarded=guarded,
        name=model.name,
    )  # fmt: skip


def limits_of(name: str, shape: Shape, sizes: Sizes) -> list[list[int]]:
    """The least, the best and the largest shape of an input. shape: the best."""
    if name not in PLANES_IN:
        return [list(shape)] * 3
    (width, height), (count, channels, *sides) = sizes.best, shape
    return [
        [count, channels, sides[0] * size[1] // height, sides[1] * size[0] // width]
        for size in (sizes.least, sizes.best, sizes.most)
    ]


def opened(graph: bytes, limits: Mapping[str, list[list[int]]]) -> bytes:
    """The graph with the sides left open on which its pictures are to differ."""
    model = onnx.ModelProto.FromString(graph)
    for port in model.graph.input:
        least, _, most = limits[port.name]
        for axis, dim in enumerate(port.type.tensor_type.shape.dim):
            if least[axis] != most[axis]:
                dim.dim_param = f"{port.name}.{axis}"
    return bytes(model.SerializeToString())
