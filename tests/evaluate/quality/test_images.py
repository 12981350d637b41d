"""Quality of images: the protocol's resizes against the literature, networks against known results."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluate.networks import qp_as_gray, repeating
from vidsr.color import ColorSpec
from vidsr.errors import DataError
from vidsr.evaluate.quality.images import evaluate_images, find_sets, limited_frame
from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.evaluate.quality.views import luma_codes
from vidsr.frames import Frame
from vidsr.metrics import luma_of_rgb, psnr
from vidsr.options import EvaluateOptions
from vidsr.resize import resize
from vidsr.video.convert.recode import recode


def picture(height: int = 64, width: int = 80, seed: int = 0) -> np.ndarray:
    """A smooth colourful picture with some grain."""
    y, x = np.mgrid[:height, :width]
    waves = [128 + 80 * np.sin(x / 5 + y / (7 + k) + seed) for k in range(3)]
    grain = np.random.default_rng(seed).normal(0, 6, (height, width, 3))
    return np.clip(np.stack(waves, axis=2) + grain, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of two pictures."""
    place = tmp_path / "pair"
    place.mkdir()
    for seed in range(2):
        Image.fromarray(picture(seed=seed)).save(place / f"{seed}.png")
    return place


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Set5", {2: 33.67, 3: 30.40, 4: 28.43}), ("Set14", {2: 30.32, 3: 27.63, 4: 26.09})],
)
def test_bicubic_scores_what_the_literature_says(name, expected):
    if "VIDSR_DATA" not in os.environ:
        pytest.skip("VIDSR_DATA is not set")
    folder = Path(os.environ["VIDSR_DATA"]) / "val" / name
    for scale, figure in expected.items():
        rows = evaluate_images([], [folder], EvaluateOptions(scale=scale, metrics=["psnr"]))
        assert [row.method for row in rows] == [BICUBIC, LANCZOS]
        assert rows[0].psnr == pytest.approx(figure, abs=0.03)


def test_every_table_has_the_protocols_rows_and_gains_are_over_its_bicubic(folder, tmp_path):
    rows = evaluate_images([repeating(tmp_path / "twice.onnx")], [folder])
    assert [row.method for row in rows] == [BICUBIC, LANCZOS, "twice"]
    assert rows[0].gain == 0
    assert all(row.gain == pytest.approx(row.psnr - rows[0].psnr) for row in rows)
    assert all(row.pictures == 2 and row.material == "pair" and row.scale == 2 for row in rows)


def test_a_luma_network_is_fed_the_luma_of_the_small_rgb_picture(folder, tmp_path):
    row = evaluate_images([repeating(tmp_path / "twice.onnx")], [folder])[-1]
    expected = []
    for seed in range(2):
        large = picture(seed=seed)
        small = luma_of_rgb(resize(large, 32, 40))
        repeated = np.rint(np.rint(small * 4) / 4).repeat(2, axis=0).repeat(2, axis=1)
        expected.append(psnr(repeated, luma_of_rgb(large), border=2))
    assert row.psnr == pytest.approx(np.mean(expected), abs=0.02)


def test_an_rgb_network_is_fed_colours(folder, tmp_path):
    row = evaluate_images([repeating(tmp_path / "twice.onnx", channels=3)], [folder])[-1]
    expected = []
    for seed in range(2):
        large = picture(seed=seed)
        repeated = resize(large, 32, 40).repeat(2, axis=0).repeat(2, axis=1)
        expected.append(psnr(luma_of_rgb(repeated), luma_of_rgb(large), border=2))
    assert row.psnr == pytest.approx(np.mean(expected), abs=0.02)


def test_swscales_bicubic_is_a_model_beside_the_protocols(folder):
    rows = evaluate_images(["bicubic"], [folder], EvaluateOptions(scale=2))
    assert [row.method for row in rows] == [BICUBIC, LANCZOS, "bicubic"]
    assert abs(rows[-1].gain) < 0.5


def test_compressed_pictures_get_worse_with_the_crf(folder):
    rows = evaluate_images([], [folder], EvaluateOptions(scale=2, crfs=[18, 33]))
    bicubic = [row for row in rows if row.method == BICUBIC]
    assert [row.crf for row in bicubic] == [18, 33]
    assert bicubic[0].psnr > bicubic[1].psnr + 1


def test_the_qp_of_the_compressed_image_reaches_the_network(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "one.png")
    row = evaluate_images([qp_as_gray(tmp_path / "gray.onnx")], [tmp_path], EvaluateOptions(crfs=[30]))[-1]
    (frame,), payload = recode([limited_frame(resize(picture(), 32, 40))], crf=30)
    answer = np.full((64, 80), round(frame.qp / 51 * 255))
    assert row.psnr == pytest.approx(psnr(answer, np.rint(luma_of_rgb(picture())), border=2), abs=0.05)
    assert row.bits_per_pixel == payload * 8 / (64 * 80)


def test_pictures_are_cut_to_sizes_that_divide(tmp_path):
    Image.fromarray(picture(67, 83)).save(tmp_path / "odd.png")
    clean = evaluate_images([], [tmp_path], EvaluateOptions(scale=3))[0]
    Image.fromarray(picture(67, 83)[:66, :81]).save(tmp_path / "odd.png")
    assert evaluate_images([], [tmp_path], EvaluateOptions(scale=3))[0] == clean


