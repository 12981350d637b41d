"""Where a GAN paints what is not there, and a loss that only looks there."""

import torch
from torch import Tensor
from torch.nn import functional


@torch.no_grad()
def artifact_map(ours: Tensor, truth: Tensor, average: Tensor, *, side: int = 7) -> Tensor:
    """How much each pixel looks like an artifact: (n, c, h, w) three times -> (n, 1, h, w), at least 0.

    The variance of our error in a window of `side` pixels, times the fifth root of its variance in the whole picture;
    0 where `average`, the picture that the averaged weights paint, is farther from the truth than ours. h and w must
    exceed side // 2. Source: LDL (Liang et al., arXiv 2203.09195), section 3, as its published code has it.
    """
    error, steady = ((picture - truth).float().abs().sum(1, keepdim=True) for picture in (ours, average))
    of_picture = error.var(dim=(1, 2, 3), keepdim=True) ** 0.2  # (n, 1, 1, 1)
    centred = error - error.mean(dim=(2, 3), keepdim=True)  # or a small variance drowns in the square of the mean
    padded = functional.pad(centred, [side // 2] * 4, mode="reflect")
    mean, mean_square = (functional.avg_pool2d(values, side, stride=1) for values in (padded, padded.square()))
    of_window = (mean_square - mean.square()).clamp(min=0) * side**2 / (side**2 - 1)
    return torch.where(error < steady, 0.0, of_picture * of_window)


def artifact(ours: Tensor, truth: Tensor, average: Tensor) -> Tensor:
    """Mean absolute difference weighted by `artifact_map`, which gets no gradient: a number (LDL, as above)."""
    return (artifact_map(ours, truth, average) * (ours - truth)).abs().mean()
