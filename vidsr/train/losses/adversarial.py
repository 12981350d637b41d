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


def vanilla_generator(output: Tensor, truth: Tensor) -> Tensor:
    """-log sigmoid(output): the form that does not saturate (Ledig et al., arXiv 1609.04802, equation 6)."""
    return softplus(-output).mean()


def vanilla_discriminator(output: Tensor, truth: Tensor) -> Tensor:
    """-log sigmoid(truth) - log(1 - sigmoid(output)) (Goodfellow et al., arXiv 1406.2661, equation 1)."""
    return softplus(-truth).mean() + softplus(output).mean()


def least_squares_generator(output: Tensor, truth: Tensor) -> Tensor:
    """½ (output - 1)² (Mao et al., arXiv 1611.04076, equation 9)."""
    return 0.5 * (output - 1).square().mean()


def least_squares_discriminator(output: Tensor, truth: Tensor) -> Tensor:
    """½ (truth - 1)² + ½ output² (Mao et al., arXiv 1611.04076, equation 9)."""
    return 0.5 * (truth - 1).square().mean() + 0.5 * output.square().mean()


def negative_score(output: Tensor, truth: Tensor) -> Tensor:
    """-output: hinge (Miyato et al., arXiv 1802.05957, equation 17), Wasserstein (arXiv 1701.07875, algorithm 1)."""
    return -output.mean()


def hinge_discriminator(output: Tensor, truth: Tensor) -> Tensor:
    """max(0, 1 - truth) + max(0, 1 + output) (Miyato et al., arXiv 1802.05957, equation 16)."""
    return relu(1 - truth).mean() + relu(1 + output).mean()


def relativistic_generator(output: Tensor, truth: Tensor) -> Tensor:
    """The discriminator's with sides swapped (Jolicoeur-Martineau, arXiv 1807.00734; ESRGAN, 1809.00219, equation 2).

    Means are over the scores given, in distributed training over one process's share of a batch.
    """
    return relativistic_discriminator(truth, output)


def relativistic_discriminator(output: Tensor, truth: Tensor) -> Tensor:
    """Vanilla, on scores relative to the mean score of the other side (arXiv 1809.00219, equation 1)."""
    return softplus(output.mean() - truth).mean() + softplus(output - truth.mean()).mean()


def wasserstein_discriminator(output: Tensor, truth: Tensor) -> Tensor:
    """output - truth, to be used with a gradient penalty (Arjovsky et al., arXiv 1701.07875, algorithm 1)."""
    return output.mean() - truth.mean()


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


ADVERSARIAL = {
    "vanilla": Adversarial(vanilla_generator, vanilla_discriminator),
    "least_squares": Adversarial(least_squares_generator, least_squares_discriminator),
    "hinge": Adversarial(negative_score, hinge_discriminator),
    "relativistic": Adversarial(relativistic_generator, relativistic_discriminator, relative=True),
    "wasserstein": Adversarial(negative_score, wasserstein_discriminator, penalised=True),
}
