"""LPIPS and DISTS: how alike two pictures look to a network trained to name things.

The features are torchvision's, from files that lie on this machine already; nothing is ever downloaded. What weighs
the features comes with torchmetrics, and so do the definitions, which are repeated here because torchmetrics cannot be
given a backbone: it asks torchvision, which fetches what is missing.
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

Picture = NDArray[np.uint8]
Distance = Callable[[Picture, Picture], float]

LEAST = 64  # pixels on a side: below, AlexNet's last features are but a pixel or none
BACKBONES = {"lpips": "alexnet-owt-7be5be79.pth", "dists": "vgg16-397923af.pth"}  # by the names torchvision gives them
WEIGHTS = {"lpips": "lpips_models/alex.pth", "dists": "dists_models/weights.pt"}  # as torchmetrics ships them
VGG16 = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512)


@lru_cache
def load(name: str) -> Distance:
    """Open `lpips` or `dists`: a distance of two (height, width, 3) uint8 pictures, 0 for equal ones.

    It is no number for pictures under 64 pixels on a side. Raises ExtraMissing where PyTorch, torchmetrics or a file
    of weights is missing, with the place where it is looked for, and NotAModel where a file holds something else.
    Zhang et al. 2018 (v0.1, AlexNet); Ding et al. 2020.
    """
    title = name.upper()
    home = find_spec("torchmetrics")
    if find_spec("torch") is None or home is None or home.origin is None:
        raise ExtraMissing(f"{title} needs torch and torchmetrics; pip install 'vidsr[train]' installs them")
    import torch

    backbone = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONES[name]
    weights = Path(home.origin).parent / "functional/image" / WEIGHTS[name]
    for file in (backbone, weights):
        if not file.exists():
            raise ExtraMissing(f"{title} needs the weights {file.name} in {file.parent}, and vidsr never downloads any")
    features, table = (_alexnet if name == "lpips" else _vgg16)(), _read(weights)
    held = {key.removeprefix("features."): value for key, value in _read(backbone).items() if "features." in key}
    try:
        features.load_state_dict({key: held[key] for key in features.state_dict()})
        measure = _lpips(features, table) if name == "lpips" else _dists(features, table)
    except (KeyError, RuntimeError) as exc:
        raise NotAModel(
            f"{backbone} does not hold the features that {title} looks at; put torchvision's there"
        ) from exc

    def distance(ours: Picture, truth: Picture) -> float:
        if min(truth.shape[:2]) < LEAST:
            return float("nan")
        with torch.inference_mode():
            return float(measure(_tensor(ours), _tensor(truth)))

    return distance


def _read(file: Path) -> dict[str, Tensor]:
    import torch

    try:
        table: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as exc:
        raise NotAModel(f"{file} is no file of PyTorch weights") from exc
    return table


def _tensor(rgb: Picture) -> Tensor:
    """(height, width, 3) uint8 -> (1, 3, height, width) float in [0, 1]."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255


def _constant(*values: float) -> Tensor:
    import torch

    return torch.tensor(values).view(1, 3, 1, 1)


def _alexnet() -> Sequential:
    """AlexNet's features, numbered as in torchvision's file."""
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
    """VGG16's features up to relu5_3, numbered as in torchvision's file; DISTS' L2 pooling for its max pooling."""
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
    """The root of squares averaged by a 3x3 Hann window, every other pixel."""
    import torch
    from torch import nn

    class Pooling(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            line = torch.tensor([0.25, 0.5, 0.25])
            window = (line[:, None] * line).expand(channels, 1, 3, 3)
            return (nn.functional.conv2d(x * x, window, stride=2, padding=1, groups=channels) + 1e-12).sqrt()

    return Pooling()


def _seen(features: Sequential, after: tuple[int, ...], x: Tensor) -> Iterator[Tensor]:
    """What comes out of the layers of these numbers."""
    for index, layer in enumerate(features):
        x = layer(x)
        if index in after:
            yield x


def _lpips(features: Sequential, table: dict[str, Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    mean, spread = _constant(-0.030, -0.088, -0.188), _constant(0.458, 0.448, 0.450)
    weights = [table[f"lin{i}.model.1.weight"] for i in range(5)]  # (1, channels, 1, 1)

    def looked_at(x: Tensor) -> Iterator[Tensor]:
        for seen in _seen(features, (1, 4, 7, 9, 11), (2 * x - 1 - mean) / spread):
            yield seen / (1e-8 + seen.square().sum(1, keepdim=True)).sqrt()

    def measure(ours: Tensor, truth: Tensor) -> Tensor:
        pairs = zip(weights, looked_at(ours), looked_at(truth), strict=True)
        terms = [(weight * (a - b).square()).sum(1).mean() for weight, a, b in pairs]
        return sum(terms[1:], terms[0])

    return measure


def _dists(features: Sequential, table: dict[str, Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    import torch

    mean, spread = _constant(0.485, 0.456, 0.406), _constant(0.229, 0.224, 0.225)
    whole = table["alpha"].sum() + table["beta"].sum()
    sizes = [3, 64, 128, 256, 512, 512]  # channels of the picture itself and of each stage
    alphas, betas = (torch.split(table[name] / whole, sizes, dim=1) for name in ("alpha", "beta"))

    def looked_at(x: Tensor) -> Iterator[Tensor]:
        yield x
        yield from _seen(features, (3, 8, 15, 22, 29), (x - mean) / spread)

    def measure(ours: Tensor, truth: Tensor) -> Tensor:
        alike = _constant(0.0, 0.0, 0.0).sum()
        for alpha, beta, a, b in zip(alphas, betas, looked_at(ours), looked_at(truth), strict=True):
            mean_a, mean_b = a.mean((2, 3), keepdim=True), b.mean((2, 3), keepdim=True)
            var_a, var_b = ((x - m).square().mean((2, 3), keepdim=True) for x, m in ((a, mean_a), (b, mean_b)))
            shared = (a * b).mean((2, 3), keepdim=True) - mean_a * mean_b
            texture = (2 * mean_a * mean_b + 1e-6) / (mean_a**2 + mean_b**2 + 1e-6)
            structure = (2 * shared + 1e-6) / (var_a + var_b + 1e-6)
            alike = alike + (alpha * texture).sum() + (beta * structure).sum()
        return 1 - alike

    return measure
