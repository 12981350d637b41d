"""Losses that compare an output with its ground truth: pixels, spectra, features, artifacts and frame differences."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

GRID_CELLS = 8  # repetitions of the upsampling grid, across and down, over which the error is averaged


def l1(output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute difference of each sample: (n,)."""
    return (output - truth).abs().mean(dim=(1, 2, 3))


def mse(output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean squared difference of each sample: (n,) (SRResNet: Ledig et al., arXiv 1609.04802, equation 4).

    A quarter of the paper's, whose images are in [-1, 1].
    """
    return (output - truth).square().mean(dim=(1, 2, 3))


def charbonnier(output: Tensor, truth: Tensor, *, epsilon: float = 1e-3) -> Tensor:
    """Return the mean of sqrt(difference² + epsilon²) of each sample: (n,) (Lai et al., arXiv 1704.03915)."""
    return ((output - truth).square() + epsilon**2).sqrt().mean(dim=(1, 2, 3))


PIXEL: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1, "mse": mse, "charbonnier": charbonnier}


@torch.no_grad()
def balance(low: Tensor, truth: Tensor, power: float) -> Tensor:
    """Return unnormalised weights of the samples: error ** -power, where error is that of bilinear interpolation: (n,).

    PSNR is logarithmic: a small error matters more where images are blurred and all errors are small.
    """
    bilinear = functional.interpolate(low, size=truth.shape[2:], mode="bilinear")
    return (l1(bilinear, truth) + 1e-3) ** -power


def spectral(output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute difference of real and imaginary parts of the orthonormal spectra.

    Source: Cho et al., arXiv 2108.05054.
    """
    difference = torch.fft.rfft2((output - truth).float(), norm="ortho")
    return torch.view_as_real(difference).abs().mean()


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"l1": functional.l1_loss, "mse": functional.mse_loss}


def perceptual(output: Sequence[Tensor], truth: Sequence[Tensor], weights: Sequence[float], *, distance: str) -> Tensor:
    """Return the weighted sum of the distances between features, layer by layer.

    output, truth: features by `nets.vgg.Vgg`; the truth's get no gradient. distance: a key of DISTANCES; `mse` on
    features after activation with a weight of 1 / 12.75² ≈ 0.006 is SRGAN's (arXiv 1609.04802, equation 5), `l1` on
    features before activation ESRGAN's (arXiv 1809.00219, section 3.3).
    """
    losses = [
        weight * DISTANCES[distance](ours.float(), theirs.detach().float())
        for ours, theirs, weight in zip(output, truth, weights, strict=True)
    ]
    return torch.stack(losses).sum()


def feature_matching(output: Sequence[Tensor], truth: Sequence[Tensor]) -> Tensor:
    """Return the mean absolute difference of a discriminator's feature maps, averaged over its layers.

    The truth's maps get no gradient. Source: pix2pixHD (arXiv 1711.11585, equation 4), which sums over the layers.
    """
    return perceptual(output, truth, [1 / len(output)] * len(output), distance="l1")


