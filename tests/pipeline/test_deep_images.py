"""Images of 16 bits stay so, through swscale and through networks."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from vidsr.pipeline.video import upscale_video
from vidsr.verify import verify_video
from vidsr.video.convert.deep_images import save_deep

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def samples(channels: int) -> NDArray[np.uint16]:
    rows, columns = np.mgrid[:40, :50]
    every = (columns * 1300 + 7, rows * 1600 + 13, (rows + columns) * 700 + 1, columns * 1310)
    return np.stack(
        [every[index] for index in {1: (0,), 2: (0, 3), 3: (0, 1, 2), 4: (0, 1, 2, 3)}[channels]], 2
    ).astype(np.uint16)


def written(path: Path, channels: int) -> Path:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769)[0x9003] = "2020:01:02 03:04:05"
    kind, given = ("PNG", exif.tobytes()) if path.suffix == ".png" else ("TIFF", exif)
    profile: dict[str, Any] = {"icc_profile": PROFILE} if channels > 2 else {}
    path.write_bytes(save_deep(samples(channels), kind, exif=given, dpi=(300, 300), **profile))
    return path


def read(path: Path) -> NDArray[Any]:
    with av.open(str(path)) as container:
        av_frame = next(container.decode(video=0))
        name = av_frame.format.name
        array = av_frame.reformat(format=name.replace("be", "le")).to_ndarray()
        if name.startswith("ya"):
            return array
        return array if array.ndim == 3 else array[..., None]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("source", ["png", "tif"])
@pytest.mark.parametrize("target", ["png", "tif"])
def test_16_bits_stay_16(tmp_path: Path, source: str, target: str, channels: int) -> None:
    given = written(tmp_path / f"a.{source}", channels)
    summary = upscale_video(given, tmp_path / f"b.{target}", model="nearest")
    expected = samples(channels).repeat(2, 0).repeat(2, 1).astype(int)
    assert np.abs(read(tmp_path / f"b.{target}") - expected).max() <= 1  # by YCbCr of 16 bits
    assert not summary.notices
    verified = verify_video(given, tmp_path / f"b.{target}", notices=summary.notices)
    assert verified.faithful, verified.differences
    with Image.open(tmp_path / f"b.{target}") as image:
        assert image.getexif()[0x010F] == "Maker" and image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
        assert image.info.get("icc_profile") == (PROFILE if channels > 2 else None)


@pytest.mark.parametrize("model", ["live-x2", "srresnet-x4"])
def test_networks_compute_16_bits(tmp_path: Path, model: str) -> None:
    given = written(tmp_path / "a.png", 3)
    upscale_video(given, tmp_path / "b.png", model=model)
    result = read(tmp_path / "b.png")
    factor = result.shape[0] // 40
    expected = samples(3).repeat(factor, 0).repeat(factor, 1).astype(int)
    assert np.abs(result - expected).mean() < 1500 and len(np.unique(result)) > 1024  # a slope, between its steps


def test_other_outputs_have_8_bits_and_say_so(tmp_path: Path) -> None:
    given = written(tmp_path / "a.tif", 3)
    assert upscale_video(given, tmp_path / "b.jpg", model="nearest").notices
    assert upscale_video(given, tmp_path / "b.mkv", model="nearest").frames == 1
