import itertools

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from torch import nn

from vidsr.nets import DISCRIMINATORS, build
from vidsr.nets.discriminator import Discriminator, Patch, UNet
from vidsr.nets.receptive_field import parameters


def test_the_papers_discriminator_has_as_many_weights_as_its_figure_shows():
    widths = [64, 64, 128, 128, 256, 256, 512, 512]
    first = 3 * 9 * 64 + 64
    normed = sum(9 * a * b + 2 * b for a, b in itertools.pairwise(widths))
    dense = 512 * 6 * 6 * 1024 + 1024 + 1024 + 1
    assert parameters(Discriminator()) == first + normed + dense


def test_every_other_convolution_halves_the_size():
    net = Discriminator(width=4, size=32)
    scores, maps = net(torch.rand(2, 3, 32, 32))
    assert scores.shape == (2, 1)
    assert [tuple(features.shape[1:3]) for features in maps] == [
        (4, 32), (4, 16), (8, 16), (8, 8), (16, 8), (16, 4), (32, 4), (32, 2)
    ]  # fmt: skip


def test_another_size_is_refused():
    with pytest.raises(AssertionError, match="expected side 32"):
        Discriminator(width=4, size=32)(torch.rand(2, 3, 48, 48))


@pytest.mark.parametrize("kind", sorted(DISCRIMINATORS))
@pytest.mark.parametrize("channels", [1, 3, 9])
def test_luma_colour_and_three_frames_are_accepted(kind, channels):
    net = build({"kind": kind, "channels": channels, "width": 4, **({"size": 16} if kind == "srgan" else {})})
    scores, maps = net(torch.rand(2, channels, 16, 16))
    (scores.mean() + sum(features.mean() for features in maps)).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_without_normalisation_samples_do_not_affect_each_other():
    torch.manual_seed(0)
    x = torch.rand(3, 3, 16, 16)
    alone, together = (Discriminator(width=4, size=16, batch_norm=norm) for norm in (False, True))
    torch.testing.assert_close(alone(x).scores[:1], alone(x[:1]).scores)
    assert not torch.allclose(together(x).scores[:2], together(x[:2]).scores, atol=1e-4)


def test_the_unet_has_the_published_number_of_parameters_and_scores_every_pixel():
    assert parameters(UNet()) == 4376897
    scores, maps = UNet(width=4)(torch.rand(2, 3, 24, 16))
    assert scores.shape == (2, 1, 24, 16)
    assert [tuple(features.shape[1:3]) for features in maps] == [
        (4, 24), (8, 12), (16, 6), (32, 3), (16, 6), (8, 12), (4, 24), (4, 24), (4, 24)
    ]  # fmt: skip


def test_sides_that_cannot_be_halved_three_times_are_refused():
    with pytest.raises(AssertionError, match="multiples of 8"):
        UNet(width=4)(torch.rand(1, 3, 24, 20))


def test_no_inner_layer_of_the_unet_stretches_by_more_than_one():
    torch.manual_seed(0)
    net = UNet(width=4)
    for _ in range(20):  # each pass in training refines the estimate of the norms
        net(torch.rand(1, 3, 16, 16))
    inner = [module for module in net.modules() if isinstance(module, nn.Conv2d) and module.bias is None]
    norms = [torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() for layer in inner]
    assert norms == pytest.approx([1.0] * 8, rel=0.02)


def test_the_patch_discriminator_scores_patches_and_sees_fine_texture_first():
    torch.manual_seed(0)
    net = Patch(channels=1, width=4)
    scores, maps = net(torch.rand(2, 1, 24, 16))
    assert scores.shape == (2, 1, 3, 2)
    assert [tuple(features.shape[1:]) for features in maps] == [
        (4, 12, 8),
        (8, 6, 4),
        (8, 6, 4),
        (12, 3, 2),
        (12, 3, 2),
    ]
    flat = torch.full((1, 1, 16, 16), 0.5)
    checked = flat + 0.02 * (torch.arange(16).view(1, 1, 1, 16) % 2 - 0.5)
    first = [net(image).maps[0] for image in (flat, flat + 0.02, checked)]
    assert (first[2] - first[0]).abs().mean() > 2 * (first[1] - first[0]).abs().mean()


def test_the_patch_discriminator_is_much_smaller_than_the_unet():
    weights = {kind: parameters(build({"kind": kind})) for kind in ("patch", "unet")}
    assert weights["patch"] < weights["unet"] / 15  # and its layers are half as wide and high
