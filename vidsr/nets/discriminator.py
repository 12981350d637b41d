"""The judges of a GAN: from a picture to how true it looks, and to what they saw on the way."""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from vidsr.nets.reparam import NormConv

SLOPE = 0.2


class Verdict(NamedTuple):
    """What a discriminator says of pictures."""

    scores: Tensor
    """Higher for truer, not bounded: (n, 1), or (n, 1, h, w) where every pixel is judged."""
    maps: list[Tensor]
    """The features of its layers, for feature matching."""


class Discriminator(nn.Module):
    """The paper's: eight 3×3 convolutions of 64 to 512 channels, two dense layers: (n, c, h, w) in [0, 1] -> (n, 1).

    channels: c, 3 for RGB, 9 for three frames stacked, 1 or 3 for luma. size: the side that all pictures must have, a
    multiple of 16. any_size: takes any from 16 on instead, by averaging the last features over the picture, which the
    paper does not. batch_norm: False leaves the normalisation out, as the gradient penalty of a Wasserstein GAN
    requires. Scores are before the sigmoid. Source: Ledig et al. 2017, arXiv 1609.04802, figure 4; like theirs it sees
    pictures in [-1, 1].
    """

    def __init__(
        self,
        *,
        channels: int = 3,
        width: int = 64,
        size: int = 96,
        any_size: bool = False,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        assert size % 16 == 0, f"size must be a multiple of 16, not {size}"
        self.size, self.any_size, before = size, any_size, channels
        layers: list[nn.Module] = []
        for block in range(8):  # 64, 64, 128, 128, 256, 256, 512, 512; every other one halves the picture
            after, stride = width * 2 ** (block // 2), 1 + block % 2
            normed = batch_norm and block > 0
            layers.append(NormConv(before, after, stride=stride) if normed else _plain(before, after, stride))
            before = after
        self.layers = nn.ModuleList(layers)
        places = 1 if any_size else (size // 16) ** 2
        self.dense = nn.Sequential(nn.Linear(before * places, 1024), nn.LeakyReLU(SLOPE), nn.Linear(1024, 1))

    def forward(self, x: Tensor) -> Verdict:
        """(n, c, h, w) in [0, 1] -> scores (n, 1) and eight maps."""
        fits = self.any_size or x.shape[2:] == (self.size, self.size)
        assert fits, f"expected side {self.size}, got {tuple(x.shape)}"
        x, maps = x * 2 - 1, []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        features = x.mean(dim=(2, 3)) if self.any_size else x.flatten(1)  # (n, features)
        return Verdict(self.dense(features), maps)


def _plain(channels_in: int, channels_out: int, stride: int) -> nn.Module:
    return nn.Conv2d(channels_in, channels_out, 3, stride, 1)


class UNet(nn.Module):
    """A judge of every pixel, steadied by spectral normalisation: (n, c, h, w) in [0, 1] -> (n, 1, h, w).

    h and w: multiples of 8, any size; channels: c, as for `Discriminator`. Three strided convolutions down, three
    bilinear steps up with sums across, three convolutions more. Sources: Real-ESRGAN (arXiv 2107.10833), section 3.4;
    spectral normalisation: Miyato et al. (arXiv 1802.05957).
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

    def forward(self, x: Tensor) -> Verdict:
        """(n, c, h, w) in [0, 1] -> scores (n, 1, h, w) and nine maps."""
        assert x.shape[2] % 8 == x.shape[3] % 8 == 0, f"sides must be multiples of 8, got {tuple(x.shape)}"
        maps = [functional.leaky_relu(self.head(x), SLOPE)]
        for layer in self.down:
            maps.append(functional.leaky_relu(layer(maps[-1]), SLOPE))
        across, x = maps[-2::-1], maps[-1]
        for layer, same in zip(self.up, across, strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = functional.leaky_relu(layer(x), SLOPE) + same
            maps.append(x)
        for layer in self.last:
            x = functional.leaky_relu(layer(x), SLOPE)
            maps.append(x)
        return Verdict(self.tail(x), maps)


def _normed(layer: nn.Module) -> nn.Module:
    normed: nn.Module = spectral_norm(layer)
    return normed
