"""Bits against quality, from a film to the page: measured, kept, gone on with, drawn."""

import json
import shutil
import sys
from dataclasses import replace
from fractions import Fraction
from html import escape

import numpy as np
import pytest

from tests.browser import opened
from tests.evaluate.bandwidth.test_verdict import BETTER_STILL
from tests.evaluate.bandwidth.test_verdict import answer as made_up
from tests.evaluate.networks import repeating
from tests.video.videos import make_film
from vidsr.errors import DataError, DiskFull, ExtraMissing
from vidsr.evaluate.bandwidth import encode as passes
from vidsr.evaluate.bandwidth import study as bandwidth
from vidsr.evaluate.bandwidth.bandwidth_examples import crf_for, show_parts
from vidsr.evaluate.bandwidth.bandwidth_page import chart, to_html
from vidsr.evaluate.bandwidth.bandwidth_tables import as_json, comparisons_table, points_table
from vidsr.evaluate.bandwidth.encode import look_at, open_send_methods
from vidsr.evaluate.bandwidth.study import Kept, cache_folder, evaluate_bandwidth
from vidsr.evaluate.quality.vmaf import why_not
from vidsr.metrics import psnr
from vidsr.video.convert.resizer import Resizer
from vidsr.video.recode import recode


@pytest.fixture
def without_vmaf(monkeypatch):
    for module in (bandwidth, passes):
        monkeypatch.setattr(module, "why_not", lambda: "VMAF is not here")


@pytest.fixture
def video(tmp_path):
    return make_film(tmp_path / "film.mkv", size=(192, 128), pts=range(6), codec="ffv1")


@pytest.fixture
def twice(tmp_path):
    return repeating(tmp_path / "twice.onnx")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """One answer, with all figures that there are here, and the model it is of."""
    folder = tmp_path_factory.mktemp("measured")
    video = make_film(folder / "film.mkv", size=(192, 128), pts=range(6), codec="ffv1")
    model = repeating(folder / "twice.onnx")
    (found,) = evaluate_bandwidth([model], [video], cache=folder / "cache", frames=5)
    return found, model


@pytest.fixture
def run(tmp_path, video, twice):
    """Measures the film, with points kept in one folder."""

    def measure(models=(twice,), clips=(video,), **options):
        return evaluate_bandwidth(models, clips, cache=tmp_path / "cache", **{"frames": 5, **options})

    return measure


def test_each_way_to_send_a_film_has_a_curve_of_six_points_or_more(measured):
    found, _ = measured
    assert [(curve.name, curve.scale, len(curve.points)) for curve in found.curves] == [
        ("native", 1, 7),
        ("half + lanczos", 2, 6),
        ("half + twice", 2, 6),
    ]
    assert found.video.frames == 5 and found.video.rate == 25
    for curve in found.curves:
        rates, quality = curve.values("psnr")
        assert (np.diff(rates) > 0).all() and (np.diff(quality) > 0).all()
    lanczos, model = found.curves[1:]
    assert [point.kbit for point in lanczos.points] == [point.kbit for point in model.points]
    assert found.metrics == (["psnr"] if why_not() else ["psnr", "vmaf", "vmaf_neg"])


def test_a_point_is_what_the_codec_and_the_figures_say_themselves(run, video, without_vmaf):
    (found,) = run()
    whole = look_at(video, 5, step=4)
    truth, resizer = list(whole), Resizer("lanczos", accurate=True)
    small = [resizer.resize(frame, 96, 64) for frame in truth]
    arrived, size = recode(small, crf=28, options={"preset": "medium"})
    point = next(point for point in found.curve("half + lanczos").points if point.crf == 28)
    assert point.kbit == pytest.approx(size * 8 / 1000 / (5 / 25), rel=0.02)  # x264 is not wholly settled
    larger = [resizer.resize(frame, 192, 128) for frame in arrived]
    expected = np.mean([psnr(a.planes[0], b.planes[0]) for a, b in zip(larger, truth, strict=True)])
    assert point.psnr == pytest.approx(expected, abs=0.05)


def test_models_of_other_factors_bring_lanczos_of_that_factor_along(run, tmp_path, without_vmaf):
    (found,) = run([repeating(tmp_path / "thrice.onnx", scale=3)])
    assert [curve.name for curve in found.curves] == ["native", "half + lanczos", "third + lanczos", "third + thrice"]
    assert (found.video.width, found.video.height) == (192, 120)  # a multiple of twelve


