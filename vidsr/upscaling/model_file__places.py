"""Model files, which keep their weights in themselves, or in files of their own folder; nowhere else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from vidsr.errors import NotAModel


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
