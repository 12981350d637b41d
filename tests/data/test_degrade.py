import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from tests.data.drawings import texture
from vidsr.data.codec_pass import KERNELS, compress, downscale, recompress
from vidsr.data.degradation import BOUNDS, Degradation
from vidsr.data.degrade import degrade
from vidsr.data.hr_degradations import degrade_ground_truth
from vidsr.errors import DataError
from vidsr.metrics import psnr
from vidsr.resize import resize

ON_BOTH = ("soft", "dark", "noisy", "recompressed")
ON_LOW = ("blurred", "resized", "grainy", "jpeg")
CLEAN = Degradation(coded=0, **dict.fromkeys(ON_BOTH + ON_LOW, 0))
RUN = [texture(48, 96, 3, seed=seed) for seed in range(2)]
NOTHING = {"blurred_sigma": (0, 0), "resized_factor": (1, 1), "grain": (0, 0), "jpeg_quality": (100, 100)}
SEEDS = st.integers(0, 2**32)


def degraded(settings, run=RUN, scale=2, seed=0, coded=None):
    rng = np.random.default_rng(seed)
    drawn = bool(rng.random() < settings.coded) if coded is None else coded
    return degrade(run, settings, scale, rng, coded=drawn)


def luma(run):
    return [picture[..., :1] for picture in run]


def same(a, b):
    return len(a) == len(b) and all(map(np.array_equal, a, b))


def distance(a, b):
    return float(np.mean([np.abs(x.astype(float) - y).mean() for x, y in zip(a, b, strict=True)]))


def test_kernels_are_drawn_with_shares_that_sum_to_one():
    assert sum(KERNELS.values()) == pytest.approx(1)


