"""LPIPS and DISTS: perceptual distances on the features of classification networks.

The features are torchvision's, read from files already on this machine; nothing is downloaded. Their weights in the
distance come with torchmetrics. Its definitions are repeated here because it cannot be given a backbone: it calls
torchvision, which downloads what is missing.
"""

from __future__ import annotations  # torch is imported where it is used

from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vidsr.errors import ExtraMissing, NotAModel

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module, Sequential

Image = NDArray[np.uint8]
Distance = Callable[[Image, Image], float]

MIN_SIDE = 64  # pixels: below, AlexNet's last features are one pixel or empty
BACKBONES = {"lpips": "alexnet-owt-7be5be79.pth", "dists": "vgg16-397923af.pth"}  # as torchvision names them
WEIGHTS = {"lpips": "lpips_models/alex.pth", "dists": "dists_models/weights.pt"}  # as torchmetrics ships them
VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512)


@lru_cache
def load_distance(name: str) -> Distance:
    """Load `lpips` (Zhang et al. 2018, v0.1, AlexNet) or `dists` (Ding et al. 2020).

    Returns a function of two (height, width, 3) uint8 images: 0 for equal ones, NaN below 64 pixels a side.
    Raises ExtraMissing if PyTorch, torchmetrics or a file of weights is missing, and NotAModel if a file holds
    something else.
    """
    title = name.upper()
    home = find_spec("torchmetrics")
    if find_spec("torch") is None or home is None or home.origin is None:
        raise ExtraMissing(f"{title} needs torch and torchmetrics; install them with: pip install 'vidsr[train]'")
    import torch

    backbone = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONES[name]
    weights = Path(home.origin).parent / "functional/image" / WEIGHTS[name]
    for file in (backbone, weights):
        if not file.exists():
            raise ExtraMissing(f"{title} needs the weights {file.name} in {file.parent}; vidsr does not download them")
    features, table = (_alexnet if name == "lpips" else _vgg16)(), _read(weights)
    state = {key.removeprefix("features."): value for key, value in _read(backbone).items() if "features." in key}
    try:
        features.load_state_dict({key: state[key] for key in features.state_dict()})
        measure = _lpips(features, table) if name == "lpips" else _dists(features, table)
    except (KeyError, RuntimeError) as exc:
        raise NotAModel(
            f"{backbone} does not hold the features that {title} uses; replace it with torchvision's file"
        ) from exc

    def distance(ours: Image, truth: Image) -> float:
        if min(truth.shape[:2]) < MIN_SIDE:
            return float("nan")
        with torch.inference_mode():
            return float(measure(_tensor(ours), _tensor(truth)))

    return distance


def _read(file: Path) -> dict[str, Tensor]:
    import torch

    try:
        table: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as exc:
        raise NotAModel(f"{file} is not a file of PyTorch weights") from exc
    return table


def _tensor(rgb: Image) -> Tensor:
    """(height, width, 3) uint8 -> (1, 3, height, width) float in [0, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255


def _constant(*values: float) -> Tensor:
    import torch

    return torch.tensor(values).view(1, 3, 1, 1)


def _alexnet() -> Sequential:
    """Return AlexNet's features, numbered as in torchvision's file."""
    from torch import nn

    def layers() -> Iterator[Any]:
        before = 3
        for after, side, step in [(64, 11, 4), (192, 5, 1), (384, 3, 1), (256, 3, 1), (256, 3, 1)]:
            yield from (nn.Conv2d(before, after, side, step, padding=2 if side > 3 else 1), nn.ReLU())
            if side > 3:
                yield nn.MaxPool2d(3, 2)
            before = after

    return nn.Sequential(*layers()).eval()


def _vgg16() -> Sequential:
    """Return VGG16's features up to relu5_3, numbered as in torchvision's file, with DISTS' L2 pooling."""
    from torch import nn

    layers: list[Any] = []
    before = 3
    for width in VGG16:
        if isinstance(width, str):
            layers.append(_l2_pooling(before))
        else:
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
            before = width
    return nn.Sequential(*layers).eval()


def _l2_pooling(channels: int) -> Module:
    """Return a layer that takes the root of the squares averaged with a 3x3 Hann window, at every other pixel."""
    import torch
    from torch import nn

    class Pooling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            line = torch.tensor([0.25, 0.5, 0.25])
            window = (line[:, None] * line).expand(channels, 1, 3, 3)
            return (nn.functional.conv2d(x * x, window, stride=2, padding=1, groups=channels) + 1e-12).sqrt()

    return Pooling()


def _layers(features: Sequential, after: tuple[int, ...], x: Tensor) -> Iterator[Tensor]:
    """Yield the outputs of the layers with these indices."""
    for index, layer in enumerate(features):
        x = layer(x)
        if index in after:
            yield x


def _lpips(features: Sequential, table: dict[str, Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    mean, deviation = _constant(-0.030, -0.088, -0.188), _constant(0.458, 0.448, 0.450)
    weights = [table[f"lin{i}.model.1.weight"] for i in range(5)]  # (1, channels, 1, 1)

    def features_of(x: Tensor) -> Iterator[Tensor]:
        for layer in _layers(features, (1, 4, 7, 9, 11), (2 * x - 1 - mean) / deviation):
            yield layer / (1e-8 + layer.square().sum(1, keepdim=True)).sqrt()

    def measure(ours: Tensor, truth: Tensor) -> Tensor:
        pairs = zip(weights, features_of(ours), features_of(truth), strict=True)
        terms = [(weight * (a - b).square()).sum(1).mean() for weight, a, b in pairs]
        return sum(terms[1:], terms[0])

    return measure


def _dists(features: Sequential, table: dict[str, Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    import torch

    mean, deviation = _constant(0.485, 0.456, 0.406), _constant(0.229, 0.224, 0.225)
    total = table["alpha"].sum() + table["beta"].sum()
    sizes = [3, 64, 128, 256, 512, 512]  # channels of the image and of each stage
    alphas, betas = (torch.split(table[name] / total, sizes, dim=1) for name in ("alpha", "beta"))

    def features_of(x: Tensor) -> Iterator[Tensor]:
        yield x
        yield from _layers(features, (3, 8, 15, 22, 29), (x - mean) / deviation)

    def measure(ours: Tensor, truth: Tensor) -> Tensor:
        similarity = _constant(0.0, 0.0, 0.0).sum()
        for alpha, beta, a, b in zip(alphas, betas, features_of(ours), features_of(truth), strict=True):
            mean_a, mean_b = a.mean((2, 3), keepdim=True), b.mean((2, 3), keepdim=True)
            var_a, var_b = ((x - m).square().mean((2, 3), keepdim=True) for x, m in ((a, mean_a), (b, mean_b)))
            covariance = (a * b).mean((2, 3), keepdim=True) - mean_a * mean_b
            texture = (2 * mean_a * mean_b + 1e-6) / (mean_a**2 + mean_b**2 + 1e-6)
            structure = (2 * covariance + 1e-6) / (var_a + var_b + 1e-6)
            similarity = similarity + (alpha * texture).sum() + (beta * structure).sum()
        return 1 - similarity

    return measure
