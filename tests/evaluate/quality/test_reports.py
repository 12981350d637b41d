import json

import pytest

from tests.browser import opened
from tests.evaluate.networks import repeating
from tests.evaluate.quality.test_images import folder  # noqa: F401  (a fixture)
from tests.evaluate.quality.test_videos import write_video
from vidsr.errors import TargetExists
from vidsr.evaluate.quality.contact_sheet import draw_sheet
from vidsr.evaluate.quality.reports import (
    check_target,
    report_images,
    report_videos,
    sentences,
    table,
    to_html,
)
from vidsr.options import EvaluateOptions


@pytest.fixture
def on_images(folder, tmp_path):  # noqa: F811
    return report_images(
        [repeating(tmp_path / "twice.onnx")], [folder], EvaluateOptions(metrics=["ssim", "sharpness"]), crops=True
    )


def test_a_table_has_its_metrics_after_psnr_and_the_gain(on_images):
    header, cells = table(on_images)
    assert header == ["material", "scale", "method", "PSNR-Y", "over bicubic", "SSIM-Y", "sharpness"]
    assert [row[:3] for row in cells][:2] == [["pair", "x2", "protocol bicubic"], ["pair", "x2", "protocol lanczos"]]
    assert cells[0][4] == "+0.00" and float(cells[2][6]) == pytest.approx(
        on_images.rows[2].figures["sharpness"], abs=1e-3
    )


def test_a_table_of_compressed_input_has_bit_rates(folder, tmp_path):  # noqa: F811
    sent = report_images([], [folder], EvaluateOptions(scale=2, crfs=[30], codec="libsvtav1", metrics=[]))
    header, cells = table(sent)
    assert header[3:5] == ["CRF", "bit/pixel"] and cells[0][3] == "30" and float(cells[0][4]) > 0
    assert "SVT-AV1 preset 8 at the CRF given" in sent.protocol
    video = report_videos([], [write_video(tmp_path / "wave.mkv")], EvaluateOptions(scale=2, crfs=[30, 40], metrics=[]))
    assert table(video)[0][3:] == ["CRF", "kbit/s", "PSNR-Y", "over Lanczos"]
    assert [sentence[:20] for sentence in sentences(video)] == ["protocol bicubic x2:"]


def test_one_row_per_method_has_no_summary(tmp_path):
    video = report_videos([], [write_video(tmp_path / "wave.mkv")], EvaluateOptions(scale=2, crfs=[30], metrics=[]))
    assert sentences(video) == [] and len(video.summaries) == 2


def test_json_has_the_metrics_with_their_meaning(on_images):
    found = json.loads(json.dumps(on_images.as_json(), allow_nan=False))
    assert set(found) == {"protocol", "figures", "rows"}
    assert set(found["figures"]) == {"PSNR-Y", "SSIM-Y", "sharpness"}
    assert set(found["rows"][0]) == {
        *("material", "scale", "codec", "crf", "method", "pictures", "figures", "gain", "kbit", "bits_per_pixel")
    }


def test_crops_are_kept_if_wanted(on_images, folder, tmp_path):  # noqa: F811
    assert [one.place.split(",")[0] for one in on_images.comparisons] == ["0.png", "1.png"]
    both = [repeating(tmp_path / f"x{scale}.onnx", scale=scale) for scale in (2, 3)]
    shown = report_images(both, [folder], EvaluateOptions(metrics=[]), crops=True).comparisons
    assert [(one.title, one.place[:5]) for one in shown] == [
        (f"pair x{scale}", f"{index}.png") for scale in (2, 3) for index in (0, 1)
    ]
    assert not report_images([], [folder], EvaluateOptions(scale=2, metrics=[])).comparisons


def test_a_browser_shows_the_page_with_every_image(on_images, tmp_path):
    video = report_videos(
        ["lanczos"], [write_video(tmp_path / "wave.mkv")], EvaluateOptions(scale=2, crfs=[30], metrics=[]), crops=True
    )
    path = tmp_path / "page.html"
    path.write_text(to_html([on_images, video]), encoding="utf-8")
    page = opened(path)
    assert page.console == [] and page.broken == 0
    assert page.pictures == 2 * (1 + 3) + (1 + 3)  # of each: where it is, truth, bicubic, model


def test_the_same_measurement_gives_the_same_page(on_images):
    assert to_html([on_images]) == to_html([on_images])


def test_a_report_replaces_a_report_and_nothing_else(on_images, tmp_path):
    for content in (to_html([on_images]).encode(), draw_sheet(on_images.comparisons)):
        (tmp_path / "old").write_bytes(content)
        check_target(tmp_path / "old")
    check_target(tmp_path / "new.html")
    (tmp_path / "photo.png").write_bytes(b"a photo")
    with pytest.raises(TargetExists, match=r"photo\.png exists and is not a report"):
        check_target(tmp_path / "photo.png")
    with pytest.raises(TargetExists, match="is a folder"):
        check_target(tmp_path)
