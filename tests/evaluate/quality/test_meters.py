"""Meters, on images whose metrics are known."""

from contextlib import ExitStack
from math import isnan

import numpy as np
import pytest

from vidsr.evaluate.quality.meters import FlickerMeter, FrameMeter, open_meters
from vidsr.evaluate.quality.metric_table import METRICS
from vidsr.evaluate.quality.views import View, view_of_rgb
from vidsr.evaluate.quality.vmaf import why_unavailable


def view(luma) -> View:
    codes = np.asarray(luma, np.uint8)
    return View(codes, lambda: np.repeat(codes[..., None], 3, axis=2))


def noise(seed: int = 0, height: int = 64, width: int = 80) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 200, (height, width)).astype(np.uint8)


def measured(names, pairs, *, kind="videos"):
    """The metrics of the method `ours`, and the warnings."""
    warnings: list[str] = []
    with ExitStack() as stack:
        meters = open_meters(names, kind, 2, stack, warn=warnings.append)
        for truth, ours in pairs:
            for meter in meters:
                meter.add(truth, {"ours": ours})
        found = {name: its["ours"] for meter in meters for name, its in meter.result().items()}
    return found, warnings


def test_each_frame_has_a_value():
    meter = FrameMeter(lambda ours, truth: {"sum": float(ours.luma.sum() - truth.luma.sum())})
    for i in range(3):
        meter.add(view(np.zeros((2, 2))), {"a": view(np.full((2, 2), i)), "b": view(np.zeros((2, 2)))})
    assert meter.result() == {"sum": {"a": [0, 4, 8], "b": [0, 0, 0]}}


def test_a_perfect_image_counts_100_db():
    found, _ = measured(["psnr"], [(view(noise()), view(noise()))])
    assert found == {"psnr": [100.0]}


def test_strata_are_measured_together():
    found, warnings = measured(["psnr_flat", "psnr_edge"], [(view(noise()), view(noise() + 5))])
    assert set(found) == {"psnr_flat", "psnr_texture", "psnr_edge"} and not warnings
    assert found["psnr_edge"] == pytest.approx([20 * np.log10(255 / 5)])


def test_a_stratum_without_error_counts_100_db():
    found, _ = measured(["psnr_flat"], [(view(noise()), view(noise()))])
    assert set(map(tuple, found.values())) == {(100.0,)}


def test_a_picture_no_larger_than_the_window_has_no_strata():
    found, _ = measured(["psnr_flat"], [(view(noise(height=11)), view(noise(height=11) + 5))])
    assert all(isnan(values[0]) for values in found.values()) and len(found) == 3


def test_pictures_too_small_for_five_scales_have_no_ms_ssim():
    found, _ = measured(["ms_ssim", "ssim"], [(view(noise()), view(noise()))])
    assert isnan(found["ms_ssim"][0]) and found["ssim"] == pytest.approx([1])


def test_flicker_is_measured_run_by_run_and_over_the_rest():
    still = noise()
    frames = [(view(still), view(still + 2 * (i % 2))) for i in range(11)]  # runs of 8 and 3
    found, _ = measured(["flicker"], frames)
    variances = [np.var([2 * (i % 2) for i in run], ddof=1) for run in (range(8), range(8, 11))]
    assert found["flicker"] == [pytest.approx(np.mean(variances) ** 0.5)]


def test_a_video_without_static_pixels_has_no_flicker():
    found, _ = measured(["flicker"], [(view(noise(i)), view(noise(i))) for i in range(8)])
    assert isnan(found["flicker"][0])
    meter = FlickerMeter()
    meter.add(view(noise()), {"ours": view(noise())})
    assert isnan(meter.result()["flicker"]["ours"][0])  # one frame alone


def test_a_metric_of_videos_is_left_out_for_images_with_a_warning():
    found, warnings = measured(["psnr", "flicker"], [(view(noise()), view(noise() + 5))], kind="images")
    assert set(found) == {"psnr"}
    assert warnings == ["flicker applies only to videos; it is left out for images"]


def test_a_missing_metric_is_warned_about_and_the_rest_is_measured(monkeypatch):
    monkeypatch.setattr("vidsr.evaluate.quality.vmaf.why_unavailable", lambda: "VMAF needs something else")
    found, warnings = measured(["psnr", "vmaf", "vmaf_neg"], [(view(noise()), view(noise() + 5))])
    assert set(found) == {"psnr"}
    assert warnings == ["VMAF needs something else; it is left out for videos"]


@pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))
def test_vmaf_of_equal_videos_is_at_least_97_and_of_a_worse_one_less():
    y, x = np.mgrid[:256, :320]
    video = [(128 + 60 * np.sin((x + 3 * i) / 9) + 40 * np.cos((y - i) / 6)).astype(np.uint8) for i in range(3)]
    found, _ = measured(["vmaf", "vmaf_neg"], [(view(frame), view(frame)) for frame in video])
    assert min(found["vmaf"]) >= 97 and min(found["vmaf_neg"]) >= 97
    coarse = [frame[::8, ::8].repeat(8, axis=0).repeat(8, axis=1) for frame in video]
    worse, _ = measured(["vmaf"], [(view(a), view(b)) for a, b in zip(video, coarse, strict=True)])
    assert len(worse["vmaf"]) == 3 and max(worse["vmaf"]) < 90


@pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))
def test_frames_too_small_for_vmaf_have_none():
    found, _ = measured(["vmaf"], [(view(noise(height=32)), view(noise(height=32)))])
    assert isnan(found["vmaf"][0])


def test_every_metric_can_be_opened_or_is_warned_about():
    for name, metric in METRICS.items():
        with ExitStack() as stack:
            warnings: list[str] = []
            meters = open_meters([name], metric.kinds[-1], 2, stack, warn=warnings.append)
            assert len(meters) + len(warnings) == 1, name


def test_a_view_of_rgb_has_its_studio_luma_and_loses_its_border():
    rgb = np.full((6, 8, 3), 255, np.uint8)
    rgb[0] = 0
    inner = view_of_rgb(rgb).without_border(1)
    assert inner.luma.shape == (4, 6) and np.allclose(inner.luma, 235)
    assert inner.rgb().shape == (4, 6, 3)
