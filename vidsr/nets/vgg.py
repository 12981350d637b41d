"""VGG19, whose features perceptual losses compare."""

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
POOLED = ("1_2", "2_2", "3_4", "4_4")  # layers that are followed by a pooling layer
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision's weights expect


class Vgg(nn.Module):
    """The features of VGG19 up to the deepest of `layers`; frozen and independent of train and eval mode.

    (n, 3, h, w) or luma (n, 1, h, w) float in [0, 1] -> the features at each of `layers`, in that order. Gradients
    reach the input. Call it outside autocast if a difference of one level should count: bfloat16 keeps 8 bits.

    weights: torchvision's state dict (`features.N.weight`), or that of the network rescaled by Gatys et al., in which
    every feature is 1 on average, which starts with a 1×1 convolution from RGB in [0, 1] and pads by reflection. Either
    may end early.
    layers: names such as conv3_4, before its activation, or relu3_4, after it.
    source: what error messages call the weights.

    Raises NotAModel if the weights are not VGG19's, RecipeError if a layer is unknown or deeper than the weights.
    Source: Simonyan and Zisserman, arXiv 1409.1556.
    """

    shift: Tensor
    std: Tensor

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
        mean, std = ((0.0,) * 3, (1.0,) * 3) if rescaled else (MEAN, STD)
        self.register_buffer("shift", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return features (n, c, h', w') of (n, 1 or 3, h, w) in [0, 1], one for each of `layers`."""
        x = self.first((x.expand(-1, 3, -1, -1) - self.shift) / self.std)
        features = {}
        for name, convolution in zip(self.names, self.convolutions, strict=True):
            features[f"conv{name}"] = before = convolution(x)
            features[f"relu{name}"] = x = torch.relu(before)
            x = self.pool(x) if name in POOLED else x
        return [features[layer] for layer in self.layers]


def open_vgg(file: Path | None, layers: Sequence[str]) -> Vgg:
    """Read VGG19 from a file; without a file, let torchvision download its weights once.

    Raises NotAModel and RecipeError as `Vgg` does, StreamBroken if the download fails, ExtraMissing.
    """
    if file is None:
        return Vgg(_download(), layers, source="torchvision's VGG19")
    try:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as exc:
        raise NotAModel(f"{file} cannot be read as weights of VGG19: {str(exc).splitlines()[0]}") from exc
    if not isinstance(weights, Mapping):
        raise NotAModel(f"{file} holds a {type(weights).__name__}, not the state dict of VGG19")
    return Vgg(weights, layers, source=str(file))


def _download() -> Mapping[str, Tensor]:
    try:
        models = importlib.import_module("torchvision.models")
    except ImportError as exc:
        raise ExtraMissing(
            "VGG19's weights come with torchvision, which is missing; install it or give --vgg FILE"
        ) from exc
    try:
        weights: Mapping[str, Tensor] = models.VGG19_Weights.IMAGENET1K_V1.get_state_dict(progress=False)
    except OSError as exc:
        raise StreamBroken(f"torchvision could not download VGG19 ({exc}); give --vgg FILE") from exc
    return weights


def _check_layers(layers: Sequence[str], reached: Sequence[str], source: str) -> None:
    assert layers, "expected at least one layer"
    for layer in layers:
        if layer[4:] not in NAMES or layer[:4] not in ("conv", "relu"):
            raise RecipeError(f"VGG19 has no layer {layer}; it has conv1_1, relu1_1 and so on to conv5_4 and relu5_4")
        if layer[4:] not in reached:
            raise RecipeError(
                f"{source} ends at relu{reached[-1]}, before {layer}: name a layer up to there, or give all of VGG19"
            )


def _convolutions(weights: Mapping[str, Tensor], source: str) -> list[tuple[Tensor, Tensor]]:
    """Return weight and bias of each convolution, the first layer first. Raises NotAModel."""
    keys = {}
    for key in weights:
        if match := re.fullmatch(r"(features\.)?(\d+)\.weight", key):
            keys[int(match[2])] = key.removesuffix("weight")
    found = [(weights[f"{key}weight"], weights.get(f"{key}bias")) for _, key in sorted(keys.items())]
    shapes = [tuple(weight.shape) for weight, _ in found]
    expected = list(zip(WIDTHS, (3, *WIDTHS), [3] * 16, [3] * 16, strict=False))
    if shapes[:1] == [(3, 3, 1, 1)]:
        expected.insert(0, (3, 3, 1, 1))
    if len(shapes) < 2 or shapes != expected[: len(shapes)] or any(bias is None for _, bias in found):
        raise NotAModel(
            f"{source} does not hold the convolutions of VGG19 without batch normalisation, from the first one on"
        )
    return [(weight.float(), bias.float()) for weight, bias in found if bias is not None]


def _convolution(weight: Tensor, bias: Tensor, padding: Literal["zeros", "reflect"]) -> nn.Conv2d:
    channels_out, channels_in, size, _ = weight.shape
    convolution = nn.Conv2d(channels_in, channels_out, size, padding=size // 2, padding_mode=padding)
    convolution.load_state_dict({"weight": weight, "bias": bias})
    return convolution
