import re

import pytest

from vidsr.evaluate.quality.metric_table import IMAGE_METRICS, METRICS, VIDEO_METRICS, legend, select_metrics
from vidsr.options import EvaluateOptions, help_of


def test_metrics_come_in_the_tables_order_with_psnr_first():
    assert select_metrics(["vmaf-neg", "SSIM"]) == ["psnr", "ssim", "vmaf_neg"]
    assert select_metrics([]) == ["psnr"]


def test_unknown_metrics_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"among psnr, ssim, ms_ssim, .*dists; got niqe"):
        select_metrics(["ssim", "niqe"])


def test_defaults_apply_to_their_kind():
    assert all("images" in METRICS[name].kinds for name in IMAGE_METRICS)
    assert all("videos" in METRICS[name].kinds for name in VIDEO_METRICS)
    assert select_metrics(IMAGE_METRICS) == list(IMAGE_METRICS) and select_metrics(VIDEO_METRICS) == list(VIDEO_METRICS)


def test_every_metric_has_a_meaning_and_a_unique_title():
    assert len(legend(list(METRICS))) == len(METRICS)
    assert all(legend(list(METRICS)).values())


def test_the_help_of_the_option_lists_every_metric():
    assert re.findall(r"[a-z_]+(?=[,.])", help_of(EvaluateOptions, "metrics").split("By")[0]) == list(METRICS)[1:]
