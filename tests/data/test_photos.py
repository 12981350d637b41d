import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.data.drawings import draw_photo, texture, write_png16
from vidsr.data import photos
from vidsr.data.photos import BAND, is_large, read_photo
from vidsr.data.sources import read_runs
from vidsr.errors import DataError
from vidsr.metrics import luma_of_rgb


def read(path, channels=3):
    picture = read_photo(path, channels=channels)
    assert picture.dtype == np.uint8 and picture.shape[2] == channels and picture.flags.c_contiguous
    return picture


def test_a_photo_is_read_as_it_is_and_as_the_metrics_luma(tmp_path):
    path = draw_photo(tmp_path / "a.png", height=2 * BAND + 8)
    rgb = np.asarray(Image.open(path))
    assert np.array_equal(read(path), rgb)
    assert np.array_equal(read(path, 1)[..., 0], np.rint(luma_of_rgb(rgb)))


def test_16_bit_gray_is_rounded_to_8(tmp_path):
    samples = np.arange(0, 65536, 64, np.uint16).reshape(16, 64)
    picture = read(write_png16(tmp_path / "deep.png", samples))
    assert np.array_equal(picture[..., 0], np.rint(samples / 257))
    assert np.array_equal(picture[..., 0], picture[..., 2])


def test_16_bit_colours_keep_their_upper_byte(tmp_path):
    samples = np.random.default_rng(0).integers(0, 65536, (9, 7, 3), np.uint16)
    assert np.array_equal(read(write_png16(tmp_path / "deep.png", samples)), samples >> 8)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_comes_out_in_the_colours_it_was_made_of(tmp_path, suffix):
    rgb = np.full((16, 16, 3), (200, 60, 20), np.uint8)
    Image.fromarray(rgb).convert("CMYK").save(tmp_path / f"print.{suffix}")
    assert np.abs(read(tmp_path / f"print.{suffix}").astype(int) - rgb).max() <= 3


def test_palettes_gray_and_bilevel_are_read_as_colours(tmp_path):
    for mode in ("P", "L", "1"):
        image = Image.fromarray(texture(24, 20, 3)).convert(mode)
        image.save(tmp_path / f"{mode}.png")
        assert np.array_equal(read(tmp_path / f"{mode}.png"), np.asarray(image.convert("RGB"))), mode


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_mid_grey_shows_through_where_a_picture_is_transparent(tmp_path, mode):
    image = Image.new("RGBA", (3, 1), (200, 200, 200, 255))
    image.putpixel((1, 0), (200, 200, 200, 0))
    image.putpixel((2, 0), (200, 200, 200, 128))
    image.convert(mode).save(tmp_path / "glass.png")
    assert read(tmp_path / "glass.png")[0, :, 1].tolist() == [200, 128, 164]


def test_a_transparent_colour_of_a_palette_is_mid_grey_too(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 250, 250, 250])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "p.png", transparency=1)
    assert read(tmp_path / "p.png")[0].tolist() == [[10, 20, 30], [128, 128, 128]]


def test_alpha_that_hides_nothing_changes_nothing(tmp_path):
    rgb = texture(20, 20, 3)
    Image.fromarray(rgb).convert("RGBA").save(tmp_path / "opaque.webp", lossless=True)
    assert np.array_equal(read(tmp_path / "opaque.webp"), rgb)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright_as_exif_says(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    Image.fromarray(texture(20, 12, 3)).save(path, exif=exif)
    with Image.open(path) as image:
        assert np.array_equal(read(path), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_photo_that_is_cut_off_is_refused_with_the_reason(tmp_path, kind):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(file, kind)
    path = tmp_path / "half.jpg"  # whatever the name says, its content counts
    path.write_bytes(file.getvalue())
    assert read(path).shape == (64, 64, 3)
    path.write_bytes(file.getvalue()[: len(file.getvalue()) // 2])
    with pytest.raises(DataError, match=r"half\.jpg cannot be read as an image \(.+\)"):
        read(path)


def test_empty_files_text_and_samples_without_a_white_are_named(tmp_path):
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(DataError, match=r"empty\.jpg is empty \(0 bytes\)"):
        list(read_runs(tmp_path / "empty.jpg", channels=1, length=1, at_most=1))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match=r"text\.png cannot be read as an image"):
        read(tmp_path / "text.png")
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(DataError, match=r"float\.tif has 32-bit samples"):
        read(tmp_path / "float.tif")
    with pytest.raises(DataError, match=r"nowhere\.png cannot be read as an image \(.*No such file"):
        read(tmp_path / "nowhere.png")


def test_a_large_photo_is_read_past_pillows_own_limit_and_an_absurd_one_refused(tmp_path, monkeypatch):
    path = draw_photo(tmp_path / "large.png", height=80, width=80)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read(path).shape == (80, 80, 3)
    assert Image.MAX_IMAGE_PIXELS == 100
    monkeypatch.setattr(photos, "MOST_PIXELS", 6000)
    with pytest.raises(DataError, match=r"large\.png has 80x80 pixels, more than"):
        read(path)


def test_a_photo_is_large_by_its_header(tmp_path, monkeypatch):
    Image.new("L", (300, 200)).save(tmp_path / "a.png")
    (tmp_path / "text.png").write_text("no picture")
    assert not is_large(tmp_path / "a.png")
    monkeypatch.setattr(photos, "LARGE", 300 * 200 - 1)
    assert is_large(tmp_path / "a.png")
    assert not is_large(tmp_path / "text.png")
