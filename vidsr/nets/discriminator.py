"""The discriminators of a GAN: each gives scores of how real an image looks, and the features of its layers."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from vidsr.nets.reparam import NormConv

SLOPE = 0.2
DETAIL_GAIN = 8.0  # of what lies above an image's local mean, whose amplitude is about an eighth of the image's


class DiscriminatorOutput(NamedTuple):
    """The output of a discriminator."""

    scores: Tensor
    """Unbounded, higher for more real: (n, 1), or (n, 1, h, w) from a discriminator of every pixel."""
    maps: list[Tensor]
    """The features of its layers, for feature matching."""


class Discriminator(nn.Module):
    """SRGAN's discriminator: eight 3×3 convolutions of 64 to 512 channels and two dense layers.

    (n, c, h, w) in [0, 1] -> (n, 1), before the sigmoid.

    channels: c; 9 for three stacked RGB frames.
    size: h and w, a multiple of 16.
    batch_norm: must be False for the gradient penalty of a Wasserstein GAN.

    Source: Ledig et al. 2017, arXiv 1609.04802, figure 4; images are mapped to [-1, 1] as there.
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 64,
        size: int = 96,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        assert size % 16 == 0, f"expected a size that is a multiple of 16, got {size}"
        self.size, before = size, channels
        layers: list[nn.Module] = []
        for block in range(8):  # 64, 64, 128, 128, 256, 256, 512, 512; every other one halves the size
            after, stride = width * 2 ** (block // 2), 1 + block % 2
            normed = batch_norm and block > 0
            layers.append(NormConv(before, after, stride=stride) if normed else nn.Conv2d(before, after, 3, stride, 1))
            before = after
        self.layers = nn.ModuleList(layers)
        self.dense = nn.Sequential(nn.Linear(before * (size // 16) ** 2, 1024), nn.LeakyReLU(SLOPE), nn.Linear(1024, 1))

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return scores (n, 1) and eight maps of (n, c, size, size) in [0, 1]."""
        assert x.shape[2:] == (self.size, self.size), f"expected side {self.size}, got {tuple(x.shape)}"
        x, maps = x * 2 - 1, []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        return DiscriminatorOutput(self.dense(x.flatten(1)), maps)


class UNet(nn.Module):
    """A discriminator of every pixel with spectral normalisation: (n, c, h, w) in [0, 1] -> (n, 1, h, w).

    h and w: multiples of 8. channels: c, as for `Discriminator`. Three strided convolutions down, three bilinear steps
    up with skip connections, three more convolutions. Sources: Real-ESRGAN (arXiv 2107.10833), section 3.4; spectral
    normalisation: Miyato et al. (arXiv 1802.05957).
    """

    def __init__(self, *, channels: int = 3, width: int = 64) -> None:
        super().__init__()
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.down = nn.ModuleList(
            [_normed(nn.Conv2d(width * k, width * k * 2, 4, 2, 1, bias=False)) for k in (1, 2, 4)]
        )
        self.up = nn.ModuleList([_normed(nn.Conv2d(width * k * 2, width * k, 3, 1, 1, bias=False)) for k in (4, 2, 1)])
        self.last = nn.ModuleList([_normed(nn.Conv2d(width, width, 3, 1, 1, bias=False)) for _ in range(2)])
        self.tail = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return scores (n, 1, h, w) and nine maps of (n, c, h, w) in [0, 1]."""
        assert x.shape[2] % 8 == x.shape[3] % 8 == 0, f"expected sides that are multiples of 8, got {tuple(x.shape)}"
        maps = [functional.leaky_relu(self.head(x), SLOPE)]
        for layer in self.down:
            maps.append(functional.leaky_relu(layer(maps[-1]), SLOPE))
        skips, x = maps[-2::-1], maps[-1]
        for layer, skip in zip(self.up, skips, strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = functional.leaky_relu(layer(x), SLOPE) + skip
            maps.append(x)
        for layer in self.last:
            x = functional.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        return DiscriminatorOutput(self.tail(x), maps)


class Patch(nn.Module):
    """A small discriminator of patches with spectral normalisation: (n, c, h, w) in [0, 1] -> (n, 1, h / 8, w / 8).

    h and w: multiples of 8. channels: c, as for `Discriminator`. It also gets the image minus its local mean,
    amplified; otherwise it takes hundreds of steps to discover fine texture. Pixels are unshuffled by two, then halved
    twice: a fiftieth of the multiplications of `UNet` at their default widths. Sources: PatchGAN (arXiv 1611.07004);
    spectral normalisation: Miyato et al. (arXiv 1802.05957).
    """

    def __init__(self, *, channels: int = 3, width: int = 32) -> None:
        super().__init__()
        self.head = nn.Conv2d(channels * 8, width, 3, padding=1)
        self.layers = nn.ModuleList(
            [
                _normed(nn.Conv2d(width, width * 2, 4, 2, 1)),
                _normed(nn.Conv2d(width * 2, width * 2, 3, 1, 1)),
                _normed(nn.Conv2d(width * 2, width * 3, 4, 2, 1)),
                _normed(nn.Conv2d(width * 3, width * 3, 3, 1, 1)),
            ]
        )
        self.tail = nn.Conv2d(width * 3, 1, 1)

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return scores (n, 1, h / 8, w / 8) and five maps of (n, c, h, w) in [0, 1]."""
        assert x.shape[2] % 8 == x.shape[3] % 8 == 0, f"expected sides that are multiples of 8, got {tuple(x.shape)}"
        detail = x - functional.avg_pool2d(functional.pad(x, [3] * 4, mode="reflect"), 7, stride=1)
        x = functional.pixel_unshuffle(torch.cat([x * 2 - 1, detail * DETAIL_GAIN], 1), 2)
        x = functional.leaky_relu(self.head(x), SLOPE)
        maps = [x]
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), SLOPE) * 2**0.5  # the activation halves the energy
            maps.append(x)
        return DiscriminatorOutput(self.tail(x), maps)


def _normed(layer: nn.Module) -> nn.Module:
    normed: nn.Module = spectral_norm(layer)
    return normed
