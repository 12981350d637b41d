import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.train.losses.content import DISTANCES, feature_matching, perceptual

OURS = [torch.tensor([[[[1.0, 3.0]]]]), torch.tensor([[[[0.0]], [[4.0]]]])]
TRUTH = [torch.tensor([[[[0.0, 0.0]]]]), torch.tensor([[[[1.0]], [[1.0]]]])]


def test_layers_are_compared_apart_and_weighed():
    # Mean absolute differences 2 and 2, mean squared ones 5 and 5.
    assert perceptual(OURS, TRUTH, [1.0, 0.25], distance="l1").item() == 2 + 0.5
    assert perceptual(OURS, TRUTH, [1.0, 0.25], distance="mse").item() == 5 + 1.25
    assert perceptual(OURS[:1], TRUTH[:1], [0.5], distance="mse").item() == 2.5


def test_as_many_weights_as_layers():
    with pytest.raises(ValueError, match="zip"):
        perceptual(OURS, TRUTH, [1.0], distance="l1")


def test_feature_matching_averages_over_the_layers():
    assert feature_matching(OURS, [TRUTH[0], OURS[1]]).item() == 1.0


@pytest.mark.parametrize("distance", sorted(DISTANCES))
def test_only_our_features_get_a_gradient_in_single_precision(distance):
    ours, truth = (torch.rand(1, 2, 3, 3, dtype=torch.bfloat16).requires_grad_() for _ in range(2))
    loss = perceptual([ours], [truth], [1.0], distance=distance)
    assert loss.dtype == torch.float32
    loss.backward()
    assert ours.grad is not None and truth.grad is None
