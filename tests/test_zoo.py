"""Models by name, path and scale."""

import os
from pathlib import Path

import pytest

from tests.networks import network, save
from vidsr import zoo
from vidsr.card import ModelCard
from vidsr.errors import UnknownModel


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A shelf with live-x2 and live-x4, and a user's folder with a model of theirs."""
    shelf, mine = tmp_path / "shelf", tmp_path / "mine"
    shelf.mkdir()
    mine.mkdir()
    for scale in (2, 4):
        save(network(scale=scale), shelf / f"live-x{scale}.onnx", ModelCard(f"live-x{scale}", scale, 1, 3))
    save(network(), mine / "anime.onnx")
    monkeypatch.setattr(zoo, "_shelf_folder", lambda: shelf)
    monkeypatch.setenv("VIDSR_MODELS", str(mine))
    return shelf, mine


def test_a_model_is_found_by_path_and_by_name(folders: tuple[Path, Path]) -> None:
    shelf, mine = folders
    assert zoo.find("live-x4") == shelf / "live-x4.onnx"
    assert zoo.find("anime") == mine / "anime.onnx"
    assert zoo.find(mine / "anime.onnx") == mine / "anime.onnx"
    assert zoo.find(str(mine / "anime.onnx")) == mine / "anime.onnx"


def test_the_shelf_takes_precedence_over_the_users_folder(folders: tuple[Path, Path]) -> None:
    shelf, mine = folders
    save(network(), mine / "live-x2.onnx")
    assert zoo.find("live-x2") == shelf / "live-x2.onnx"


def test_an_unknown_name_is_answered_with_the_closest_and_all_others(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UnknownModel, match=r"unknown model 'live-x5'; did you mean live-x4\? Expected one of anime,"):
        zoo.find("live-x5")
    with pytest.raises(UnknownModel, match="expected one of anime, live-x2, live-x4, bicubic, lanczos, nearest, or a"):
        zoo.find("zzzzzz")


def test_a_path_that_does_not_exist_is_refused(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UnknownModel, match=r"other\.onnx is not a file; the models known by name are anime"):
        zoo.find(folders[1] / "other.onnx")


def test_a_folder_is_not_a_model(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UnknownModel, match="is not a file"):
        zoo.find(folders[1])


def test_the_shelf_lists_its_models_with_their_cards(folders: tuple[Path, Path]) -> None:
    assert [(path.stem, card.scale) for path, card in zoo.shelf()] == [("live-x2", 2), ("live-x4", 4)]


@pytest.mark.parametrize(("scale", "name"), [(1, "live-x2"), (2, "live-x2"), (2.1, "live-x4"), (9, "live-x4")])
def test_the_smallest_factor_that_reaches_the_scale_is_taken(
    folders: tuple[Path, Path], scale: float, name: str
) -> None:
    assert zoo.by_scale(scale) == folders[0] / f"{name}.onnx"


def test_an_empty_shelf_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "_shelf_folder", lambda: tmp_path)
    with pytest.raises(UnknownModel, match="has no live-x"):
        zoo.by_scale(2)


def test_the_users_folder_is_the_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDSR_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert zoo.user_folder() == Path("/data/vidsr/models")


def test_a_user_without_a_home_has_no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIDSR_MODELS", "XDG_DATA_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 7, raising=False)  # a user whom the system does not know
    assert not zoo.user_folder().exists()


def test_the_shelf_is_the_packages_own_folder() -> None:
    assert (zoo._shelf_folder() / "__init__.py").is_file()
