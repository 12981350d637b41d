"""The public surface: what it names, and how little it loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vidsr


def test_the_names_are_these() -> None:
    assert sorted(vidsr.__all__) == [
        "ColorSpec", "EncodeOptions", "Frame", "ModelCard", "Notice", "Progress", "ReadOptions", "Summary",
        "UpscaleOptions", "Verification", "available_models", "create_video", "errors", "load_upscaler", "open_video",
        "upscale_image", "upscale_video", "verify_video",
    ]  # fmt: skip


@pytest.mark.parametrize("name", vidsr.__all__)
def test_every_name_is_there_and_explained(name: str) -> None:
    assert getattr(vidsr, name).__doc__
    assert name in dir(vidsr)


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(vidsr.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = [alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(map(str, seen)) == sorted(vidsr.__all__)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="no attribute 'downscale'"):
        vidsr.downscale  # noqa: B018


def test_importing_loads_no_runtime_no_pyav_and_no_torch() -> None:
    heavy = {"av", "numpy", "onnx", "onnxruntime", "openvino", "torch", "PIL", "tensorrt"}
    code = f"import vidsr, vidsr.cli, sys; print(*({heavy} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stdout.split() == []
