"""Adversarial losses. Scores are a discriminator's logits, of any shape, higher for images taken to be real."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Adversarial:
    """The losses of generator and discriminator, as functions of the scores of the output and of the ground truth."""

    generator: Loss
    discriminator: Loss
    relative: bool = False
    """Whether the generator's loss uses the truth's scores; if not, any tensor can be given for them."""
    penalised: bool = False
    """Whether the discriminator's loss needs `gradient_penalty`, and thus one without batch normalisation."""


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], output: Tensor, truth: Tensor, mix: Tensor) -> Tensor:
    """(‖∇ discriminator(x)‖ - 1)² at x between output and truth, averaged over samples; the paper's weight is 10.

    discriminator: images (n, c, h, w) to scores, of which each image's are averaged; it must treat samples
    independently: no batch normalisation. mix: (n, 1, 1, 1) in [0, 1], the share of the truth in each x. Call it
    outside autocast. Source: Gulrajani et al. (arXiv 1704.00028), equation 3.
    """
    between = (mix * truth.detach() + (1 - mix) * output.detach()).requires_grad_()
    scores = discriminator(between).flatten(1).mean(1)  # (n,)
    (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    norms: Tensor = gradient.flatten(1).norm(dim=1)  # (n,)
    return (norms - 1).square().mean()


def _relativistic(own: Tensor, other: Tensor) -> Tensor:
    """Return the vanilla loss of `other` above `own`, each relative to the mean score of the other side."""
    return softplus(own.mean() - other).mean() + softplus(own - other.mean()).mean()


ADVERSARIAL = {
    # Discriminator: Goodfellow et al., arXiv 1406.2661, equation 1. Generator: the form that does not saturate, Ledig
    # et al., arXiv 1609.04802, equation 6.
    "vanilla": Adversarial(
        generator=lambda output, truth: softplus(-output).mean(),
        discriminator=lambda output, truth: softplus(-truth).mean() + softplus(output).mean(),
    ),
    # Mao et al., arXiv 1611.04076, equation 9.
    "least_squares": Adversarial(
        generator=lambda output, truth: 0.5 * (output - 1).square().mean(),
        discriminator=lambda output, truth: 0.5 * ((truth - 1).square().mean() + output.square().mean()),
    ),
    # Miyato et al., arXiv 1802.05957, equations 16 and 17.
    "hinge": Adversarial(
        generator=lambda output, truth: -output.mean(),
        discriminator=lambda output, truth: relu(1 - truth).mean() + relu(1 + output).mean(),
    ),
    # Jolicoeur-Martineau, arXiv 1807.00734; ESRGAN, arXiv 1809.00219, equations 1 and 2. Means are over the scores
    # given, in distributed training over one process's share of a batch.
    "relativistic": Adversarial(
        generator=lambda output, truth: _relativistic(truth, output),
        discriminator=_relativistic,
        relative=True,
    ),
    # Arjovsky et al., arXiv 1701.07875, algorithm 1.
    "wasserstein": Adversarial(
        generator=lambda output, truth: -output.mean(),
        discriminator=lambda output, truth: output.mean() - truth.mean(),
        penalised=True,
    ),
}
"""The kinds of GAN, by the names that recipes use."""
