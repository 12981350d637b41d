"""Engine files: a TensorRT plan behind a header of ours, so that a file says what it is before anything loads it.

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

from vidsr.engines.gpus import Gpu
from vidsr.errors import CardMismatch, EngineMissing, NotAModel
from vidsr.io.cache import cache_folder

MAGIC = b"VIDSRTRT"
SUFFIX = ".engine"
START = struct.Struct("<8sI32s")
LONGEST = 1 << 20  # bytes of a header

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream needs an engine for."""

    graph: str
    """See `identity`."""
    shapes: Mapping[str, Shape]
    """Of each input."""
    precision: str
    command: str
    """What builds such an engine."""


@dataclass(frozen=True, slots=True)
class EngineHeader:
    """What an engine was built from, and for what."""

    model: str
    graph: str
    """See `identity`."""
    precision: str
    """f16 or f32."""
    inputs: dict[str, list[list[int]]]
    """The least, the best and the largest shape of each input; all the same for an engine of one size."""
    gpu: str
    compute: str
    """Compute capability: 8.9."""
    tensorrt: str
    command: str
    """The command that builds it again."""
    card: str = ""
    """The model's, JSON as in its own file."""
    bits: int = 8
    color: str = ""
    """As `--color` is told it."""
    built: str = ""
    """ISO date and time."""
    plan: str = ""
    """SHA-256 of the plan; `pack` fills it in."""

    def takes(self, shapes: Mapping[str, Shape]) -> bool:
        """Whether pictures of these shapes are those it was built for."""
        return shapes.keys() == self.inputs.keys() and all(
            len(shape) == len(least) and all(a <= side <= b for a, side, b in zip(least, shape, most, strict=True))
            for shape, (least, _, most) in ((shapes[name], limits) for name, limits in self.inputs.items())
        )

    def file_name(self) -> str:
        """`live-x4-480x270-f16-nvidia-l4-trt11.4.0-1a2b3c4d.engine`."""
        least, _, most = max(self.inputs.values(), key=lambda limits: math.prod(limits[2]))  # luma's
        size = "-".join(f"{shape[-1]}x{shape[-2]}" for shape in ([least] if least == most else [least, most]))
        parts = (self.model, size, self.precision, self.gpu, f"trt{self.tensorrt}", self.graph[:8])
        return "-".join(slug(part) for part in parts) + SUFFIX

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read a header back. Raises ValueError where it is none."""
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("it is no table")
        known = {field.name for field in fields(cls)}
        header = cls(**{key: value for key, value in values.items() if key in known})
        for name, kind in get_type_hints(cls).items():
            if kind in (str, int) and type(getattr(header, name)) is not kind:
                raise ValueError(f"{name} is no {kind.__name__}")
        for limits in header.inputs.values():
            least, best, most = limits
            if not all(isinstance(side, int) for side in (*least, *best, *most)):
                raise ValueError("a shape is no row of whole numbers")
        return header


def slug(text: str) -> str:
    """A text as part of a file's name."""
    return re.sub(r"[^\w.]+", "-", text).strip("-")


def folder() -> Path:
    """Where engines are kept and looked for: VIDSR_ENGINES, or the user's cache."""
    chosen = os.environ.get("VIDSR_ENGINES")
    return Path(chosen).expanduser() if chosen else cache_folder("engines")


def identity(graph: bytes) -> str:
    """The SHA-256 of a graph apart from the size of its pictures: network, edges, bits and colour.

    graph: ONNX bytes, with edges, in the precision it is stored in.
    """
    import onnx

    model = onnx.ModelProto.FromString(graph)
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    return hashlib.sha256(model.graph.SerializeToString(deterministic=True)).hexdigest()


def pack(header: EngineHeader, plan: bytes) -> bytes:
    """The content of an engine file."""
    values = {**asdict(header), "plan": hashlib.sha256(plan).hexdigest()}
    text = json.dumps(values, sort_keys=True).encode()
    return START.pack(MAGIC, len(text), hashlib.sha256(text).digest()) + text + plan


def read_header(path: Path) -> EngineHeader:
    """Read what an engine file was built for. Raises NotAModel where it is none, or its header is damaged."""
    with path.open("rb") as file:
        return _header(file.read(START.size + LONGEST), path)[0]


def read_engine(path: Path) -> tuple[EngineHeader, memoryview]:
    """Read an engine file wholly. Raises NotAModel where it is none, or damaged anywhere."""
    content = path.read_bytes()
    header, size = _header(content, path)
    plan = memoryview(content)[size:]
    if hashlib.sha256(plan).hexdigest() != header.plan:
        raise NotAModel(f"{path} is damaged: its plan is not the one that was written; {_again(header)}")
    return header, plan


def check_fits(path: Path, header: EngineHeader, gpu: Gpu, tensorrt: str) -> None:
    """Raise CardMismatch where an engine was built for another GPU, or another version of TensorRT."""
    wanted = f"{Gpu(header.gpu, header.compute, 0)} and TensorRT {header.tensorrt}"
    if wanted != (here := f"{gpu} and TensorRT {tensorrt}"):
        raise CardMismatch(f"{path} was built for {wanted}, and here are {here}; {_again(header)}")


def find(wanted: "Wanted", gpu: Gpu, tensorrt: str) -> Path:
    """Find the engine file in `folder` that enlarges such pictures on this GPU.

    Raises CardMismatch where the only one there is was built for another GPU or version, NotAModel where it is
    damaged or cannot be read, and EngineMissing where there is none; each says the command that builds it.
    """
    refused: list[CardMismatch | NotAModel] = []
    for path in sorted(folder().glob(f"*-{wanted.graph[:8]}{SUFFIX}")):
        try:
            header = read_header(path)
            if (header.graph, header.precision) == (wanted.graph, wanted.precision) and header.takes(wanted.shapes):
                check_fits(path, header, gpu, tensorrt)
                return path
        except OSError as exc:
            refused.append(NotAModel(f"{path} cannot be read: {exc.strerror}; {wanted.command!r} builds it again"))
        except (CardMismatch, NotAModel) as exc:
            refused.append(exc)
    if refused:
        raise refused[0]
    luma = max(wanted.shapes.values(), key=math.prod)
    raise EngineMissing(
        f"no TensorRT engine is built for this network, {luma[-1]}x{luma[-2]} in {wanted.precision} on {gpu}; "
        f"{wanted.command!r} builds one"
    )


def _header(content: bytes, path: Path) -> tuple[EngineHeader, int]:
    """The header, and where the plan begins."""
    if not content.startswith(MAGIC):
        raise NotAModel(f"{path} is no engine file of vidsr; 'vidsr export MODEL --trt' builds one")
    try:
        _, length, digest = START.unpack_from(content)
        text = content[START.size : START.size + length]
        if hashlib.sha256(text).digest() != digest:
            raise ValueError("its header is not the one that was written")
        return EngineHeader.from_json(text), START.size + length
    except (struct.error, ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise NotAModel(f"{path} is damaged ({exc}); 'vidsr export MODEL --trt' builds it again") from exc


def _again(header: EngineHeader) -> str:
    return f"rebuild it: {header.command}"
