"""VGG19's view of a picture: the features that perceptual losses compare."""

import importlib
import pickle
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from vidsr.errors import ExtraMissing, NotAModel, RecipeError, StreamBroken

WIDTHS = (64, 64, 128, 128, *[256] * 4, *[512] * 8)  # of the sixteen convolutions, conv1_1 to conv5_4
NAMES = tuple(f"{block}_{i + 1}" for block, count in enumerate((2, 2, 4, 4, 4), 1) for i in range(count))
POOLED = ("1_2", "2_2", "3_4", "4_4")  # the picture is halved after these
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision's weights expect


class Vgg(nn.Module):
    """VGG19 up to the deepest of `layers`: frozen, and deaf to whatever mode it is put into.

    (n, 3, h, w) or luma (n, 1, h, w) float in [0, 1] -> the features at each of `layers`, in that order. A layer is
    named conv3_4 before its activation and relu3_4 after it. Gradients reach the picture. Call it outside autocast
    where a level of difference should count: bfloat16 keeps 8 bits of the picture.

    weights: torchvision's state dict (`features.N.weight`), or the network that Gatys et al. rescaled, so that every
    feature is 1 on average, as a sequence that starts with a 1×1 convolution from RGB in [0, 1] to what it expects and
    pads by reflection; either may end early. Raises NotAModel, and RecipeError where a layer is unknown or lies deeper
    than the weights reach. Source: Simonyan and Zisserman, arXiv 1409.1556.
    """

    shift: Tensor
    spread: Tensor

    def __init__(self, weights: Mapping[str, Tensor], layers: Sequence[str], *, source: str = "the weights") -> None:
        super().__init__()
        found = _convolutions(weights, source)
        rescaled = found[0][0].shape[2] == 1  # Gatys' begins with a 1×1 convolution
        _check_layers(layers, NAMES[: len(found) - rescaled], source)
        self.layers, self.names = tuple(layers), NAMES[: 1 + max(NAMES.index(layer[4:]) for layer in layers)]
        self.first = _convolution(*found[0], "zeros") if rescaled else nn.Identity()
        padding: Literal["zeros", "reflect"] = "reflect" if rescaled else "zeros"
        self.convolutions = nn.ModuleList(
            [_convolution(*one, padding) for one in found[rescaled : rescaled + len(self.names)]]
        )
        self.pool = nn.MaxPool2d(2, ceil_mode=rescaled)
        mean, spread = ((0.0,) * 3, (1.0,) * 3) if rescaled else (MEAN, SPREAD)
        self.register_buffer("shift", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("spread", torch.tensor(spread).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, 1 or 3, h, w) in [0, 1] -> one (n, c, h', w') for each of `layers`."""
        x = self.first((x.expand(-1, 3, -1, -1) - self.shift) / self.spread)
        features = {}
        for name, convolution in zip(self.names, self.convolutions, strict=True):
            features[f"conv{name}"] = before = convolution(x)
            features[f"relu{name}"] = x = torch.relu(before)
            x = self.pool(x) if name in POOLED else x
        return [features[layer] for layer in self.layers]


def open_vgg(file: Path | None, layers: Sequence[str]) -> Vgg:
    """Read VGG19 from a file, or have torchvision fetch and keep its weights where `file` is None.

    Raises NotAModel, RecipeError as `Vgg` does, StreamBroken where there is no network, ExtraMissing.
    """
    if file is None:
        return Vgg(_fetched(), layers, source="torchvision's VGG19")
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as exc:
        raise NotAModel(f"{file} cannot be read as weights of VGG19: {str(exc).splitlines()[0]}") from exc
    if not isinstance(weights, Mapping):
        raise NotAModel(f"{file} holds a {type(weights).__name__}, not the state dict of VGG19")
    return Vgg(weights, layers, source=str(file))


def _fetched() -> Mapping[str, Tensor]:
    try:
        models = importlib.import_module("torchvision.models")
    except ImportError as exc:
        raise ExtraMissing("VGG19's weights come with torchvision, which is not installed; or give --vgg FILE") from exc
    try:
        weights: Mapping[str, Tensor] = models.VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False)
    except OSError as exc:
        raise StreamBroken(f"torchvision could not fetch VGG19 ({exc}); give --vgg FILE") from exc
    return weights


def _check_layers(layers: Sequence[str], reached: Sequence[str], source: str) -> None:
    assert layers, "no layer was named"
    for layer in layers:
        if layer[4:] not in NAMES or layer[:4] not in ("conv", "relu"):
            raise RecipeError(f"VGG19 has no layer {layer}; it has conv1_1, relu1_1 and so on to conv5_4 and relu5_4")
        if layer[4:] not in reached:
            raise RecipeError(
                f"{source} reaches relu{reached[-1]}, not {layer}: name a layer up to there, or give all of VGG19"
            )


def _convolutions(weights: Mapping[str, Tensor], source: str) -> list[tuple[Tensor, Tensor]]:
    """The convolutions' weights and biases in the order of the picture. Raises NotAModel."""
    places = {}
    for key in weights:
        if match := re.fullmatch(r"(features\.)?(\d+)\.weight", key):
            places[int(match[2])] = key.removesuffix("weight")
    found = [(weights[f"{key}weight"], weights.get(f"{key}bias")) for _, key in sorted(places.items())]
    shapes = [tuple(weight.shape) for weight, _ in found]
    expected = list(zip(WIDTHS, (3, *WIDTHS), [3] * 16, [3] * 16, strict=False))
    if shapes[:1] == [(3, 3, 1, 1)]:
        expected.insert(0, (3, 3, 1, 1))
    if len(shapes) < 2 or shapes != expected[: len(shapes)] or any(bias is None for _, bias in found):
        raise NotAModel(
            f"{source} does not hold the convolutions of VGG19 (without batch normalisation), first to last"
        )
    return [(weight.float(), bias.float()) for weight, bias in found if bias is not None]


def _convolution(weight: Tensor, bias: Tensor, padding: Literal["zeros", "reflect"]) -> nn.Conv2d:
    channels_out, channels_in, size, _ = weight.shape
    convolution = nn.Conv2d(channels_in, channels_out, size, padding=size // 2, padding_mode=padding)
    convolution.load_state_dict({"weight": weight, "bias": bias})
    return convolution
