"""The set of operators that graphs are read and written in."""

import onnx
from onnx import version_converter

from vidsr.errors import NotAModel

OPSET = 13  # what is added here, and what PyTorch is told, is written for this one or later


def of_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model, converted where its operators are of an older set. Raises NotAModel where they cannot be."""
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset >= OPSET:
        return model
    try:
        return version_converter.convert_version(model, OPSET)
    except (RuntimeError, UnicodeDecodeError, version_converter.ConvertError) as exc:
        reason = " ".join(str(exc).split())
        raise NotAModel(
            f"the network is of opset {opset}, which ONNX cannot convert to {OPSET} ({reason}); export it with that one"
        ) from exc
