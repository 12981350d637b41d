"""Losses on pictures; each (n, c, h, w) float against the same, to a scalar."""

import torch
from torch import Tensor
from torch.nn import functional


def l1(ours: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference."""
    return functional.l1_loss(ours, truth)


def charbonnier(ours: Tensor, truth: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(difference² + epsilon²): L1 with a round tip (Lai et al., arXiv 1704.03915)."""
    return ((ours - truth).square() + epsilon**2).sqrt().mean()


def spectral(ours: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the orthonormal spectra's real and imaginary parts (Cho et al., arXiv 2108.05054)."""
    difference = torch.fft.rfft2((ours - truth).float(), norm="ortho")
    return torch.view_as_real(difference).abs().mean()
