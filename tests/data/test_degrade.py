import numpy as np
import pytest

from vidsr.data.degrade import KERNELS, Degradation, film_look, send, shrink


def texture(height=96, width=96):
    return np.kron(
        np.random.default_rng(0).integers(60, 200, (height // 4, width // 4), np.uint8), np.ones((4, 4), np.uint8)
    )


def test_kernels_are_drawn_with_shares_that_sum_to_one():
    assert sum(KERNELS.values()) == pytest.approx(1)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_kernel_shrinks_and_keeps_the_mean(scale):
    picture = texture()
    for seed in range(12):
        (small,) = shrink([picture], scale, np.random.default_rng(seed))
        assert small.shape == (96 // scale, 96 // scale)
        assert small.dtype == np.uint8
        assert abs(small.mean() - picture.mean()) < 2


def test_without_film_look_the_picture_is_untouched():
    settings = Degradation(soft=0, noisy=0, dark=0, worn=0)
    (same,) = film_look([texture()], settings, np.random.default_rng(0))
    assert np.array_equal(same, texture())


def test_each_look_does_what_it_says():
    picture = texture()

    def look(**shares):
        settings = Degradation(**{"soft": 0, "noisy": 0, "dark": 0, "worn": 0, "sharpened": 0, **shares})
        return film_look([picture], settings, np.random.default_rng(3))[0].astype(float)

    assert np.abs(np.diff(look(soft=1))).mean() < np.abs(np.diff(picture.astype(float))).mean()
    assert look(dark=1).mean() < picture.mean()
    assert np.abs(np.diff(look(soft=1, sharpened=1))).mean() > np.abs(np.diff(look(soft=1))).mean()
    assert 0 < np.abs(look(noisy=1) - picture).mean() < 8
    assert 0 < np.abs(look(worn=1) - picture).mean() < 8


@pytest.mark.parametrize(("x265", "av1"), [(0, 0), (1, 0), (0, 1)])
def test_each_codec_damages_the_run_and_tells_a_quantiser_in_range(x265, av1):
    settings = Degradation(x265=x265, av1=av1, crf=(35, 36))
    run = [texture()] * 3
    arrived, quantisers = send(run, settings, np.random.default_rng(0))
    assert len(arrived) == len(quantisers) == 3
    assert all(20 < quantiser < 51 for quantiser in quantisers)
    assert all(0.1 < np.abs(a.astype(float) - b).mean() < 20 for a, b in zip(arrived, run, strict=True))
