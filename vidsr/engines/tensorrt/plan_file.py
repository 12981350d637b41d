"""Engine files: a TensorRT plan behind a header that says what it was built for, so that it is known before loading.

magic (8 bytes) | length of the header (4, little-endian) | its SHA-256 (32) | the header, JSON | the plan
"""

import hashlib
import json
import math
import os
import re
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self, get_type_hints

import onnx

from vidsr.engines.gpus import Gpu
from vidsr.engines.graph_format import Port
from vidsr.errors import CardMismatch, EngineMissing, NotAModel
from vidsr.io.cache import cache_folder

MAGIC = b"VIDSRTRT"
SUFFIX = ".engine"
START = struct.Struct("<8sI32s")
LONGEST = 1 << 20  # bytes of a header
REBUILD_HINT = "'vidsr export MODEL --trt'"

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an engine must have been built for to run a graph."""

    graph: str
    """See `identity`."""
    precision: str
    command: str
    """The command that builds such an engine."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of each input."""
        return {port.name: port.shape for port in self.inputs}


@dataclass(frozen=True, slots=True)
class EngineHeader:
    """The header of an engine file. Its fields are the keys of the JSON."""

    model: str
    graph: str
    """See `identity`."""
    precision: str
    """f16 or f32."""
    inputs: dict[str, list[list[int]]]
    """The smallest, the optimal and the largest shape of each input; all equal if the engine takes one size."""
    gpu: str
    compute: str
    """Compute capability, such as 8.9."""
    tensorrt: str
    command: str
    """The command that builds the engine again."""
    card: str = ""
    """The model's card, as JSON."""
    bits: int = 8
    color: str = ""
    """The value of `--color`."""
    built: str = ""
    """ISO date and time."""
    plan: str = ""
    """SHA-256 of the plan, which `pack` fills in."""

    def takes(self, shapes: Mapping[str, Shape]) -> bool:
        """Return whether the engine takes inputs of these shapes."""
        return shapes.keys() == self.inputs.keys() and all(
            len(shape) == len(least) and all(a <= side <= b for a, side, b in zip(least, shape, most, strict=True))
            for shape, (least, _, most) in ((shapes[name], limits) for name, limits in self.inputs.items())
        )

    def file_name(self) -> str:
        """Return a name such as `live-x4-480x270-f16-nvidia-l4-trt11.4.0-1a2b3c4d.engine`."""
        least, _, most = max(self.inputs.values(), key=lambda limits: math.prod(limits[2]))  # the luma plane's
        size = "-".join(f"{shape[-1]}x{shape[-2]}" for shape in ([least] if least == most else [least, most]))
        parts = (self.model, size, self.precision, self.gpu, f"trt{self.tensorrt}", self.graph[:8])
        return "-".join(slug(part) for part in parts) + SUFFIX

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Parse a header. Raises ValueError if a field is missing or has the wrong type."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("the header is not an object")
        known = {field.name for field in fields(cls)}
        header = cls(**{key: value for key, value in values.items() if key in known})
        for name, kind in get_type_hints(cls).items():
            if kind in (str, int) and type(getattr(header, name)) is not kind:
                raise ValueError(f"{name} is not of type {kind.__name__}")
        for limits in header.inputs.values():
            least, best, most = limits
            if not all(isinstance(side, int) for side in (*least, *best, *most)):
                raise ValueError("a shape is not a list of integers")
        return header


def slug(text: str) -> str:
    """Return a text with only characters that are safe in file names."""
    return re.sub(r"[^\w.]+", "-", text).strip("-")


def folder() -> Path:
    """Return the folder of engine files: VIDSR_ENGINES, or one in the user's cache."""
    chosen = os.environ.get("VIDSR_ENGINES")
    return Path(chosen).expanduser() if chosen else cache_folder("engines")


def identity(graph: bytes) -> str:
    """Return the SHA-256 of a graph without its input shapes: of the network, its edges, their bits and colours.

    graph: ONNX bytes with edges, before any conversion of precision.
    """
    model = onnx.ModelProto.FromString(graph)
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    return hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()


def pack(header: EngineHeader, plan: bytes) -> bytes:
    """Return the content of an engine file."""
    values = {**asdict(header), "plan": hashlib.sha256(plan).hexdigest()}
    text = json.dumps(values, sort_keys=True).encode()
    return START.pack(MAGIC, len(text), hashlib.sha256(text).digest()) + text + plan


def read_header(path: Path) -> EngineHeader:
    """Read the header of an engine file. Raises NotAModel if it is not an engine file, or its header is damaged."""
    with path.open("rb") as file:
        return _header(file.read(START.size + LONGEST), path)[0]


def read_engine(path: Path) -> tuple[EngineHeader, memoryview]:
    """Read an engine file, and return its header and plan. Raises NotAModel if it is damaged."""
    content = path.read_bytes()
    header, size = _header(content, path)
    plan = memoryview(content)[size:]
    if hashlib.sha256(plan).hexdigest() != header.plan:
        raise NotAModel(f"{path} is damaged: the checksum of its plan does not match; rebuild it: {header.command}")
    return header, plan


def check_fits(path: Path, header: EngineHeader, gpu: Gpu, tensorrt: str) -> None:
    """Raise CardMismatch if an engine was built for another GPU or another version of TensorRT."""
    wanted = f"{Gpu(header.gpu, header.compute, 0)} and TensorRT {header.tensorrt}"
    if wanted != (here := f"{gpu} and TensorRT {tensorrt}"):
        raise CardMismatch(f"{path} was built for {wanted}; this machine has {here}; rebuild it: {header.command}")


def find(spec: EngineSpec, gpu: Gpu, tensorrt: str) -> Path:
    """Return the engine file in `folder` that runs a graph on this GPU.

    Raises CardMismatch if the only such file was built for another GPU or version, NotAModel if it is damaged or cannot
    be read, and EngineMissing if none was built; each message names the command that builds it.
    """
    refused: list[CardMismatch | NotAModel] = []
    for path in sorted(folder().glob(f"*-{spec.graph[:8]}{SUFFIX}")):
        try:
            header = read_header(path)
            if (header.graph, header.precision) == (spec.graph, spec.precision) and header.takes(spec.shapes):
                check_fits(path, header, gpu, tensorrt)
                return path
        except OSError as exc:
            refused.append(NotAModel(f"{path} cannot be read: {exc.strerror}; {spec.command!r} builds it again"))
        except (CardMismatch, NotAModel) as exc:
            refused.append(exc)
    if refused:
        raise refused[0]
    luma = max(spec.shapes.values(), key=math.prod)
    raise EngineMissing(
        f"no TensorRT engine was built for this network, {luma[-1]}x{luma[-2]} in {spec.precision} on {gpu}; "
        f"{spec.command!r} builds one"
    )


def _header(content: bytes, path: Path) -> tuple[EngineHeader, int]:
    """Return the header, and the offset of the plan."""
    if not content.startswith(MAGIC):
        raise NotAModel(f"{path} is not an engine file of vidsr; {REBUILD_HINT} builds one")
    try:
        _, length, digest = START.unpack_from(content)
        text = content[START.size : START.size + length]
        if hashlib.sha256(text).digest() != digest:
            raise ValueError("the checksum of its header does not match")
        return EngineHeader.from_json(text), START.size + length
    except (struct.error, ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise NotAModel(f"{path} is damaged ({exc}); {REBUILD_HINT} builds it again") from exc