@torch.no_grad()
def artifact_map(output: Tensor, truth: Tensor, average: Tensor, *, side: int = 7) -> Tensor:
    """Estimate how much each pixel is a GAN artifact: (n, c, h, w) three times -> (n, 1, h, w), not negative.

    The variance of the error in a window of `side` pixels, times the fifth root of its variance in the whole image; 0
    where the error of `average`, the output of the averaged weights, is larger than the output's. h and w must exceed
    side // 2. Source: LDL (Liang et al., arXiv 2203.09195), section 3, as in its published code.
    """
    error, average_error = ((image - truth).float().abs().sum(1, keepdim=True) for image in (output, average))
    global_factor = error.var(dim=(1, 2, 3), keepdim=True) ** 0.2  # (n, 1, 1, 1)
    centred = error - error.mean(dim=(2, 3), keepdim=True)  # for precision: mean of squares minus square of the mean
    padded = functional.pad(centred, [side // 2] * 4, mode="reflect")
    mean, mean_square = (functional.avg_pool2d(values, side, stride=1) for values in (padded, padded.square()))
    local_variance = (mean_square - mean.square()).clamp(min=0) * side**2 / (side**2 - 1)
    return torch.where(error < average_error, 0.0, global_factor * local_variance)


def artifact(output: Tensor, truth: Tensor, average: Tensor) -> Tensor:
    """Return the mean absolute difference weighted by `artifact_map`, which gets no gradient (LDL)."""
    return (artifact_map(output, truth, average) * (output - truth)).abs().mean()


TEXTURE_WINDOW = 8  # pixels a side
_LINE, _DIAGONAL = ((-1, -2, -1), (2, 4, 2), (-1, -2, -1)), ((-2, -1, 4), (-1, 0, -1), (4, -1, -2))
LINES = [
    [[value / 8 for value in row] for row in kernel]
    for kernel in (_LINE, tuple(zip(*_LINE, strict=True)), _DIAGONAL, tuple(reversed(_DIAGONAL)))
]
"""Filters of 3×3 for horizontal, vertical and diagonal lines."""


def texture(output: Tensor, truth: Tensor, *, octaves: int) -> Tensor:
    """Return the mean absolute difference of the local strength of texture, in the finest octaves.

    Where exactly texture lies within a window does not matter. Each octave of a Laplacian pyramid (Burt and Adelson
    1983) is taken as it is and filtered by LINES; its strengths are the root mean square and the mean absolute value in
    half-overlapped windows of TEXTURE_WINDOW pixels of that octave. h and w are multiples of 2^octaves. Such statistics
    describe texture in Portilla and Simoncelli 2000 (IJCV 40).
    """
    total = output.new_zeros(())
    for _ in range(octaves):
        half_output, half_truth = _half(output), _half(truth)
        total = total + l1(_strength(output, half_output), _strength(truth, half_truth)).mean()
        output, truth = half_output, half_truth
    return total / octaves


def _half(image: Tensor) -> Tensor:
    taps = image.new_tensor([1, 3, 3, 1]) / 8
    kernel = (taps[:, None] * taps).expand(image.shape[1], 1, 4, 4)
    return functional.conv2d(functional.pad(image, [1] * 4, mode="reflect"), kernel, stride=2, groups=image.shape[1])


def _strength(image: Tensor, half: Tensor) -> Tensor:
    octave = image - functional.interpolate(half, scale_factor=2.0, mode="bilinear", align_corners=False)
    filters = octave.new_tensor(LINES).repeat(octave.shape[1], 1, 1).unsqueeze(1)
    bands = torch.cat([octave, functional.conv2d(octave, filters, padding=1, groups=octave.shape[1])], 1)
    squares, sizes = (
        functional.avg_pool2d(values, TEXTURE_WINDOW, stride=TEXTURE_WINDOW // 2)
        for values in (bands.square(), bands.abs())
    )
    return torch.cat([(squares + 1e-6).sqrt(), sizes], 1)  # the root has no gradient at 0


def grid(output: Tensor, truth: Tensor, *, period: int) -> Tensor:
    """Return how much the error depends on a pixel's position in the upsampling grid: 0 if it does not.

    period: of the grid in pixels, the network's scale; h and w are multiples of it. At each of the period² positions
    the error is averaged over GRID_CELLS × GRID_CELLS repetitions, which cancels detail and keeps the pattern; the loss
    is the mean absolute deviation of these averages from their mean.
    """
    positions = functional.pixel_unshuffle((output - truth).float(), period)
    positions = positions.unflatten(1, (-1, period**2))  # (n, c, period², h / period, w / period)
    side = min(GRID_CELLS, *positions.shape[-2:])
    averages: Tensor = functional.avg_pool2d(positions.flatten(0, 2), side).unflatten(0, positions.shape[:3])
    return (averages - averages.mean(2, keepdim=True)).abs().mean()


def windows(frames: Tensor, *, length: int = 3) -> Tensor:
    """Stack every `length` consecutive frames: (n, t, c, h, w) -> (n * (t - length + 1), length * c, h, w).

    An adversarial loss of a discriminator on these is a temporal loss (TecoGAN, arXiv 1811.09393; here without motion
    compensation).
    """
    n, t, c, h, w = frames.shape
    assert t >= length, f"{t} frames cannot make a window of {length}"
    views = frames.unfold(1, length, 1)  # (n, windows, c, h, w, length)
    return views.permute(0, 1, 5, 2, 3, 4).reshape(n * (t - length + 1), length * c, h, w)


def flicker(output: Tensor, truth: Tensor) -> Tensor:
    """Return the mean absolute difference of the changes between consecutive frames (n, t, c, h, w).

    An error that is the same in all frames costs nothing. Source: temporal consistency of Chen et al. (arXiv
    1703.09211), without optical flow.
    """
    return (output.diff(dim=1) - truth.diff(dim=1)).abs().mean()
