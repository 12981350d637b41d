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


class FakeQuantize(nn.Module):
    """Round activations to 256 values, of which 0 is one: any shape, float in and out."""

    zero: Tensor
    """The code of 0."""

    def __init__(self) -> None:
        super().__init__()
        self.span = nn.Parameter(torch.zeros(()))
        """The difference between the smallest and the largest value; 0 before the first batch in training."""
        self.register_buffer("zero", torch.zeros(()))

    def scale(self) -> Tensor:
        """Return the difference between two neighbouring values."""
        return self.span.clamp_min(SMALLEST) / CODES

    def forward(self, x: Tensor) -> Tensor:
        """Return x clipped and rounded; the gradient passes the rounding, and also reaches the range.

        The first batch in training sets the range.
        """
        if self.training and self.span == 0:
            self._fit(x)
        scale = self.scale()
        codes = (x / scale).clamp(-self.zero, CODES - self.zero)
        return (codes + (codes.round() - codes).detach()) * scale

    @torch.no_grad()
    def _fit(self, x: Tensor) -> None:
        low, high = x.amin().clamp_max(0), x.amax().clamp_min(0)
        self.span.copy_(high - low)
        self.zero.copy_((-low / self.scale()).round())


class Int8Conv(nn.Conv2d):
    """A convolution for export: its input is rounded to int8, its weights already are; see `round_weights`."""

    def __init__(self, plain: nn.Conv2d, rounding: FakeQuantize) -> None:
        size = plain.kernel_size[0]
        super().__init__(plain.in_channels, plain.out_channels, size, padding=size // 2)
        self.scale, self.zero = rounding.scale().item(), int(rounding.zero)
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
