"""A bandwidth study, from the clip to the page: measuring, caching, resuming, drawing."""

import json
import shutil
import sys
from dataclasses import asdict, replace
from fractions import Fraction
from html import escape

import numpy as np
import pytest

from tests.browser import opened
from tests.evaluate.bandwidth.test_verdict import BETTER_STILL
from tests.evaluate.bandwidth.test_verdict import result as synthetic
from tests.evaluate.networks import repeating
from tests.video.videos import make_video
from vidsr.errors import DataError, DiskFull, ExtraMissing
from vidsr.evaluate.bandwidth import encode, study
from vidsr.evaluate.bandwidth.bandwidth_examples import crf_for_rate, make_examples
from vidsr.evaluate.bandwidth.bandwidth_report import as_json, chart, comparisons_table, points_table, to_html
from vidsr.evaluate.bandwidth.encode import open_delivery_methods, probe_clip
from vidsr.evaluate.bandwidth.study import evaluate_bandwidth
from vidsr.evaluate.quality import vmaf
from vidsr.evaluate.quality.vmaf import why_unavailable
from vidsr.io.cache import cache_folder, write_cache
from vidsr.metrics import psnr
from vidsr.options import EvaluateOptions
from vidsr.video.convert.recode import recode
from vidsr.video.convert.resizer import Resizer


@pytest.fixture
def without_vmaf(monkeypatch):
    for module in (study, vmaf):
        monkeypatch.setattr(module, "why_unavailable", lambda: "VMAF is not available")


@pytest.fixture
def video(tmp_path):
    return make_video(tmp_path / "clip.mkv", size=(192, 128), pts=range(6), codec="ffv1")