def test_without_models_lanczos_is_measured_alone(run, without_vmaf):
    (found,) = run([])
    assert [curve.name for curve in found.curves] == ["native", "half + lanczos"]


def test_without_libvmaf_psnr_is_measured_alone_and_it_is_said(run, without_vmaf):
    (found,) = run()
    assert found.metrics == ["psnr"]
    assert "PSNR-Y alone: VMAF is not here" in found.protocol
    assert {one.metric for one in found.comparisons} == {"psnr"}


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libvpx-vp9"])
def test_other_codecs_have_curves_too(run, without_vmaf, codec, monkeypatch):
    monkeypatch.setattr(bandwidth, "_CRFS", {51: ((24.0, 40.0), (24.0,)), 63: ((30.0, 50.0), (30.0,))})
    (found,) = run([], codec=codec)
    assert [len(curve.points) for curve in found.curves] == [2, 1]
    assert found.encoder.codec == codec


def test_an_interrupted_run_goes_on_where_it_stopped(run, monkeypatch, without_vmaf):
    encodes = []
    measure = passes.measure

    def counted(video, scale, crf, *others):
        found = measure(video, scale, crf, *others)
        encodes.append((scale, crf))
        return found

    monkeypatch.setattr(bandwidth, "measure", counted)

    def stop(done, total):
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    before = len(encodes)
    assert 0 < before < 13
    told = []
    (found,) = run(progress=lambda done, total: told.append((done, total)))
    assert len(encodes) == len(set(encodes)) == 13
    assert told[-1] == (65, 65) and [done for done, _ in told] == sorted({done for done, _ in told})
    assert run()[0] == found
    assert len(encodes) == 13


def test_a_new_model_is_measured_and_nothing_else_again(run, twice, tmp_path, monkeypatch, without_vmaf):
    run()
    asked = []
    measure = passes.measure

    def counted(video, scale, crf, encoder, methods, tick):
        asked.append((scale, *methods))
        return measure(video, scale, crf, encoder, methods, tick)

    monkeypatch.setattr(bandwidth, "measure", counted)
    run([twice, "bicubic"])
    assert set(asked) == {(2, "half + bicubic")}
    asked.clear()
    shutil.copy(repeating(tmp_path / "other.onnx"), twice)  # another file of that name: its card differs
    run()
    assert set(asked) == {(2, "half + twice")}


def test_a_kept_point_that_cannot_be_read_is_measured_again(tmp_path):
    kept = Kept(tmp_path)
    point = made_up(BETTER_STILL).curves[0].points[0]
    kept.put({"crf": 20}, point)
    assert kept.get({"crf": 20}) == point
    assert kept.get({"crf": 24}) is None
    (file,) = tmp_path.glob("*.json")
    file.write_text(file.read_text()[:40])
    assert kept.get({"crf": 20}) is None


@pytest.mark.parametrize("below", [".", "vidsr/bandwidth"])
def test_a_cache_that_cannot_be_written_is_told_before_anything_is_encoded(video, tmp_path, monkeypatch, below):
    monkeypatch.setattr(bandwidth, "look_at", lambda *_, **__: pytest.fail("it began"))
    (tmp_path / "file").touch()
    with pytest.raises(DiskFull, match="XDG_CACHE_HOME"):
        evaluate_bandwidth([], [video], cache=tmp_path / "file" / below)


def test_points_are_kept_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "vidsr" / "bandwidth"


def test_a_rate_is_counted_over_the_time_that_frames_are_shown(tmp_path):
    video = make_film(tmp_path / "vfr.mkv", pts=[0, 20, 60, 80], time_base=Fraction(1, 1000), codec="ffv1")
    found = look_at(video, None, step=4)
    assert found.seconds == pytest.approx(0.08 * 4 / 3)
    assert found.rate == Fraction(75, 2)
    assert look_at(video, 3, step=4).seconds == pytest.approx(0.06 * 3 / 2)


