"""Losses of a GAN, both sides. Scores are a discriminator's, of any shape, before the sigmoid, higher for truer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import relu, softplus

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Adversarial:
    """What generator and discriminator minimise: functions of the scores of ours and of the truth."""

    generator: Loss
    discriminator: Loss
    relative: bool = False
    """The generator's side looks at the truth's scores too; else it may be given ours twice."""
    penalised: bool = False
    """The discriminator's side wants `gradient_penalty` added, and a discriminator without batch normalisation."""


def vanilla_generator(ours: Tensor, truth: Tensor) -> Tensor:
    """-log sigmoid(ours): the form that does not saturate (Ledig et al., arXiv 1609.04802, equation 6)."""
    return softplus(-ours).mean()


def vanilla_discriminator(ours: Tensor, truth: Tensor) -> Tensor:
    """-log sigmoid(truth) - log(1 - sigmoid(ours)) (Goodfellow et al., arXiv 1406.2661, equation 1)."""
    return softplus(-truth).mean() + softplus(ours).mean()


def least_squares_generator(ours: Tensor, truth: Tensor) -> Tensor:
    """½ (ours - 1)² (Mao et al., arXiv 1611.04076, equation 9)."""
    return 0.5 * (ours - 1).square().mean()


def least_squares_discriminator(ours: Tensor, truth: Tensor) -> Tensor:
    """½ (truth - 1)² + ½ ours² (Mao et al., arXiv 1611.04076, equation 9)."""
    return 0.5 * (truth - 1).square().mean() + 0.5 * ours.square().mean()


def hinge_generator(ours: Tensor, truth: Tensor) -> Tensor:
    """-ours (Miyato et al., arXiv 1802.05957, equation 17)."""
    return -ours.mean()


def hinge_discriminator(ours: Tensor, truth: Tensor) -> Tensor:
    """max(0, 1 - truth) + max(0, 1 + ours) (Miyato et al., arXiv 1802.05957, equation 16)."""
    return relu(1 - truth).mean() + relu(1 + ours).mean()


def relativistic_generator(ours: Tensor, truth: Tensor) -> Tensor:
    """The discriminator's with sides swapped (Jolicoeur-Martineau, arXiv 1807.00734; ESRGAN, 1809.00219, equation 2).

    Its averages are over the scores given: over one process's share of a batch, where several train together.
    """
    return relativistic_discriminator(truth, ours)


def relativistic_discriminator(ours: Tensor, truth: Tensor) -> Tensor:
    """Vanilla on how far truth lies above the average of ours, and ours above truth's (1809.00219, equation 1)."""
    return softplus(ours.mean() - truth).mean() + softplus(ours - truth.mean()).mean()


def wasserstein_generator(ours: Tensor, truth: Tensor) -> Tensor:
    """-ours (Arjovsky et al., arXiv 1701.07875, algorithm 1)."""
    return -ours.mean()


def wasserstein_discriminator(ours: Tensor, truth: Tensor) -> Tensor:
    """Ours - truth, to which a gradient penalty belongs (Arjovsky et al., arXiv 1701.07875, algorithm 1)."""
    return ours.mean() - truth.mean()


def gradient_penalty(judge: Callable[[Tensor], Tensor], ours: Tensor, truth: Tensor, mix: Tensor) -> Tensor:
    """(‖∇ judge(x)‖ - 1)² at x between ours and truth, averaged over samples: a number; the paper weighs it by 10.

    judge: pictures (n, c, h, w) to scores; scores of many pixels are averaged to one of the picture. mix: (n, 1, 1, 1)
    in [0, 1], how much of the truth each x has. Call it outside autocast, with a judge that treats samples alone:
    without batch normalisation. Source: Gulrajani et al. (arXiv 1704.00028), equation 3.
    """
    between = (mix * truth.detach() + (1 - mix) * ours.detach()).requires_grad_()
    scores = judge(between).flatten(1).mean(1)  # (n,)
    (slope,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
    norms: Tensor = slope.flatten(1).norm(dim=1)  # (n,)
    return (norms - 1).square().mean()


ADVERSARIAL = {
    "vanilla": Adversarial(vanilla_generator, vanilla_discriminator),
    "least_squares": Adversarial(least_squares_generator, least_squares_discriminator),
    "hinge": Adversarial(hinge_generator, hinge_discriminator),
    "relativistic": Adversarial(relativistic_generator, relativistic_discriminator, relative=True),
    "wasserstein": Adversarial(wasserstein_generator, wasserstein_discriminator, penalised=True),
}
