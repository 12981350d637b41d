"""HEIF: grids, alpha, rotation, cropping and colours."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.video.heif import ALPHA, HeifMaker, box
from tests.video.videos import codes_of
from vidsr.context import Code, Context, Notice
from vidsr.errors import InputError, NotAVideo
from vidsr.frames import Frame
from vidsr.options import ReadOptions
from vidsr.video.read.source import open_source
from vidsr.video.write.image_sink import rgb_of


def smooth(width: int, height: int) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:height, :width]
    return np.stack(
        [rows * 255 // height, columns * 255 // width, (rows + columns) * 255 // (height + width)], 2
    ).astype(np.uint8)


def read(data: bytes, warn: Any = lambda notice: None) -> Frame:
    with open_source(io.BytesIO(data), ReadOptions(), context=Context(warn)) as source:
        assert source.info.still and not source.copy_info().streams
        return source.first


def near(frame: Frame, expected: NDArray[np.uint8], most: int = 6) -> bool:
    found = rgb_of(frame)
    return found.shape == expected.shape and int(np.abs(found.astype(int) - expected).max()) <= most


def test_a_grid_of_tiles_is_one_image() -> None:
    image = smooth(120, 100)
    padded = np.pad(image, ((0, 28), (0, 8), (0, 0)), mode="edge")
    maker = HeifMaker()
    tiles = [maker.image(padded[y : y + 64, x : x + 64], hidden=True) for y in (0, 64) for x in (0, 64)]
    frame = read(maker.file(maker.grid(tiles, 2, 120, 100, maker.nclx(1, 13))))
    assert near(frame, image) and (frame.color.primaries, frame.color.transfer) == (1, 13)
    assert len(frame.planes) == 3 and frame.color.subsampling == (1, 1)  # as coded, never through RGB


def test_alpha_is_alpha_and_other_images_are_announced() -> None:
    image, alpha = smooth(64, 64), np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    maker = HeifMaker()
    photo = maker.image(image, maker.nclx(12, 13))
    maker.refer(b"auxl", maker.image(alpha, ALPHA), photo)
    maker.refer(b"thmb", maker.image(image), photo)
    maker.image(image)
    notices: list[Notice] = []
    frame = read(maker.file(photo), notices.append)
    assert near(frame, image) and frame.color.primaries == 12
    assert frame.alpha is not None and np.abs(frame.alpha.astype(int) - alpha).max() <= 3
    assert len(notices) == 1  # the last image; a thumbnail shows the same


def test_cropping_is_applied() -> None:
    maker = HeifMaker()
    clap = box(b"clap", struct.pack(">IIIIiIiI", 40, 1, 30, 1, -5, 1, 3, 1))
    frame = read(maker.file(maker.image(smooth(64, 64), maker.nclx(1, 13), clap)))
    left, top = 12 - 5, 17 + 3
    assert near(frame, smooth(64, 64)[top : top + 30, left : left + 40])


@pytest.mark.parametrize("cut", [20, 200, 700])
def test_a_damaged_file_is_refused(cut: int) -> None:
    maker = HeifMaker()
    with pytest.raises(InputError):
        read(maker.file(maker.image(smooth(64, 64)))[:cut])


def test_a_kind_without_a_decoder_is_named() -> None:
    maker = HeifMaker()
    data = maker.file(maker.item(b"unci", b"abc", [maker.ispe(8, 8)]))
    with pytest.raises(NotAVideo, match="HEIF"):
        read(data)


def test_transparent_avif_equals_pillows_reading(tmp_path: Path) -> None:
    image = Image.fromarray(np.dstack([smooth(64, 48), smooth(48, 64)[..., 0].T]))
    image.save(tmp_path / "a.avif", quality=90, subsampling="4:4:4")
    notices: list[Notice] = []
    frame = read((tmp_path / "a.avif").read_bytes(), notices.append)
    reference = np.asarray(Image.open(tmp_path / "a.avif"))
    assert near(frame, reference[..., :3], most=2)
    assert np.array_equal(frame.alpha, reference[..., 3]) and not notices


def test_an_animated_avif_is_one_video_with_alpha(tmp_path: Path) -> None:
    images = [Image.fromarray(np.dstack([smooth(64, 48), np.full((48, 64), a, np.uint8)])) for a in (90, 140, 200)]
    images[0].save(tmp_path / "a.avif", save_all=True, append_images=images[1:], duration=[100, 50, 100])
    notices: list[Notice] = []
    with open_source(tmp_path / "a.avif", context=Context(notices.append)) as source:
        assert not source.info.still and source.info.alpha and not source.copy_info().streams
        frames = [frame for frame in source if isinstance(frame, Frame)]
    assert [(round(1000 * frame.time), round(1000 * frame.duration)) for frame in frames] == [
        (0, 100), (100, 50), (150, 100)
    ]  # fmt: skip
    assert [round(int(frame.alpha[9, 9]) / 1023 * 255) for frame in frames if frame.alpha is not None] == [90, 140, 200]
    assert Code.STREAM not in codes_of(notices)
