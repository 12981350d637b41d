"""What a GAN paints that is not there: details, and the grid of its upsampling; losses that only look at those."""

import torch
from torch import Tensor
from torch.nn import functional

CELLS = 8  # repetitions of the grid, across and down, over which it must average out


@torch.no_grad()
def artifact_map(ours: Tensor, truth: Tensor, average: Tensor, *, side: int = 7) -> Tensor:
    """How much each pixel looks like an artifact: (n, c, h, w) three times -> (n, 1, h, w), at least 0.

    The variance of our error in a window of `side` pixels, times the fifth root of its variance in the whole picture;
    0 where `average`, the picture that the averaged weights paint, is farther from the truth than ours. h and w must
    exceed side // 2. Source: LDL (Liang et al., arXiv 2203.09195), section 3, as its published code has it.
    """
    error, stateless = ((picture - truth).float().abs().sum(1, keepdim=True) for picture in (ours, average))
    of_picture = error.var(dim=(1, 2, 3), keepdim=True) ** 0.2  # (n, 1, 1, 1)
    centred = error - error.mean(dim=(2, 3), keepdim=True)  # or a small variance drowns in the square of the mean
    padded = functional.pad(centred, [side // 2] * 4, mode="reflect")
    mean, mean_square = (functional.avg_pool2d(values, side, stride=1) for values in (padded, padded.square()))
    of_window = (mean_square - mean.square()).clamp(min=0) * side**2 / (side**2 - 1)
    return torch.where(error < stateless, 0.0, of_picture * of_window)


def artifact(ours: Tensor, truth: Tensor, average: Tensor) -> Tensor:
    """Mean absolute difference weighted by `artifact_map`, which gets no gradient: a number (LDL, as above)."""
    return (artifact_map(ours, truth, average) * (ours - truth)).abs().mean()


def grid(ours: Tensor, truth: Tensor, *, period: int) -> Tensor:
    """How much our error depends on where in the upsampling's grid a pixel lies: a number, 0 where it does not.

    period: pixels after which the grid repeats, the network's scale; h and w are multiples of it. The error is averaged
    over `CELLS` by `CELLS` repetitions at each of the period² places, where detail averages out and what is printed
    stays; the loss is the mean distance of those averages from their own mean.
    """
    places = functional.pixel_unshuffle((ours - truth).float(), period)
    places = places.unflatten(1, (-1, period**2))  # (n, c, period², h, w)
    side = min(CELLS, *places.shape[-2:])
    printed: Tensor = functional.avg_pool2d(places.flatten(0, 2), side)  # (n * c * period², blocks down, blocks across)
    printed = printed.unflatten(0, places.shape[:3])
    return (printed - printed.mean(2, keepdim=True)).abs().mean()
