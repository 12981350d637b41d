"""The losses, by the names that recipes give them. Pictures are (n, c, h, w) float in [0, 1]."""

from vidsr.train.losses.adversarial import ADVERSARIAL, Adversarial, gradient_penalty
from vidsr.train.losses.artifact import artifact, artifact_map, grid
from vidsr.train.losses.perceptual_loss import DISTANCES, PAPER_SCALE, feature_matching, perceptual
from vidsr.train.losses.pixel import PIXEL, balance, charbonnier, l1, mse, spectral
from vidsr.train.losses.temporal import flicker, windows

__all__ = [
    "ADVERSARIAL",
    "DISTANCES",
    "PAPER_SCALE",
    "PIXEL",
    "Adversarial",
    "artifact",
    "artifact_map",
    "balance",
    "charbonnier",
    "feature_matching",
    "flicker",
    "gradient_penalty",
    "grid",
    "l1",
    "mse",
    "perceptual",
    "spectral",
    "windows",
]
