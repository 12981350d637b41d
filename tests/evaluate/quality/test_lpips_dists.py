"""LPIPS and DISTS: nothing is downloaded, missing files are named, and the definitions are torchmetrics'."""

import socket
from types import SimpleNamespace

import numpy as np
import pytest

from vidsr.errors import ExtraMissing, NotAModel
from vidsr.evaluate.quality import lpips_dists


@pytest.fixture(autouse=True)
def shut(monkeypatch, tmp_path):
    """No network, nothing cached, and an empty folder of weights."""

    def refuse(*_):
        raise AssertionError("it tried to connect")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    lpips_dists.load_distance.cache_clear()
    yield
    lpips_dists.load_distance.cache_clear()


def pair() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (72, 96, 3)).astype(np.uint8)
    return np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8), truth


def put_backbone(tmp_path, name):
    """Save a backbone of random weights where torchvision puts the trained one; return its layers."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchmetrics")
    torch.manual_seed(0)
    layers = {"lpips": lpips_dists._alexnet, "dists": lpips_dists._vgg16}[name]()
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state = {f"features.{key}": value for key, value in layers.state_dict().items()}
    torch.save({**state, "classifier.6.bias": torch.zeros(9)}, folder / lpips_dists.BACKBONES[name])
    return layers


@pytest.mark.parametrize(("name", "file"), [("lpips", "alexnet-owt-7be5be79.pth"), ("dists", "vgg16-397923af.pth")])
def test_missing_weights_are_named_with_the_place_where_they_are_looked_for(tmp_path, name, file):
    pytest.importorskip("torch")
    with pytest.raises(ExtraMissing, match=rf"{name.upper()} needs the weights {file} in .*checkpoints") as caught:
        lpips_dists.load_distance(name)
    assert str(tmp_path) in str(caught.value) and "does not download" in str(caught.value)


def test_without_torch_the_error_names_the_extra(monkeypatch):
    monkeypatch.setattr(lpips_dists, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"LPIPS needs torch and torchmetrics; .*pip install 'vidsr\[train\]'"):
        lpips_dists.load_distance("lpips")


def test_lpips_is_torchmetrics_lpips(tmp_path, monkeypatch):
    layers = put_backbone(tmp_path, "lpips")
    from torchmetrics.functional.image import lpips as theirs

    monkeypatch.setattr(theirs, "_get_tv_model_features", lambda net, pretrained=False: layers)
    ours, truth = pair()
    tensors = [lpips_dists._tensor(picture) for picture in (ours, truth)]
    expected = theirs.learned_perceptual_image_patch_similarity(*tensors, "alex", normalize=True)
    distance = lpips_dists.load_distance("lpips")
    assert distance(ours, truth) == pytest.approx(float(expected), rel=1e-5)
    assert distance(truth, truth) == 0 < distance(ours, truth)


def test_dists_is_torchmetrics_dists(tmp_path, monkeypatch):
    layers = put_backbone(tmp_path, "dists")
    from torchmetrics.functional.image import dists as theirs

    monkeypatch.setattr(theirs, "_TORCHVISION_AVAILABLE", True)
    monkeypatch.setattr(theirs, "VGG16_Weights", SimpleNamespace(DEFAULT=None), raising=False)
    monkeypatch.setattr(theirs, "vgg16", lambda weights: SimpleNamespace(features=layers), raising=False)
    ours, truth = pair()
    tensors = [lpips_dists._tensor(picture) for picture in (ours, truth)]
    expected = theirs.deep_image_structure_and_texture_similarity(*tensors).detach()
    distance = lpips_dists.load_distance("dists")
    assert distance(ours, truth) == pytest.approx(float(expected), abs=1e-5)
    assert distance(truth, truth) == pytest.approx(0, abs=1e-5)


def test_a_picture_too_small_has_no_distance(tmp_path):
    put_backbone(tmp_path, "lpips")
    assert np.isnan(lpips_dists.load_distance("lpips")(*(np.zeros((63, 80, 3), np.uint8),) * 2))


def test_a_file_that_holds_something_else_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    put_backbone(tmp_path, "lpips")
    file = tmp_path / "hub" / "checkpoints" / lpips_dists.BACKBONES["lpips"]
    torch.save({"features.0.weight": torch.zeros(1)}, file)
    with pytest.raises(NotAModel, match=r"alexnet-.*\.pth does not hold the features that LPIPS uses"):
        lpips_dists.load_distance("lpips")
    file.write_bytes(b"cut off")
    with pytest.raises(NotAModel, match="is not a file of PyTorch weights"):
        lpips_dists.load_distance("lpips")