@pytest.fixture
def twice(tmp_path):
    return repeating(tmp_path / "twice.onnx")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """One result, with all metrics that are available here, and its model."""
    folder = tmp_path_factory.mktemp("measured")
    video = make_video(folder / "clip.mkv", size=(192, 128), pts=range(6), codec="ffv1")
    model = repeating(folder / "twice.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        (found,) = evaluate_bandwidth([model], [video], EvaluateOptions(frames=5))
    return found, model


@pytest.fixture
def run(tmp_path, video, twice, monkeypatch):
    """Measures the video, with points cached in one folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def measure(models=(twice,), clips=(video,), progress=None, codec="libx264"):
        return evaluate_bandwidth(models, clips, EvaluateOptions(frames=5, codec=codec), progress=progress)

    return measure


def test_each_delivery_method_has_a_curve_of_at_least_six_points(measured):
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
    assert found.metrics == (["psnr"] if why_unavailable() else ["psnr", "vmaf", "vmaf_neg"])


def test_a_point_is_what_codec_and_metrics_give(run, video, without_vmaf):
    (found,) = run()
    whole = probe_clip(video, 5, step=4)
    truth, resizer = list(whole), Resizer("lanczos", accurate=True)
    small = [resizer.resize(frame, 96, 64) for frame in truth]
    arrived, size = recode(small, crf=28, options={"preset": "medium"})
    point = next(point for point in found.curve("half + lanczos").points if point.crf == 28)
    assert point.kbit == pytest.approx(size * 8 / 1000 / (5 / 25), rel=0.02)  # x264 is not wholly settled
    larger = [resizer.resize(frame, 192, 128) for frame in arrived]
    expected = np.mean([psnr(a.planes[0], b.planes[0]) for a, b in zip(larger, truth, strict=True)])
    assert point.psnr == pytest.approx(expected, abs=0.05)


def test_models_of_other_factors_are_measured_beside_lanczos(run, tmp_path, without_vmaf):
    (found,) = run([repeating(tmp_path / "thrice.onnx", scale=3)])
    assert [curve.name for curve in found.curves] == ["native", "half + lanczos", "third + lanczos", "third + thrice"]
    assert (found.video.width, found.video.height) == (192, 120)  # a multiple of twelve


def test_without_models_lanczos_is_measured_alone(run, without_vmaf):
    (found,) = run([])
    assert [curve.name for curve in found.curves] == ["native", "half + lanczos"]


def test_without_libvmaf_only_psnr_is_measured(run, without_vmaf):
    (found,) = run()
    assert found.metrics == ["psnr"]
    assert "PSNR-Y alone: VMAF is not available" in found.protocol
    assert {one.metric for one in found.comparisons} == {"psnr"}


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libvpx-vp9"])
def test_other_codecs_have_curves_too(run, without_vmaf, codec, monkeypatch):
    monkeypatch.setattr(study, "_CRFS", {51: ((24.0, 40.0), (24.0,)), 63: ((30.0, 50.0), (30.0,))})
    (found,) = run([], codec=codec)
    assert [len(curve.points) for curve in found.curves] == [2, 1]
    assert found.encoder.codec == codec


def test_an_interrupted_run_continues_where_it_stopped(run, monkeypatch, without_vmaf):
    encodes = []
    measure = encode.measure

    def counted(clip, crf, encoder, methods, tick):
        found = measure(clip, crf, encoder, methods, tick)
        encodes.append((methods[0].scale, crf))
        return found

    monkeypatch.setattr(study, "measure", counted)

    def stop(done, total):
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=stop)
    before = len(encodes)
    assert 0 < before < 13
    calls = []
    (found,) = run(progress=lambda done, total: calls.append((done, total)))
    assert len(encodes) == len(set(encodes)) == 13
    assert calls[-1] == (65, 65) and [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert run()[0] == found
    assert len(encodes) == 13


def test_a_new_model_is_measured_and_nothing_else_again(run, twice, tmp_path, monkeypatch, without_vmaf):
    run()
    asked = []
    measure = encode.measure

    def counted(clip, crf, encoder, methods, tick):
        asked.append((methods[0].scale, *(method.name for method in methods)))
        return measure(clip, crf, encoder, methods, tick)

    monkeypatch.setattr(study, "measure", counted)
    run([twice, "bicubic"])
    assert set(asked) == {(2, "half + bicubic")}
    asked.clear()
    shutil.copy(repeating(tmp_path / "other.onnx"), twice)  # another file of that name: its card differs
    run()
    assert set(asked) == {(2, "half + twice")}


def test_a_cached_point_that_cannot_be_read_is_measured_again(run, monkeypatch, without_vmaf):
    monkeypatch.setattr(study, "_CRFS", {51: ((24.0, 40.0), (24.0, 40.0))})
    (before,) = run([])
    folder = cache_folder("bandwidth")
    files = sorted(folder.glob("*.json"))
    assert len(files) == 4
    files[0].write_text(files[0].read_text()[:40])
    files[1].write_text("{}")
    (after,) = run([])
    assert [len(curve.points) for curve in after.curves] == [len(curve.points) for curve in before.curves]
    assert all("point" in json.loads(file.read_text()) for file in files)


def test_points_cached_under_the_old_keys_are_read(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    point = synthetic(BETTER_STILL).curves[0].points[0]
    write_cache(
        "bandwidth", study._cache_name({"film": "digest", "way": "native", "crf": 20}), {"point": asdict(point)}
    )
    assert study._cached_point({"video": "digest", "method": "native", "crf": 20}) == point
    assert study._cached_point({"video": "digest", "method": "native", "crf": 24}) is None


@pytest.mark.parametrize("place", [".", "vidsr/bandwidth"])
def test_a_cache_that_cannot_be_written_is_refused_before_anything_is_encoded(video, tmp_path, monkeypatch, place):
    monkeypatch.setattr(study, "probe_clip", lambda *_, **__: pytest.fail("it began"))
    blocked = tmp_path / "cache" / place
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(DiskFull, match="XDG_CACHE_HOME"):
        evaluate_bandwidth([], [video])


def test_bit_rates_are_relative_to_presentation_time(tmp_path):
    video = make_video(tmp_path / "vfr.mkv", pts=[0, 20, 60, 80], time_base=Fraction(1, 1000), codec="ffv1")
    found = probe_clip(video, 9, step=4)
    assert found.seconds == pytest.approx(0.08 * 4 / 3)
    assert found.rate == Fraction(75, 2)
    assert probe_clip(video, 3, step=4).seconds == pytest.approx(0.06 * 3 / 2)


def test_odd_sides_are_cropped(run, tmp_path, without_vmaf):
    (found,) = run(clips=[make_video(tmp_path / "odd.mkv", size=(131, 99), pts=range(3), codec="ffv1")])
    assert (found.video.width, found.video.height) == (128, 96)
    assert "of 128x96, cropped from 131x99" in found.protocol


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pixel_format": "yuv420p10le"}, "is not 8-bit 4:2:0"),
        ({"pixel_format": "yuv444p"}, "is not 8-bit 4:2:0"),
        ({"pts": [0]}, "fewer than two frames at different times"),
        ({"size": (64, 2)}, "is 64x2, too small"),
    ],
)
def test_clips_that_cannot_be_measured_are_refused(run, tmp_path, options, sentence):
    clip = make_video(tmp_path / "bad.mkv", codec="ffv1", **{"pts": range(3), **options})
    with pytest.raises(DataError, match=rf"bad\.mkv .*{sentence}"):
        run(clips=[clip])


def test_a_video_too_small_for_its_codec_is_refused_before_anything_is_encoded(run, tmp_path):
    clip = make_video(tmp_path / "small.mkv", size=(96, 96), pts=range(3), codec="ffv1")
    with pytest.raises(DataError, match=r"small\.mkv would be encoded at 48x48, but x265 needs at least 64 pixels"):
        run(clips=[clip], codec="libx265")


def test_two_models_of_one_name_are_called_by_their_paths(run, twice, tmp_path, without_vmaf):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (found,) = run([twice, repeating(other / "twice.onnx")])
    assert [curve.name for curve in found.curves[2:]] == [f"half + {twice}", f"half + {other / 'twice.onnx'}"]


def test_the_receivers_command_names_the_model_as_it_was_given(run, twice, without_vmaf):
    (found,) = run()
    assert found.curve("half + twice").method == str(twice)


def test_a_missing_package_is_reported_before_anything_is_encoded(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "bjontegaard", None)
    monkeypatch.setattr(study, "probe_clip", lambda *_, **__: pytest.fail("it began"))
    with pytest.raises(ExtraMissing, match="bjontegaard"):
        run()


def test_without_matplotlib_a_chart_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ExtraMissing, match="charts need matplotlib"):
        chart(synthetic(BETTER_STILL))


def test_tables_and_json_agree(measured):
    found, _ = measured
    header, rows = points_table(found)
    assert header[:4] == ["encoded as", "CRF", "kbit/s", "PSNR-Y"] and len(rows) == 19
    assert len(comparisons_table(found)[1]) == 2 * len(found.metrics)
    printed = json.loads(json.dumps(as_json(found)))
    assert list(printed) == [
        "video", "encoder", "protocol", "curves", "comparisons", "verdict", "sender", "receiver",
    ]  # fmt: skip
    assert printed["video"]["path"].endswith("clip.mkv") and printed["video"]["rate"] == 25
    assert printed["curves"][1]["points"][0]["kbit"] == found.curves[1].points[0].kbit
    assert printed["comparisons"][0]["against_native"] == found.comparisons[0].against_native


def test_missing_values_are_explained_in_the_table():
    header, rows = comparisons_table(synthetic([(100, 75), (200, 80), (400, 84)]))
    cells = dict(zip(header, rows[-1], strict=True))
    assert cells["BD-rate to native"] == "fewer than four points"
    assert cells["to half + lanczos"] == "-"
    assert cells["better at kbit/s"] == "always (200 to 400)"
    assert cells["saved at NEG 90"] == "-"


def test_the_crf_of_about_equal_bits_is_found_within_and_beyond_a_curve():
    native = synthetic(BETTER_STILL).curves[0]
    doubled = replace(native, points=tuple(replace(point, kbit=6400 / 2 ** (point.crf / 4)) for point in native.points))
    for crf in (22.0, 20.0, 36.0, 40.0, 14.0):
        assert crf_for_rate(doubled, 6400 / 2 ** (crf / 4), 51) == pytest.approx(crf, abs=0.05)
    assert crf_for_rate(doubled, 1e-9, 51) == 51


def test_the_page_is_shown_in_a_browser(measured, tmp_path):
    found, model = measured
    with open_delivery_methods([model], EvaluateOptions()) as methods:
        examples = make_examples(found, methods)
    assert [caption.split(",")[0] for _, caption in examples[0].images] == [
        "truth", "native", "half + lanczos", "half + twice",
    ]  # fmt: skip
    page = tmp_path / "page.html"
    page.write_text(to_html([found], {found.video.digest: examples}))
    assert escape(found.protocol) in page.read_text()
    seen = opened(page)
    assert seen.console == [] and seen.broken == 0
    assert seen.pictures == 1 + sum(len(example.images) for example in examples)
