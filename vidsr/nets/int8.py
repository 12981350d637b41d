"""Convolutions in int8: trained with the rounding that this brings, then exported with it.

Weights and activations are rounded in the forward pass, and gradients pass as if they were not (arXiv 1308.3432), so
the network learns weights that lose little by the rounding (arXiv 1712.05877). Zero is always represented by 0: with a
zero point, CPUs with AMX compute several times more slowly.
"""

import torch
from torch import Tensor, nn

ACTIVATION_LEVELS = 127
WEIGHT_LEVELS = 63
"""Half of what int8 holds. AVX2 adds two products of 8 bits in 16, which larger weights overflow without notice."""
SMALLEST = 1e-6  # a range of zero has no scale
DECAY = 0.999  # of a range, at each step of training


class FakeQuantize(nn.Module):
    """Round activations to int8, with the largest value so far as the range: any shape, float in and out."""

    largest: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("largest", torch.zeros(()))
        self.register_buffer("zero", torch.zeros((), dtype=torch.int32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x rounded to multiples of the scale, and clipped to the range. In training the range follows x."""
        if self.training:
            with torch.no_grad():
                self.largest.copy_(torch.maximum(self.largest * DECAY, x.detach().abs().amax()))
        scale = self.largest.clamp_min(SMALLEST) / ACTIVATION_LEVELS
        return torch.fake_quantize_per_tensor_affine(x, scale, self.get_buffer("zero"), -128, 127)


class Int8Conv(nn.Conv2d):
    """A convolution for export: its input is rounded to int8, its weights already are; see `round_weights`."""

    def __init__(self, plain: nn.Conv2d, fake_quantize: FakeQuantize) -> None:
        size = plain.kernel_size[0]
        super().__init__(plain.in_channels, plain.out_channels, size, padding=size // 2)
        self.scale = float(fake_quantize.largest.clamp_min(SMALLEST)) / ACTIVATION_LEVELS
        with torch.no_grad():
            self.weight.copy_(round_weights(plain.weight))
            assert plain.bias is not None and self.bias is not None
            self.bias.copy_(plain.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, c_in, h, w) to (n, c_out, h, w)."""
        return super().forward(torch.fake_quantize_per_tensor_affine(x, self.scale, 0, -128, 127))


def round_weights(kernel: Tensor) -> Tensor:
    """Return a kernel (c_out, c_in, k, k) rounded to multiples of each output channel's scale; see `scales_of`."""
    zeros = torch.zeros(len(kernel), dtype=torch.int32, device=kernel.device)
    return torch.fake_quantize_per_channel_affine(kernel, scales_of(kernel.detach()), zeros, 0, -128, 127)


def scales_of(kernel: Tensor) -> Tensor:
    """Return the scale (c_out,) of each output channel of a kernel: its largest weight becomes WEIGHT_LEVELS."""
    return kernel.abs().flatten(1).amax(1).clamp_min(SMALLEST) / WEIGHT_LEVELS
