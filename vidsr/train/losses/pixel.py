"""Losses on pictures, each (n, c, h, w) float in [0, 1] against the same."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def l1(ours: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of each sample: (n,)."""
    return (ours - truth).abs().mean(dim=(1, 2, 3))


def mse(ours: Tensor, truth: Tensor) -> Tensor:
    """Mean squared difference of each sample: (n,). SRResNet's (Ledig et al., arXiv 1609.04802, equation 4).

    A quarter of the paper's, whose pictures are in [-1, 1].
    """
    return (ours - truth).square().mean(dim=(1, 2, 3))


def charbonnier(ours: Tensor, truth: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(difference² + epsilon²) of each sample: (n,). L1 with a round tip (Lai et al., arXiv 1704.03915)."""
    return ((ours - truth).square() + epsilon**2).sqrt().mean(dim=(1, 2, 3))


@torch.no_grad()
def balance(low: Tensor, truth: Tensor, power: float) -> Tensor:
    """Weights of the samples, to be divided by their mean: the error of a bilinear enlargement, to -`power`: (n,).

    PSNR counts ratios: a level of error in a soft picture weighs more than in a sharp one, where nobody sees it.
    """
    plain = functional.interpolate(low, size=truth.shape[2:], mode="bilinear")
    return (l1(plain, truth) + 1e-3) ** -power


def spectral(ours: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the orthonormal spectra, real and imaginary parts (Cho et al., arXiv 2108.05054)."""
    difference = torch.fft.rfft2((ours - truth).float(), norm="ortho")
    return torch.view_as_real(difference).abs().mean()


PIXEL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1, "mse": mse, "charbonnier": charbonnier}