def test_odd_sides_are_cut_and_it_is_said(run, tmp_path, without_vmaf):
    (found,) = run(clips=[make_film(tmp_path / "odd.mkv", size=(131, 99), pts=range(3), codec="ffv1")])
    assert (found.video.width, found.video.height) == (128, 96)
    assert "of 128x96, cut from 131x99" in found.protocol


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pixel_format": "yuv420p10le"}, "is not 8-bit 4:2:0"),
        ({"pixel_format": "yuv444p"}, "is not 8-bit 4:2:0"),
        ({"pts": [0]}, "no two pictures at two times"),
        ({"size": (64, 2)}, "is 64x2, too small"),
    ],
)
def test_what_cannot_be_measured_is_refused_by_name(run, tmp_path, options, sentence):
    clip = make_film(tmp_path / "bad.mkv", codec="ffv1", **{"pts": range(3), **options})
    with pytest.raises(DataError, match=rf"bad\.mkv .*{sentence}"):
        run(clips=[clip])


def test_a_film_too_small_for_its_codec_is_refused_before_anything_is_encoded(run, tmp_path):
    clip = make_film(tmp_path / "small.mkv", size=(96, 96), pts=range(3), codec="ffv1")
    with pytest.raises(
        DataError, match=r"small\.mkv would be sent at 48x48, but x265 takes pictures of at least 64 pixels"
    ):
        run(clips=[clip], codec="libx265")


def test_two_models_of_one_name_are_told_apart(run, twice, tmp_path, without_vmaf):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (found,) = run([twice, repeating(other / "twice.onnx")])
    assert [curve.name for curve in found.curves[2:]] == [f"half + {twice}", f"half + {other / 'twice.onnx'}"]


def test_the_receivers_command_names_the_model_as_it_was_given(run, twice, without_vmaf):
    (found,) = run()
    assert found.curve("half + twice").method == str(twice)


def test_a_missing_package_is_told_before_anything_is_encoded(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    monkeypatch.setattr(bandwidth, "look_at", lambda *_, **__: pytest.fail("it began"))
    with pytest.raises(ExtraMissing, match="bjontegaard"):
        run()


def test_without_matplotlib_there_is_no_chart_and_a_sentence_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraMissing, match="charts need matplotlib"):
        chart(made_up(BETTER_STILL))


def test_tables_and_json_tell_the_same(measured):
    found, _ = measured
    header, rows = points_table(found)
    assert header[:4] == ["sent as", "CRF", "kbit/s", "PSNR-Y"] and len(rows) == 19
    assert len(comparisons_table(found)[1]) == 2 * len(found.metrics)
    told = json.loads(json.dumps(as_json(found)))
    assert list(told) == [
        "film", "encoder", "protocol", "curves", "comparisons", "verdict", "sender", "receiver",
    ]  # fmt: skip
    assert told["film"]["path"].endswith("film.mkv") and told["film"]["rate"] == 25
    assert told["curves"][1]["points"][0]["kbit"] == found.curves[1].points[0].kbit
    assert told["comparisons"][0]["against_native"] == found.comparisons[0].against_native


def test_refusals_stand_in_the_table_in_words():
    header, rows = comparisons_table(made_up([(100, 75), (200, 80), (400, 84)]))
    cells = dict(zip(header, rows[-1], strict=True))
    assert cells["BD-rate to native"] == "fewer than four points"
    assert cells["to half + lanczos"] == "-"
    assert cells["small wins at kbit/s"] == "always (200 to 400)"
    assert cells["saved at NEG 90"] == "-"


def test_the_crf_of_about_equal_bits_is_found_within_and_beyond_a_curve():
    native = made_up(BETTER_STILL).curves[0]
    doubled = replace(native, points=tuple(replace(point, kbit=6400 / 2 ** (point.crf / 4)) for point in native.points))
    for crf in (22.0, 20.0, 36.0, 40.0, 14.0):
        assert crf_for(doubled, 6400 / 2 ** (crf / 4), 51) == pytest.approx(crf, abs=0.05)
    assert crf_for(doubled, 1e-9, 51) == 51


def test_the_page_shows_chart_figures_and_pictures_in_a_browser(measured, tmp_path):
    found, model = measured
    with open_send_methods([model], engine="auto", precision="auto") as ways:
        parts = show_parts(found, ways)
    assert [caption.split(",")[0] for _, caption in parts[0].pictures] == [
        "truth", "native", "half + lanczos", "half + twice",
    ]  # fmt: skip
    page = tmp_path / "page.html"
    page.write_text(to_html([found], {found.video.digest: parts}))
    assert escape(found.protocol) in page.read_text()
    seen = opened(page)
    assert seen.console == [] and seen.broken == 0
    assert seen.pictures == 1 + sum(len(part.pictures) for part in parts)
