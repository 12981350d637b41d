"""LPIPS and DISTS: nothing is fetched, what is missing is said, and the definitions are torchmetrics'."""

import socket
from types import SimpleNamespace

import numpy as np
import pytest

from vidsr.errors import ExtraMissing, NotAModel
from vidsr.evaluate.quality import lpips_dists as perceptual


@pytest.fixture(autouse=True)
def shut(monkeypatch, tmp_path):
    """No way out, nothing remembered, and a folder of weights with nothing in it."""

    def refuse(*_):
        raise AssertionError("something wants to go out")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    perceptual.load.cache_clear()
    yield
    perceptual.load.cache_clear()


def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (72, 96, 3)).astype(np.uint8)
    return np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8), truth


def put_backbone(tmp_path, name):
    """A backbone of random weights where torchvision would have put the trained one; gives its layers."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchmetrics")
    torch.manual_seed(0)
    layers = {"lpips": perceptual._alexnet, "dists": perceptual._vgg16}[name]()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = {f"features.{key}": value for key, value in layers.state_dict().items()}
    torch.save({**state, "classifier.6.bias": torch.zeros(9)}, folder / perceptual.BACKBONES[name])
    return layers


@pytest.mark.parametrize(("name", "file"), [("lpips", "alexnet-owt-7be5be79.pth"), ("dists", "vgg16-397923af.pth")])
def test_missing_weights_are_named_with_the_place_where_they_are_looked_for(tmp_path, name, file):
    pytest.importorskip("torch")
    with pytest.raises(ExtraMissing, match=rf"{name.upper()} needs the weights {file} in .*checkpoints") as caught:
        perceptual.load(name)
    assert str(tmp_path) in str(caught.value) and "never downloads" in str(caught.value)


def test_without_torch_it_says_which_extra_brings_it(monkeypatch):
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"LPIPS needs torch and torchmetrics; pip install 'vidsr\[train\]'"):
        perceptual.load("lpips")


def test_lpips_is_torchmetrics_lpips(tmp_path, monkeypatch):
    layers = put_backbone(tmp_path, "lpips")
    from torchmetrics.functional.image import lpips as theirs

    monkeypatch.setattr(theirs, "_get_tv_model_features", lambda net, pretrained=False: layers)
    ours, truth = pair()
    tensors = [perceptual._tensor(picture) for picture in (ours, truth)]
    expected = theirs.learned_perceptual_image_patch_similarity(*tensors, "alex", normalize=True)
    distance = perceptual.load("lpips")
    assert distance(ours, truth) == pytest.approx(float(expected), rel=1e-5)
    assert distance(truth, truth) == 0 < distance(ours, truth)


def test_dists_is_torchmetrics_dists(tmp_path, monkeypatch):
    layers = put_backbone(tmp_path, "dists")
    from torchmetrics.functional.image import dists as theirs

    monkeypatch.setattr(theirs, "_TORCHVISION_AVAILABLE", True)
    monkeypatch.setattr(theirs, "VGG16_Weights", SimpleNamespace(DEFAULT=None), raising=False)
    monkeypatch.setattr(theirs, "vgg16", lambda weights: SimpleNamespace(features=layers), raising=False)
    ours, truth = pair()
    tensors = [perceptual._tensor(picture) for picture in (ours, truth)]
    expected = theirs.deep_image_structure_and_texture_similarity(*tensors).detach()
    distance = perceptual.load("dists")
    assert distance(ours, truth) == pytest.approx(float(expected), abs=1e-5)
    assert distance(truth, truth) == pytest.approx(0, abs=1e-5)


def test_a_picture_too_small_has_no_distance(tmp_path):
    put_backbone(tmp_path, "lpips")
    assert np.isnan(perceptual.load("lpips")(*(np.zeros((63, 80, 3), np.uint8),) * 2))


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    put_backbone(tmp_path, "lpips")
    file = tmp_path / "hub" / "checkpoints" / perceptual.BACKBONES["lpips"]
    torch.save({"features.0.weight": torch.zeros(1)}, file)
    with pytest.raises(NotAModel, match=r"alexnet-.*\.pth does not hold the features that LPIPS looks at"):
        perceptual.load("lpips")
    file.write_bytes(b"cut off")
    with pytest.raises(NotAModel, match="is no file of PyTorch weights"):
        perceptual.load("lpips")
