import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from torch import nn

from vidsr.errors import ExtraMissing, NotAModel, RecipeError, StreamBroken
from vidsr.nets.vgg import Vgg, open_vgg


def as_torchvision():
    """The first five convolutions as torchvision numbers them, with weights of chance, and the state dict of it."""
    torch.manual_seed(0)
    widths = [(3, 64), (64, 64), None, (64, 128), (128, 128), None, (128, 256)]
    layers = []
    for pair in widths:
        layers += [nn.Conv2d(*pair, 3, padding=1), nn.ReLU()] if pair else [nn.MaxPool2d(2)]
    net = nn.Sequential(*layers).requires_grad_(False)
    state = {f"features.{name}": tensor for name, tensor in net.state_dict().items()}
    return net, {**state, "classifier.0.weight": torch.zeros(2, 2), "classifier.0.bias": torch.zeros(2)}


def as_gatys():
    """The rescaled network as it is published, up to relu3_1."""
    layers = [nn.Conv2d(3, 3, 1)]
    for pair in [(3, 64), (64, 64), None, (64, 128), (128, 128), None, (128, 256)]:
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(*pair, 3), nn.ReLU()] if pair else [nn.MaxPool2d(2, ceil_mode=True)]
    return nn.Sequential(*layers).requires_grad_(False)


def test_layers_are_named_before_and_after_their_activation():
    net, state = as_torchvision()
    x = torch.rand(2, 3, 14, 10)
    normal = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    vgg = Vgg(state, ["relu3_1", "conv1_2", "relu1_2", "conv2_1"])
    expected = [net(normal), net[:3](normal), net[:4](normal), net[:6](normal)]
    for ours, truth in zip(vgg(x), expected, strict=True):
        torch.testing.assert_close(ours, truth, rtol=1e-5, atol=1e-5)


def test_the_rescaled_network_pads_by_reflection_and_takes_pictures_from_0_to_1():
    net = as_gatys()
    x = torch.rand(1, 3, 15, 11)
    relu2_1, relu3_1 = Vgg(net.state_dict(), ["relu2_1", "relu3_1"])(x)
    torch.testing.assert_close(relu2_1, net[:11](x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(relu3_1, net(x), rtol=1e-5, atol=1e-5)


def test_the_picture_learns_and_the_network_does_not():
    vgg, x = Vgg(as_torchvision()[1], ["conv1_1"]), torch.rand(1, 3, 8, 8, requires_grad=True)
    vgg(x)[0].square().mean().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in vgg.parameters())


def test_luma_equals_grey_rgb():
    vgg, luma = Vgg(as_torchvision()[1], ["relu1_1"]), torch.rand(1, 1, 8, 8)
    assert torch.equal(vgg(luma)[0], vgg(luma.repeat(1, 3, 1, 1))[0])


def test_nothing_deeper_than_asked_for_is_kept():
    assert len(Vgg(as_torchvision()[1], ["conv1_2"]).convolutions) == 2


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("conv5_4", "ends at relu3_1, before conv5_4: name a layer up to there"),
        ("relu3_2", "ends at relu3_1, before relu3_2"),
        ("relu6_1", "no layer relu6_1"),
        ("pool1_1", "no layer pool1_1"),
    ],
)
def test_a_layer_that_is_not_there_is_refused(layer, sentence):
    with pytest.raises(RecipeError, match=sentence):
        Vgg(as_torchvision()[1], ["relu1_1", layer])


def test_what_is_not_vgg19_is_refused(tmp_path):
    with pytest.raises(NotAModel, match="does not hold the convolutions of VGG19"):
        Vgg({"features.0.weight": torch.zeros(32, 3, 3, 3), "features.0.bias": torch.zeros(32)}, ["relu1_1"])
    for content, sentence in ((b"no", "cannot be read"), (None, "cannot be read")):
        file = tmp_path / f"{len(content or b'')}.pth"
        if content:
            file.write_bytes(content)
        with pytest.raises(NotAModel, match=sentence):
            open_vgg(file, ["relu1_1"])
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(NotAModel, match="holds a list, not the state dict"):
        open_vgg(tmp_path / "list.pth", ["relu1_1"])


def test_a_file_that_ends_early_is_named(tmp_path):
    torch.save(as_torchvision()[1], tmp_path / "short.pth")
    assert open_vgg(tmp_path / "short.pth", ["relu3_1"]).layers == ("relu3_1",)
    with pytest.raises(RecipeError, match=r"short\.pth ends at relu3_1"):
        open_vgg(tmp_path / "short.pth", ["relu5_4"])


def test_without_a_file_torchvision_downloads_the_weights(monkeypatch):
    def fetched(progress):
        return as_torchvision()[1]

    def offline(progress):
        raise ConnectionError("no route to host")

    for fetch in (fetched, offline):
        weights = SimpleNamespace(IMAGENET1K_V1=SimpleNamespace(get_state_dict=fetch))
        monkeypatch.setitem(sys.modules, "torchvision.models", SimpleNamespace(VGG19_Weights=weights))
        monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace())
        if fetch is fetched:
            assert open_vgg(None, ["relu1_1"]).layers == ("relu1_1",)
        else:
            with pytest.raises(StreamBroken, match=r"could not download VGG19 \(no route to host\); give --vgg FILE"):
                open_vgg(None, ["relu1_1"])
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    with pytest.raises(ExtraMissing, match="or give --vgg FILE"):
        open_vgg(None, ["relu1_1"])


@pytest.mark.skipif("VIDSR_DATA" not in os.environ, reason="VIDSR_DATA is not set")
def test_the_published_prefix_finds_as_much_in_a_photo_as_it_was_rescaled_to():
    from PIL import Image

    folder = Path(os.environ["VIDSR_DATA"])
    layers = ["relu1_1", "relu2_1", "relu3_1"]
    vgg = open_vgg(folder / "features" / "vgg19-normalised-conv1_1-to-conv3_1.pth", layers)
    picture = Image.open(sorted((folder / "val" / "Set5").iterdir())[0]).convert("RGB").crop((0, 0, 96, 96))
    x = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8).view(1, 96, 96, 3).permute(0, 3, 1, 2) / 255
    for features in vgg(x):
        assert 0.3 < features.mean().item() < 3
    swapped = vgg(x.flip(1))[0]  # it knows red from blue
    assert (swapped - vgg(x)[0]).abs().mean() > 0.01
    with pytest.raises(RecipeError, match="ends at relu3_1"):
        open_vgg(folder / "features" / "vgg19-normalised-conv1_1-to-conv3_1.pth", ["conv5_4"])
