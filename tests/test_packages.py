"""An installed vidsr has every folder that the checkout has."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_every_folder_of_code_is_installed() -> None:
    project = ROOT / "pyproject.toml"
    if not project.exists():
        pytest.skip("the tests are not run from a checkout")
    told = set(tomllib.loads(project.read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"])
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "vidsr").rglob("__init__.py")}
    assert told == there | {"vidsr.shelf"}
