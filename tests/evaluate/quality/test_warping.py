"""The warping error, on textures that move by known distances."""

import sys

import numpy as np
import pytest

from vidsr.errors import ExtraMissing
from vidsr.evaluate.quality.views import View
from vidsr.evaluate.quality.warping import WarpingMeter
from vidsr.resize import resize


def texture(shift: int, height: int = 120, width: int = 160) -> np.ndarray:
    """A smooth random texture, moved to the right."""
    wide = resize(np.random.default_rng(0).uniform(40, 210, (height // 6, width // 6 + 10)), height, width + 60)
    return np.rint(wide[:, 30 - shift : 30 - shift + width]).astype(np.uint8)


def view(luma: np.ndarray) -> View:
    return View(luma, lambda: np.repeat(luma[..., None], 3, axis=2))


def warping(videos: dict[str, list[np.ndarray]], truth: list[np.ndarray]) -> dict[str, list[float]]:
    pytest.importorskip("cv2")
    meter = WarpingMeter()
    for i, frame in enumerate(truth):
        meter.add(view(frame), {name: view(video[i]) for name, video in videos.items()})
    return meter.result()["warping"]


def test_motion_of_the_original_is_no_error_and_flicker_is():
    truth = [texture(3 * i) for i in range(4)]
    found = warping({"same": truth, "pulsing": [frame + 10 * (i % 2) for i, frame in enumerate(truth)]}, truth)
    assert len(found["same"]) == 3 and max(found["same"]) < 2
    assert found["pulsing"] == pytest.approx([10] * 3, abs=0.7)


def test_a_frozen_video_is_an_error_where_the_original_moves():
    truth = [texture(4 * i) for i in range(3)]
    found = warping({"same": truth, "frozen": truth[:1] * 3}, truth)
    assert min(found["frozen"]) > 5 * max(found["same"])


def test_occlusions_do_not_count():
    square = resize(np.random.default_rng(5).uniform(40, 210, (16, 16)), 80, 80)

    def video(i: int) -> np.ndarray:
        frame = texture(0, 240, 320)
        frame[80:160, 60 + 12 * i : 140 + 12 * i] = square  # moves over the background
        return frame

    truth = [video(i) for i in range(2)]
    assert warping({"same": truth}, truth)["same"][0] < 4  # 7.3 if what the square uncovers counted


def test_frames_too_small_for_the_flow_have_no_error():
    small = [texture(0, 24, 90)] * 2
    assert np.isnan(warping({"same": small}, small)["same"]).all()


def test_without_opencv_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ExtraMissing, match=r"needs OpenCV; .*pip install 'vidsr\[evaluate\]'"):
        WarpingMeter()
