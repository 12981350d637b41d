"""Quality of video: downscaled by Lanczos, encoded, upscaled and compared with the original."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.evaluate.networks import repeating
from tests.video.videos import make_video
from vidsr.errors import DataError
from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.evaluate.quality.scores import Row
from vidsr.evaluate.quality.videos import evaluate_videos, summarize
from vidsr.evaluate.quality.vmaf import why_unavailable
from vidsr.options import EvaluateOptions


def write_video(path: Path, *, frames: int = 6, width: int = 98, height: int = 66, layout: str = "yuv420p") -> Path:
    """A moving wave, lossless, at 24 frames a second."""
    y, x = np.mgrid[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, layout
        for i in range(frames):
            gray = (128 + 70 * np.sin((x + 2 * i) / 4) + 40 * np.sin((y - i) / 3)).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(np.repeat(gray[..., None], 3, axis=2), format="rgb24")
            picture.pts, picture.time_base = i, Fraction(1, 24)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def test_each_crf_has_lanczos_bicubic_and_every_model_with_gains_over_lanczos(tmp_path):
    video = write_video(tmp_path / "wave.mkv")
    rows = evaluate_videos(
        [repeating(tmp_path / "twice.onnx"), "lanczos"],
        [video],
        EvaluateOptions(frames=4, crfs=[18, 33], scale=2, metrics=[]),
    )
    names = [BICUBIC, LANCZOS, "twice", "lanczos"]
    assert [(row.crf, row.method) for row in rows] == [(crf, name) for crf in (18, 33) for name in names]
    lanczos = {row.crf: row.psnr for row in rows if row.method == LANCZOS}
    assert all(row.gain == pytest.approx(row.psnr - lanczos[row.crf]) for row in rows)
    assert all(row.pictures == 4 and row.material == "wave" for row in rows)
    assert next(row.gain for row in rows if row.method == "twice") < -1  # repeated pixels lose to Lanczos
    assert abs(next(row.gain for row in rows if row.method == "lanczos")) < 0.5  # swscale's is nearly the same


def test_higher_crfs_take_fewer_bits_and_is_worse(tmp_path):
    fine, coarse = (
        row
        for row in evaluate_videos(
            [], [write_video(tmp_path / "wave.mkv")], EvaluateOptions(crfs=[18, 33], scale=2, metrics=[])
        )
        if row.method == LANCZOS
    )
    assert fine.kbit > coarse.kbit > 0
    assert fine.psnr > coarse.psnr
    assert fine.pictures == 6  # all there are


def test_a_video_of_another_format_is_refused(tmp_path):
    video = write_video(tmp_path / "full.mkv", layout="yuv444p")
    with pytest.raises(DataError, match=r"full\.mkv is not 8-bit 4:2:0"):
        evaluate_videos([], [video], EvaluateOptions(scale=2))


def test_a_video_that_changes_its_size_is_refused(tmp_path):
    halves = [make_video(tmp_path / f"{side}.h264", size=(side, 64), pts=range(3), format="h264") for side in (96, 64)]
    video = tmp_path / "two sizes.h264"
    video.write_bytes(b"".join(half.read_bytes() for half in halves))
    with pytest.raises(DataError, match=r"two sizes\.h264 changes its frame size"):
        evaluate_videos([], [video], EvaluateOptions(scale=2))


def test_frames_too_small_to_be_downscaled_are_refused(tmp_path):
    video = write_video(tmp_path / "tiny.mkv", width=16, height=6)
    with pytest.raises(DataError, match=r"tiny\.mkv is 16x6, too small"):
        evaluate_videos([], [video], EvaluateOptions(scale=4))


def test_quick_metrics_are_the_default(tmp_path):
    warnings = []
    video = write_video(tmp_path / "wave.mkv")
    rows = evaluate_videos([], [video], EvaluateOptions(crfs=[33], scale=2), warn=warnings.append)
    without = {"vmaf", "vmaf_neg"} if why_unavailable() else set()
    assert set(rows[0].figures) == {"psnr", "sharpness", "vmaf", "vmaf_neg"} - without  # the wave moves: no flicker
    assert any(sentence.startswith("flicker of wave is left out") for sentence in warnings)
    assert any("comes with PyAV 19" in sentence for sentence in warnings) == bool(without)


def test_other_codecs_and_metrics_can_be_chosen(tmp_path):
    video = write_video(tmp_path / "wave.mkv", frames=3, width=160, height=144)
    (row, _) = evaluate_videos(
        [], [video], EvaluateOptions(crfs=[33], scale=2, codec="libx265", metrics=["ssim", "psnr_edge"])
    )
    assert (row.codec, row.crf) == ("libx265", 33)
    assert list(row.figures) == ["psnr", "ssim", "psnr_edge"]


def test_a_video_too_small_for_its_codec_is_refused(tmp_path):
    video = write_video(tmp_path / "wave.mkv", frames=2)
    with pytest.raises(DataError, match=r"wave\.mkv would be encoded at 48x32, but x265 needs at least 64"):
        evaluate_videos([], [video], EvaluateOptions(crfs=[33], scale=2, codec="libx265"))


def test_the_most_telling_crop_of_each_video_and_crf_is_shown(tmp_path):
    shown = []
    video = write_video(tmp_path / "wave.mkv", frames=3)
    evaluate_videos(["lanczos"], [video], EvaluateOptions(crfs=[23, 33], scale=2, metrics=[]), show=shown.append)
    assert [one.title for one in shown] == ["wave x2, libx264 CRF 23", "wave x2, libx264 CRF 33"]
    assert all([crop.method for crop in one.crops] == ["truth", BICUBIC, "lanczos"] for one in shown)
    assert all(one.place.startswith("frame ") for one in shown)


def test_progress_counts_frames_of_every_scale_and_crf(tmp_path):
    seen = []
    video = write_video(tmp_path / "wave.mkv", frames=3)
    evaluate_videos(
        [],
        [video],
        EvaluateOptions(crfs=[23, 33], scale=2, metrics=[]),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(done, 6) for done in range(1, 7)]


def test_the_summary_names_the_least_gain_and_where_it_was():
    rows = [
        Row(clip, 2, "libx264", crf, "net", 24, {"psnr": 30.0}, gain)
        for clip, crf, gain in [("a", 18, 0.3), ("a", 33, 0.1), ("b", 18, -0.1), ("b", 33, 0.1)]
    ]
    (summary,) = summarize(rows)
    assert (summary.method, summary.scale, summary.where) == ("net", 2, "b at CRF 18")
    assert (summary.mean, summary.least) == (pytest.approx(0.1), -0.1)
