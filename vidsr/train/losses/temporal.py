"""Losses over time, against flicker: frames are (n, t, c, h, w), consecutive frames of n scenes."""

from torch import Tensor


def windows(frames: Tensor, *, length: int = 3) -> Tensor:
    """Stack every `length` consecutive frames: (n, t, c, h, w) -> (n * (t - length + 1), length * c, h, w).

    What a discriminator of `length` * c channels judges: an adversarial loss on these is the temporal loss. Frames are
    in order of time. Source: TecoGAN (arXiv 1811.09393), here without motion compensation.
    """
    n, t, c, h, w = frames.shape
    assert t >= length, f"{t} frames cannot make a window of {length}"
    views = frames.unfold(1, length, 1)  # (n, windows, c, h, w, length)
    return views.permute(0, 1, 5, 2, 3, 4).reshape(n * (t - length + 1), length * c, h, w)


def flicker(ours: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of what changes from frame to frame, ours against the truth's: a number.

    It forgives an error that stays. Source: the temporal consistency of Chen et al. (arXiv 1703.09211), without flow.
    """
    return (ours.diff(dim=1) - truth.diff(dim=1)).abs().mean()