@pytest.mark.parametrize("channels", [(), (3,)])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_every_kernel_downscales_and_keeps_the_mean(scale, channels):
    picture = texture(96, 96, *channels)
    for seed in range(12):
        (small,) = downscale([picture], scale, np.random.default_rng(seed))
        assert small.shape == (96 // scale, 96 // scale, *channels)
        assert small.dtype == np.uint8
        assert np.abs(small.mean((0, 1)) - picture.mean((0, 1))).max() < 2


def test_without_degradations_the_image_is_unchanged():
    (same,), names = degrade_ground_truth([texture(96, 96)], CLEAN, np.random.default_rng(0))
    assert np.array_equal(same, texture(96, 96))
    assert names == []


@pytest.mark.parametrize("channels", [(), (3,)])
def test_each_degradation_of_the_ground_truth_has_its_effect(channels):
    picture = texture(96, 96, *channels)

    def look(**shares):
        settings = replace(CLEAN, **{"sharpened": 0, **shares})
        return degrade_ground_truth([picture], settings, np.random.default_rng(3))[0][0].astype(float)

    def detail(values):
        return np.abs(np.diff(values, axis=1)).mean()

    assert detail(look(soft=1)) < detail(picture.astype(float))
    assert look(dark=1).mean() < picture.mean()
    assert detail(look(soft=1, sharpened=1)) > detail(look(soft=1))
    assert 0 < np.abs(look(noisy=1) - picture).mean() < 8
    assert 0 < np.abs(look(recompressed=1) - picture).mean() < (20 if channels else 8)  # chroma is halved


@pytest.mark.parametrize(("x265", "av1"), [(0, 0), (1, 0), (0, 1)])
def test_each_codec_damages_the_images_and_gives_a_qp_in_range(x265, av1):
    settings = Degradation(x265=x265, av1=av1, crf=(35, 36))
    run = [texture(96, 96)] * 3
    arrived = compress(run, settings, np.random.default_rng(0))
    assert len(arrived.images) == len(arrived.qps) == 3
    assert all(20 < qp < 51 for qp in arrived.qps)
    assert all(0.1 < np.abs(a.astype(float) - b).mean() < 20 for a, b in zip(arrived.images, run, strict=True))


@pytest.mark.parametrize("run", [RUN, luma(RUN)], ids=["rgb", "luma"])
def test_without_degradations_images_are_only_downscaled(run):
    for seed in range(8):
        sent = degraded(CLEAN, run, seed=seed)
        assert same(sent.high, run)
        assert (sent.kind, sent.crf, sent.looks, sent.qps) == ("clean", None, (), [0.0, 0.0])
        assert all(psnr(low, resize(truth, 24, 48)) > 22 for low, truth in zip(sent.low, run, strict=True))
    assert any(same(degraded(CLEAN, run, seed=i).low, [resize(truth, 24, 48) for truth in run]) for i in range(8))


def test_luma_is_degraded_as_by_the_single_steps():
    run = [picture[..., 0] for picture in luma(RUN)]
    for seed in range(6):
        settings = replace(Degradation(), **dict.fromkeys(ON_LOW, 0.0))
        rng = np.random.default_rng(seed)
        coded = rng.random() < settings.coded
        truth, _ = degrade_ground_truth(run, settings, rng)
        low, qps = downscale(truth, 2, rng), [0.0] * 2
        if coded:
            arrived = compress(low, settings, rng)
            low, qps = arrived.images, arrived.qps
        sent = degraded(settings, luma(RUN), seed=seed)
        assert same([picture[..., 0] for picture in sent.high], truth)
        assert same([picture[..., 0] for picture in sent.low], low)
        assert sent.qps == qps


@hypothesis(max_examples=25, deadline=None)
@given(SEEDS, st.sampled_from([1, 3]), st.sampled_from([2, 3, 4]))
def test_the_same_seed_gives_the_same_bytes(seed, channels, scale):
    run = [picture[..., :channels] for picture in RUN]
    a, b = (degraded(Degradation(), run, scale, seed) for _ in range(2))
    assert same(a.low, b.low) and same(a.high, b.high)
    assert (a.kind, a.crf, a.looks, a.qps) == (b.kind, b.crf, b.looks, b.qps)
    for low, truth in zip(a.low, a.high, strict=True):
        assert truth.shape == (48, 96, channels) and low.shape == (48 // scale, 96 // scale, channels)
        assert low.dtype == truth.dtype == np.uint8
    assert len(a.low) == len(a.high) == len(a.qps) == 2


@pytest.mark.parametrize("side", [192, 320])
def test_x264_gives_the_same_bytes_at_sizes_where_it_does_not_with_avx512(side):
    scene = np.random.default_rng(0).integers(30, 220, (200, 200)).repeat(6, 0).repeat(6, 1).astype(np.uint8)
    run = [resize(scene[3 * i : 3 * i + 768, 2 * i : 2 * i + 768], side, side) for i in range(10)]
    ways = []
    for turn in range(8):
        ways.append(recompress("libx264", run, 25, {"preset": "veryfast"})[0])
        litter = [np.random.default_rng(i).integers(0, 255, 50_000 + 1000 * turn, np.uint8) for i in range(50)]
        del litter
    assert all(same(way, ways[0]) for way in ways)


@pytest.mark.parametrize("run", [RUN, luma(RUN)], ids=["rgb", "luma"])
@pytest.mark.parametrize("fault", ON_LOW)
def test_degradations_of_the_low_resolution_image_leave_the_ground_truth_alone(fault, run):
    settings = replace(CLEAN, noisy=1, soft=1, second=0)
    for seed in range(3):
        before = degraded(settings, run, seed=seed)
        after = degraded(replace(settings, **{fault: 1}, blurred_sigma=(1, 2)), run, seed=seed)
        assert same(before.high, after.high)
        assert after.looks == (*before.looks, fault)
        assert after.kind == ("jpeg" if fault == "jpeg" else "clean")
        resized = [resize(truth, 24, 48) for truth in after.high]
        assert 0 < distance(after.low, resized) < 40
        harmless = degraded(replace(settings, **{fault: 1}, **NOTHING), run, seed=seed)
        assert fault == "jpeg" or same(harmless.low, before.low)  # and JPEG's best still rounds


@pytest.mark.parametrize("look", ON_BOTH)
def test_degradations_of_the_ground_truth_are_on_the_low_resolution_image_too(look):
    sent = degraded(replace(CLEAN, **{look: 1}, sharpened=0), seed=5)
    assert sent.looks == (look,)
    assert distance(sent.high, RUN) > 0
    assert all(psnr(low, resize(truth, 24, 48)) > 22 for low, truth in zip(sent.low, sent.high, strict=True))


def test_degradations_are_named_in_order():
    everything = {field.name: 1 for field in fields(Degradation) if field.name in (*ON_BOTH, *ON_LOW, "sharpened")}
    sent = degraded(Degradation(**everything, second=1, coded=1, x265=0, av1=0))
    names = "soft sharpened dark noisy recompressed blurred resized grainy jpeg again"
    assert " ".join(sent.looks) == names
    assert sent.kind == "libx264"


def measured(settings, scale=2, **options):
    """How far each of some draws lies from the clean one."""
    clean = [degraded(CLEAN, scale=scale, seed=seed, **options).low for seed in range(6)]
    return [distance(degraded(settings, scale=scale, seed=s, **options).low, clean[s]) for s in range(6)]


@pytest.mark.parametrize(
    ("fault", "name", "weak", "strong"),
    [
        ("blurred", "blurred_sigma", (0.3, 0.4), (1.8, 2)),
        ("resized", "resized_factor", (0.99, 1), (0.4, 1)),
        ("grainy", "grain", (0.5, 1), (7, 8)),
        ("jpeg", "jpeg_quality", (95, 95), (60, 60)),
    ],
)
def test_each_range_says_how_strong_its_fault_is(fault, name, weak, strong):
    settings = replace(CLEAN, **{fault: 1}, resized_up=0, second=0)
    assert np.mean(measured(replace(settings, **{name: weak}))) < np.mean(measured(replace(settings, **{name: strong})))


def test_a_second_round_degrades_more_by_its_strength():
    settings = replace(CLEAN, grainy=1, grain=(4, 4), poisson=0, second=0)
    once, weak, strong = (
        np.mean(measured(replace(settings, second=second, second_strength=strength)))
        for second, strength in ((0, 1), (1, 0.3), (1, 1))
    )
    assert once < weak < strong
    assert degraded(replace(settings, second=1)).looks == ("grainy", "again")
    assert degraded(replace(CLEAN, second=1)).looks == ()


@pytest.mark.parametrize("poisson", [0, 1])
def test_grain_has_the_sigma_it_says_in_every_kind(poisson):
    grey = [np.full((128, 128, 3), 110, np.uint8)]
    settings = replace(CLEAN, grainy=1, grain=(5, 5), poisson=poisson, second=0)
    for shared in (0, 1):
        (low,) = degraded(replace(settings, grain_grey=shared), grey).low
        assert abs(low.astype(float).std() - 5) < 0.3
        assert (np.ptp(low.astype(int), axis=2).max() == 0) == bool(shared)
    (low,) = degraded(settings, [np.full((128, 128, 1), 126, np.uint8)]).low
    assert abs(low.astype(float).std() - 5) < 0.3


def test_light_that_is_counted_has_more_noise_where_there_is_more_light():
    halves = np.full((64, 128, 1), 30, np.uint8)
    halves[:, 64:] = 220
    (low,) = degraded(replace(CLEAN, grainy=1, grain=(5, 5), poisson=1, second=0), [halves]).low
    assert low[:, :30].std() < 0.6 * low[:, 34:].std()


def test_a_stretched_blur_is_longer_in_one_direction():
    point = np.zeros((96, 96, 1), np.uint8)
    point[40:56, 40:56] = 255
    spreads = []
    for stretched in (0, 1):
        settings = replace(CLEAN, blurred=1, blurred_sigma=(0.2, 6), stretched=stretched, second=0)
        ratios = []
        for seed in range(8):
            weights = degraded(settings, [point], seed=seed).low[0][..., 0].astype(float)
            places = np.argwhere(weights > 0)
            values = np.linalg.eigvalsh(np.cov(places.T, aweights=weights[weights > 0]))
            ratios.append(values[1] / values[0])
        spreads.append(max(ratios))
    assert spreads[0] < 1.1 < 1.3 < spreads[1]


def test_blur_shifts_and_dims_nothing():
    ramp = np.arange(16, 208, 2, dtype=np.uint8)[None, :, None].repeat(48, 0)
    blurred = degraded(replace(CLEAN, blurred=1, second=0), [ramp], seed=2).low[0]
    assert np.abs(blurred[:, 8:-8].astype(int) - degraded(CLEAN, [ramp], seed=2).low[0][:, 8:-8]).max() <= 1
    flat = [np.full((48, 48, 3), (16, 130, 255), np.uint8)]
    assert same(degraded(replace(CLEAN, blurred=1, resized=1, second=1), flat).low, [flat[0][:24, :24]])


@pytest.mark.parametrize(
    ("shares", "kind", "crf"),
    [({"x265": 0, "av1": 0}, "libx264", 30), ({"x265": 1}, "libx265", 30), ({"x265": 0, "av1": 1}, "libsvtav1", 45)],
)
@pytest.mark.parametrize("run", [RUN, luma(RUN)], ids=["rgb", "luma"])
def test_a_run_goes_through_the_drawn_codec_as_one_clip(run, shares, kind, crf):
    run = [np.kron(picture, np.ones((2, 2, 1), np.uint8)) for picture in run]
    run = [np.roll(run[0], 2 * i, axis=1) for i in range(6)]
    sent = degraded(replace(CLEAN, crf=(30, 30), **shares), run, coded=True)
    assert (sent.kind, sent.crf, sent.looks) == (kind, crf, ())
    assert len(sent.low) == 6 and all(0 < qp <= 51 for qp in sent.qps)
    clean = degraded(CLEAN, run, coded=False)
    assert same(sent.high, clean.high)
    assert 0.2 < distance(sent.low, clean.low) < 20
    if kind == "libx264":
        assert len(set(sent.qps)) > 1  # key, P and B frames have their own


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_images_too_small_for_a_codec_are_padded(codec, channels):
    run = [texture(4, 10, *channels), texture(4, 10, *channels, seed=1)]
    sent, qps = recompress(codec, run, 20)
    assert [picture.shape for picture in sent] == [(4, 10, *channels)] * 2
    assert len(qps) == 2 and distance(sent, run) < 12


def test_coded_decides_on_compression():
    assert degraded(CLEAN, coded=True).kind != "clean"
    assert degraded(CLEAN, coded=False).kind == "clean"


def test_colours_survive_a_gentle_codec():
    rgb = np.full((64, 64, 3), (200, 60, 20), np.uint8)
    rgb[:, 32:] = (20, 90, 220)
    (low,) = degraded(replace(CLEAN, crf=(1, 1), x265=0, av1=0), [rgb], coded=True).low
    assert np.abs(low[4:-4, 4:12].astype(int) - (200, 60, 20)).max() <= 4
    assert np.abs(low[4:-4, -12:-4].astype(int) - (20, 90, 220)).max() <= 4


def test_shares_and_ranges_that_make_no_sense_are_refused_by_name():
    with pytest.raises(DataError, match=r"blurred is 1\.5; expected a share from 0 to 1"):
        Degradation(blurred=1.5)
    with pytest.raises(DataError, match=r"the range grain is \(8, 1\); .* the smaller one first"):
        Degradation(grain=(8, 1))
    with pytest.raises(DataError, match=r"resized_factor is \(1\.2, 1\.5\); expected one that includes 1"):
        Degradation(resized_factor=(1.2, 1.5))
    for beyond in (
        {"crf": (10, 43)},
        {"recompressed_crf": (0, 52)},
        {"blur": (0, 0)},
        {"upscaled": (0, 2)},
        {"noise": (1, math.inf)},
    ):
        with pytest.raises(DataError, match=rf"the range {min(beyond)} is .*; expected two numbers from"):
            Degradation(**beyond)


def test_every_codec_takes_the_ends_of_its_range():
    for codec in ({"x265": 0, "av1": 0}, {"x265": 1}, {"x265": 0, "av1": 1}):
        for crf in BOUNDS["crf"]:
            assert len(degraded(replace(CLEAN, crf=(crf, crf), **codec), coded=True).low) == len(RUN)
    for crf in BOUNDS["recompressed_crf"]:
        assert degraded(replace(CLEAN, recompressed=1, recompressed_crf=(crf, crf))).looks == ("recompressed",)