def test_models_of_several_scales_are_each_held_against_their_own_baseline(folder, tmp_path):
    models = [repeating(tmp_path / "two.onnx", scale=2), repeating(tmp_path / "three.onnx", scale=3)]
    rows = evaluate_images(models, [folder])
    assert [(row.method, row.scale) for row in rows if row.gain == 0] == [(BICUBIC, 2), (BICUBIC, 3)]
    assert [(row.method, row.scale) for row in rows if row.method in ("two", "three")] == [("two", 2), ("three", 3)]


def test_quick_metrics_are_the_default_and_missing_ones_are_warned_about(folder):
    warnings = []
    (row, _) = evaluate_images([], [folder], EvaluateOptions(scale=2), warn=warnings.append)
    assert list(row.figures) == ["psnr", "ssim", "sharpness", "psnr_flat", "psnr_texture", "psnr_edge"]
    assert warnings == ["MS-SSIM of pair is left out: it needs at least 176 pixels a side"]


def test_luma_networks_get_bicubics_colours(folder, tmp_path):
    shown = []
    models = [repeating(tmp_path / "luma.onnx"), repeating(tmp_path / "rgb.onnx", channels=3)]
    evaluate_images(models, [folder], EvaluateOptions(metrics=[]), show=shown.append)
    truth, bicubic, luma, rgb = (crop.rgb.astype(int) for crop in shown[0].crops)
    repeated = resize(picture(), 32, 40).repeat(2, axis=0).repeat(2, axis=1)[2:-2, 2:-2]
    assert np.array_equal(truth, picture()[2:-2, 2:-2])
    assert np.abs(rgb - repeated).max() <= 2
    difference = luma - bicubic  # one change of luma for all three colours, where none is clipped
    inside = ((luma > 0) & (luma < 255)).all(axis=2)
    assert np.abs(difference - difference[..., :1])[inside].max() <= 1
    assert (
        np.abs(luma_of_rgb(luma.astype(np.uint8)) - luma_of_rgb(repeated.astype(np.uint8)))[inside].max() < 1.6
    )  # both are rounded twice


def test_two_models_of_one_name_are_called_by_their_paths(folder, tmp_path):
    models = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        models.append(repeating(tmp_path / name / "best.onnx"))
    rows = evaluate_images([*models, models[0]], [folder], EvaluateOptions(metrics=[]))
    assert [row.method for row in rows[2:]] == [str(model) for model in models]


def test_progress_counts_pictures(folder):
    seen = []
    evaluate_images([], [folder], EvaluateOptions(scale=2), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_a_folder_of_sets_gives_each_set_its_name(folder):
    assert [(name, len(paths)) for name, paths in find_sets(folder.parent)] == [("pair", 2)]
    assert [(name, len(paths)) for name, paths in find_sets(folder)] == [("pair", 2)]


def test_a_limited_frame_has_the_luma_of_its_picture_and_neutral_chroma_for_gray():
    gray = np.full((8, 6, 3), 77, np.uint8)
    frame = limited_frame(gray)
    assert [plane.shape for plane in frame.planes] == [(8, 6), (4, 3), (4, 3)]
    assert np.all(frame.planes[0] == np.rint(luma_of_rgb(gray)))
    assert np.all(frame.planes[1] == 128) and np.all(frame.planes[2] == 128)


def test_luma_codes_of_ten_bits_are_rounded_to_eight():
    codes = np.array([[64, 65, 67, 940]], np.uint16)
    assert luma_codes(Frame((codes,), ColorSpec(6, full_range=False), bits=10)).tolist() == [[16, 16, 17, 235]]


def test_without_a_model_or_a_scale_there_is_nothing_to_do(folder):
    with pytest.raises(DataError, match="name a model, or give --scale"):
        evaluate_images([], [folder])


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"contains no images \(\.png"):
        evaluate_images([], [tmp_path], EvaluateOptions(scale=2))
    with pytest.raises(DataError, match="expected a folder of images"):
        evaluate_images([], [tmp_path / "notes.txt"], EvaluateOptions(scale=2))


def test_a_picture_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"broken\.png cannot be read as an image"):
        evaluate_images([], [tmp_path], EvaluateOptions(scale=2))


def test_pictures_are_read_as_prepare_reads_them(tmp_path):
    levels = picture()[..., 0]
    scores = {}
    for name, image in {
        "plain": Image.fromarray(levels),
        "sixteen": Image.fromarray(levels.astype(np.uint16) * 257),
        "turned": Image.fromarray(np.rot90(levels).copy()),
    }.items():
        place = tmp_path / name
        place.mkdir()
        exif = Image.Exif()
        exif[0x0112] = 6 if name == "turned" else 1  # shown turned to the right
        image.save(place / f"{name}.png", exif=exif)
        scores[name] = evaluate_images([], [place], EvaluateOptions(scale=2))[0].figures
    assert scores["sixteen"] == scores["turned"] == scores["plain"]


def test_a_picture_too_small_for_the_window_is_named(tmp_path):
    Image.fromarray(picture(14, 40)).save(tmp_path / "low.png")
    with pytest.raises(DataError, match=r"low\.png is 40x14, too small to be measured at x2"):
        evaluate_images([], [tmp_path], EvaluateOptions(scale=2))
