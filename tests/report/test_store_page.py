import re

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="reports need vidsr[evaluate]")

from tests.browser import opened
from tests.report.stores import write_store
from vidsr.report import pair_examples as examples
from vidsr.report import store_page as report
from vidsr.report.pair_examples import by_codec, by_look, show_pair
from vidsr.report.statistics import measure
from vidsr.report.store_page import report_store


def test_a_browser_shows_every_image_without_errors(tmp_path):
    page = tmp_path / "store.html"
    page.write_text(report_store(write_store(tmp_path / "store")), encoding="utf-8")
    shown = opened(page)
    charts, of_codecs, of_looks = 2, 4 * 8, 3 * 4
    assert (shown.console, shown.pictures, shown.broken) == ([], charts + of_codecs + of_looks, 0)


def test_a_report_names_sources_licences_skipped_files_and_settings(tmp_path):
    html = report_store(write_store(tmp_path / "store"))
    text = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", html, flags=re.DOTALL)
    for said in (
        "46 pairs of images in luma: 16×16 pixels, and the ground truth of 32×32, 2 times larger",
        "Cut from 2 sources. Files skipped, completely or in part: 1.",
        "a &amp; b.png",
        "640×360",
        "CC0",
        "not stated",
        "image file is truncated",
        "libx264: 10 pairs, CRF 28 to 28",
        "soft, noisy; a &amp; b.png",
        "degradation.coded",
    ):
        assert said in text, said


def test_the_same_store_gives_the_same_report(tmp_path):
    store = write_store(tmp_path / "store")
    assert report_store(store) == report_store(store)


@pytest.mark.parametrize("settings", [{"channels": 3}, {"frames": 3}, {"frames": 5, "channels": 3, "scale": 3}])
def test_colour_and_runs_of_frames_are_shown_too(tmp_path, settings):
    page = tmp_path / "store.html"
    page.write_text(report_store(write_store(tmp_path / "store", **settings)), encoding="utf-8")
    shown = opened(page)
    assert (shown.console, shown.broken) == ([], 0)
    assert shown.pictures == 46 + (3 if "frames" in settings else 0)


def test_statistics_are_those_of_the_ground_truth_and_of_bicubic(tmp_path):
    store = write_store(tmp_path / "store", brightness=235)
    found = measure(store, store.split("train"))
    assert len(found.psnr) == 40
    assert found.brightness == pytest.approx(100 * 31 / 32)
    assert found.psnr == pytest.approx(10 * np.log10(255**2 * 32 / (235 - 16) ** 2))
    assert found.detail == pytest.approx((235 - 16) * 4 / 30)  # two neighbours once, the line twice, of 30 lines


def test_a_large_store_is_sampled_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr("vidsr.report.statistics.SAMPLED", 7)
    monkeypatch.setattr("vidsr.report.statistics.BATCH", 3)
    store = write_store(tmp_path / "store")
    assert len(measure(store, store.split("train")).psnr) == 7


def test_examples_are_of_each_codec_from_the_best_quality_to_the_worst(tmp_path):
    pairs = write_store(tmp_path / "store").split("train")
    crf = np.where(pairs.index["kind"] == "libx264", np.arange(40) % 37, pairs.index["crf"])
    pairs = type(pairs)(pairs.low, pairs.high, pairs.qp, np.array(pairs.index))
    pairs.index["crf"] = crf
    found = {name: (places, shown) for name, places, shown in by_codec(pairs)}
    assert next(iter(found)) == "clean" and found.keys() == {"clean", "libx264", "libx265", "jpeg"}
    places, shown = found["libx264"]
    assert len(places) == 10 and len(shown) == examples.EXAMPLES
    of_shown = pairs.index["crf"][shown]
    assert list(of_shown) == sorted(of_shown)
    assert (of_shown[0], of_shown[-1]) == (crf[places].min(), crf[places].max())


def test_the_first_example_of_a_degradation_has_the_fewest_others(tmp_path):
    pairs = write_store(tmp_path / "store").split("train")
    pairs = type(pairs)(pairs.low, pairs.high, pairs.qp, np.array(pairs.index))
    pairs.index[8] = (0, "clean", np.nan, "noisy")
    found = {name: (places, shown) for name, places, shown in by_look(pairs)}
    assert found.keys() == {"soft", "noisy", "resized"}
    assert len(found["noisy"][0]) == 11 and found["noisy"][1][0] == 8


def test_examples_are_of_different_sources_where_there_are_enough(tmp_path):
    pairs = write_store(tmp_path / "store").split("train")
    pairs = type(pairs)(pairs.low, pairs.high, pairs.qp, np.array(pairs.index))
    pairs.index["source"] = np.arange(40) // 4  # each has one pair of each codec
    for _, _, shown in by_codec(pairs):
        assert len(set(pairs.index["source"][shown])) == len(shown) == examples.EXAMPLES


def test_luma_is_shown_from_black_to_white_beside_the_truth(tmp_path):
    store = write_store(tmp_path / "store", brightness=235)
    image, caption = show_pair(store, store.split("train"), 1)
    assert image.shape == (32, 32 + examples.GAP + 32)
    assert np.all(image[:, :32] == 255) and np.all(image[3, -32:] == 0) and np.all(image[4:, -32:] == 255)
    assert caption == "libx264 at CRF 28 (frame QP 30), soft, noisy; a & b.png"


def test_a_long_list_of_sources_is_cut_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "LISTED", 1)
    html = report_store(write_store(tmp_path / "store"))
    assert "film.mp4</td>" not in html and "The first 1 of 2; manifest.json lists all." in html
