"""Pictures in memory: the same kind comes back."""

import numpy as np
import pytest
from PIL import Image

import vidsr
from tests.networks import network, save
from vidsr.errors import DataError

COLOURS = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)


def test_an_array_comes_back_as_a_larger_array() -> None:
    larger = vidsr.upscale_image(COLOURS, model="nearest", scale=2)
    assert larger.dtype == np.uint8
    assert larger.shape == (18, 22, 3)
    assert abs(larger[::2, ::2].astype(int) - COLOURS).max() <= 1


def test_floats_and_bytes_are_the_same_picture() -> None:
    from_bytes = vidsr.upscale_image(COLOURS, model="bicubic")
    from_floats = vidsr.upscale_image(COLOURS / 255, model="bicubic")
    assert from_floats.dtype == np.float64
    assert abs(from_bytes / 255 - from_floats).max() <= 1.01 / 255


def test_a_gray_array_stays_gray() -> None:
    gray = COLOURS[..., 0]
    larger = vidsr.upscale_image(gray, model="nearest", width=33, height=27)
    assert (larger[1::3, 1::3] == gray).all()


def test_a_network_enlarges_a_picture(tmp_path) -> None:  # type: ignore[no-untyped-def]
    assert vidsr.upscale_image(COLOURS, model=save(network(scale=2), tmp_path / "tiny.onnx")).shape == (18, 22, 3)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_pillow_image_comes_back_in_its_mode(mode: str) -> None:
    image = Image.fromarray(COLOURS).convert(mode)
    larger = vidsr.upscale_image(image, model="lanczos")
    assert (larger.mode, larger.size) == (mode, (22, 18))


def test_a_palette_comes_back_as_rgb_with_its_transparency() -> None:
    image = Image.fromarray(COLOURS).quantize(8)
    assert vidsr.upscale_image(image, model="lanczos").mode == "RGB"
    image.info["transparency"] = 0
    assert vidsr.upscale_image(image, model="lanczos").mode == "RGBA"


def test_the_colour_profile_goes_along() -> None:
    image = Image.fromarray(COLOURS)
    image.info["icc_profile"] = b"profile"
    assert vidsr.upscale_image(image, model="lanczos").info["icc_profile"] == b"profile"


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (COLOURS.astype(np.uint16), "got uint16"),
        (COLOURS[..., :2], r"got \(9, 11, 2\)"),
        (COLOURS[:0], r"got \(0, 11, 3\)"),
        (Image.new("F", (4, 4)), "got mode F"),
        ("picture.png", "got str"),
    ],
)
def test_what_is_no_picture_is_refused(image: object, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        vidsr.upscale_image(image, model="bicubic")  # type: ignore[type-var]
