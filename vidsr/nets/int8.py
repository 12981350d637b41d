"""Convolutions in int8: trained with the rounding that this brings, then exported with it.

Weights and activations are rounded in the forward pass, and gradients pass as if they were not, so the network learns
weights that lose little by the rounding (arXiv 1712.05877). The range of each activation is learned, too: a smaller one
clips more and rounds less (LSQ, arXiv 1902.08153).
"""

import torch
from torch import Tensor, nn

CODES = 255
WEIGHT_LEVELS = 63
"""Half of what int8 holds. AVX2 adds two products of 8 bits in 16, which larger weights overflow without notice."""
SMALLEST = 1e-6  # a range of zero has no scale
FIRST_RANGE = 0.9999  # the share of the first batch's values that its range holds


class FakeQuantize(nn.Module):
    """Round activations to 256 values: any shape, float in and out.

    low: how far values go below 0, relative to how far they go above, such as the slope of a leaky ReLU before. With
    less below 0 the values lie closer together.
    """

    def __init__(self, low: float = 1.0) -> None:
        super().__init__()
        self.zero = round(CODES * low / (1 + low))
        """The code of 0."""
        self.largest = nn.Parameter(torch.zeros(()))
        """The largest value that is not clipped; 0 before the first batch in training, which sets it."""

    def scale(self) -> Tensor:
        """Return the difference between two neighbouring values."""
        return self.largest.clamp_min(SMALLEST) / (CODES - self.zero)

    def forward(self, x: Tensor) -> Tensor:
        """Return x clipped and rounded; the gradient passes the rounding, and also reaches the range."""
        if self.training and self.largest == 0:
            with torch.no_grad():
                self.largest.copy_(torch.quantile(x.abs().flatten()[: 1 << 24], FIRST_RANGE))
        scale = self.scale()
        codes = (x / scale).clamp(-self.zero, CODES - self.zero)
        return (codes + (codes.round() - codes).detach()) * scale


class Int8Conv(nn.Conv2d):
    """A convolution for export: its input is rounded to int8, its weights already are; see `round_weights`."""

    def __init__(self, plain: nn.Conv2d, rounding: FakeQuantize) -> None:
        size = plain.kernel_size[0]
        super().__init__(plain.in_channels, plain.out_channels, size, padding=size // 2)
        self.scale, self.zero = rounding.scale().item(), rounding.zero
        with torch.no_grad():
            self.weight.copy_(round_weights(plain.weight))
            assert plain.bias is not None and self.bias is not None
            self.bias.copy_(plain.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, c_in, h, w) to (n, c_out, h, w)."""
        return super().forward(torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero, 0, CODES))


def round_weights(kernel: Tensor) -> Tensor:
    """Return a kernel (c_out, c_in, k, k) rounded to multiples of each output channel's scale; see `scales_of`."""
    zeros = torch.zeros(len(kernel), dtype=torch.int32, device=kernel.device)
    return torch.fake_quantize_per_channel_affine(kernel, scales_of(kernel.detach()), zeros, 0, -128, 127)


def scales_of(kernel: Tensor) -> Tensor:
    """Return the scale (c_out,) of each output channel of a kernel: its largest weight becomes WEIGHT_LEVELS."""
    return kernel.abs().flatten(1).amax(1).clamp_min(SMALLEST) / WEIGHT_LEVELS
