import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from torch import nn

from vidsr.nets.discriminator import Discriminator, UNet
from vidsr.train.losses.adversarial import ADVERSARIAL, gradient_penalty

OURS, TRUTH = np.array([[0.3], [-1.2], [2.0]]), np.array([[0.8], [1.7], [-0.4]])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_the_book(kind):
    """Generator's and discriminator's loss as the papers write them."""
    o, t, log = OURS, TRUTH, np.log
    over_ours, over_truth = sigmoid(t - o.mean()), sigmoid(o - t.mean())
    return {
        "vanilla": (-log(sigmoid(o)).mean(), -log(sigmoid(t)).mean() - log(1 - sigmoid(o)).mean()),
        "least_squares": (((o - 1) ** 2).mean() / 2, ((t - 1) ** 2).mean() / 2 + (o**2).mean() / 2),
        "hinge": (-o.mean(), -np.minimum(0, t - 1).mean() - np.minimum(0, -o - 1).mean()),
        "relativistic": (
            -log(1 - over_ours).mean() - log(over_truth).mean(),
            -log(over_ours).mean() - log(1 - over_truth).mean(),
        ),
        "wasserstein": (-o.mean(), o.mean() - t.mean()),
    }[kind]


@pytest.mark.parametrize("kind", sorted(ADVERSARIAL))
def test_both_sides_are_what_the_papers_write(kind):
    scores, sides = (torch.from_numpy(OURS), torch.from_numpy(TRUTH)), ADVERSARIAL[kind]
    ours = sides.generator(*scores).item(), sides.discriminator(*scores).item()
    assert ours == pytest.approx(by_the_book(kind), rel=1e-12)


@pytest.mark.parametrize("kind", sorted(ADVERSARIAL))
def test_the_generator_looks_at_the_truth_only_where_it_says_so(kind):
    ours, truth, sides = torch.from_numpy(OURS), torch.from_numpy(TRUTH), ADVERSARIAL[kind]
    assert (sides.generator(ours, truth) != sides.generator(ours, ours)) == sides.relative


@pytest.mark.parametrize("kind", ["vanilla", "relativistic"])
def test_large_scores_stay_finite(kind):
    for scores in ((1e4, -1e4), (-1e4, 1e4)):
        ours, truth = (torch.full((2, 1), score, requires_grad=True) for score in scores)
        loss = ADVERSARIAL[kind].generator(ours, truth) + ADVERSARIAL[kind].discriminator(ours, truth)
        loss.backward()
        assert loss.isfinite() and ours.grad.isfinite().all()


def test_the_penalty_of_a_plane_is_how_far_its_slope_is_from_one():
    slope = torch.tensor([3.0, 4.0], requires_grad=True)  # its norm is 5
    discriminator = lambda x: (x * slope.view(1, 2, 1, 1)).sum(dim=(1, 2, 3)).unsqueeze(1)  # noqa: E731
    penalty = gradient_penalty(discriminator, torch.rand(3, 2, 1, 1), torch.rand(3, 2, 1, 1), torch.rand(3, 1, 1, 1))
    assert penalty.item() == pytest.approx(16)
    penalty.backward()
    assert slope.grad.tolist() == pytest.approx([2 * 4 * 3 / 5, 2 * 4 * 4 / 5])  # the discriminator learns from it


def test_the_penalty_is_taken_between_ours_and_the_truth_sample_by_sample():
    ours, truth = torch.zeros(2, 1, 1, 1), torch.tensor([4.0, 8.0]).view(2, 1, 1, 1)
    discriminator = lambda x: x.square() / 2  # its slope is x  # noqa: E731
    mix = torch.tensor([0.5, 0.75]).view(2, 1, 1, 1)  # at 2 and 6
    assert gradient_penalty(discriminator, ours, truth, mix).item() == pytest.approx((1**2 + 5**2) / 2)


@pytest.mark.parametrize("kind", sorted(ADVERSARIAL))
@pytest.mark.parametrize(
    "make",
    [lambda: Discriminator(width=4, size=16, batch_norm=False), lambda: UNet(width=4)],
    ids=["srgan", "unet"],
)
def test_a_grey_is_pulled_towards_the_truth(kind, make):
    torch.manual_seed(0)
    sides, discriminator, grey = ADVERSARIAL[kind], make(), nn.Parameter(torch.tensor(0.2))
    adam_discriminator = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.9))
    adam_grey = torch.optim.Adam([grey], lr=0.02, betas=(0.5, 0.9))
    for _ in range(25):
        truth = 0.8 + 0.05 * torch.randn(4, 3, 16, 16)
        ours = grey + 0.05 * torch.randn(4, 3, 16, 16)
        loss = sides.discriminator(discriminator(ours.detach()).scores, discriminator(truth).scores)
        if sides.penalised:
            loss = loss + 10 * gradient_penalty(lambda x: discriminator(x).scores, ours, truth, torch.rand(4, 1, 1, 1))
        adam_discriminator.zero_grad()
        loss.backward()
        adam_discriminator.step()
        adam_grey.zero_grad()
        sides.generator(discriminator(ours).scores, discriminator(truth).scores).backward()
        adam_grey.step()
    assert grey.item() > 0.35
