"""Images that vidsr decodes itself: TIFF of all kinds, linear light, animated WebP, icons; what cannot be decoded."""

import io
import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.video.videos import codes_of
from vidsr.context import Code, Context, Notice
from vidsr.errors import NotAVideo
from vidsr.frames import Frame
from vidsr.video.read.source import open_source

LINEAR = np.array([0.0, 0.18, 1.0, 4.0], np.float32)
CODES = [0, 118, 255, 255]  # 0.18 in sRGB, IEC 61966-2-1


def read(data: bytes, notices: list[Notice] | None = None) -> Frame:
    with open_source(io.BytesIO(data), context=Context((notices if notices is not None else []).append)) as source:
        assert source.info.still
        return source.first


def rgb(width: int = 40, height: int = 30) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def saved(image: NDArray[Any] | Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def tiff(
    samples: NDArray[Any], *, order: str = "<", big: bool = False, tile: int = 0, extra: int | None = None
) -> bytes:
    """An RGB TIFF of any samples, (height, width, 3 or 4): one strip, or tiles."""
    height, width, count = samples.shape
    data = samples.astype(samples.dtype.newbyteorder(order))
    parts = [data.tobytes()]
    if tile:
        padded = np.pad(data, ((0, -height % tile), (0, -width % tile), (0, 0)))
        parts = [
            np.ascontiguousarray(padded[y : y + tile, x : x + tile]).tobytes()
            for y in range(0, height, tile)
            for x in range(0, width, tile)
        ]
    start = 16 if big else 8
    offsets = [start + sum(map(len, parts[:index])) for index in range(len(parts))]
    where, lengths = (324, 325) if tile else (273, 279)
    kind = 3 if samples.dtype.kind == "f" else 1
    tags: dict[int, list[int]] = {
        256: [width], 257: [height], 258: [samples.itemsize * 8] * count, 259: [1], 262: [2], where: offsets,
        277: [count], lengths: [len(part) for part in parts], 339: [kind] * count,
    }  # fmt: skip
    tags |= {322: [tile], 323: [tile]} if tile else {278: [height]}
    tags |= {} if extra is None else {338: [extra]}
    directory = start + sum(map(len, parts))
    word, size = ("Q", 8) if big else ("L", 4)
    entries, more = b"", b""
    values_at = directory + (8 if big else 2) + len(tags) * (4 + 2 * size) + size
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"{order}{len(values)}L", *values)
        if len(packed) > size:
            entry = struct.pack(f"{order}{word}", values_at + len(more))
            more += packed
        else:
            entry = packed.ljust(size, b"\0")
        entries += struct.pack(f"{order}HH{word}", tag, 4, len(values)) + entry
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if big else 42)
    head += struct.pack(f"{order}HHQ", 8, 0, directory) if big else struct.pack(f"{order}L", directory)
    counted = struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
    return head + b"".join(parts) + counted + entries + bytes(size) + more


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("big", "tile"), [(False, 0), (False, 16), (True, 0), (True, 16)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_in_strips_and_tiles(order: str, big: bool, tile: int, dtype: Any) -> None:
    samples = rgb().astype(dtype) * (257 if dtype == np.uint16 else 1)
    frame = read(tiff(samples, order=order, big=big, tile=tile))
    assert np.array_equal(frame.to_ndarray(), rgb())


def test_associated_alpha_is_divided_out() -> None:
    premultiplied = np.zeros((8, 8, 4), np.uint8)
    premultiplied[...] = (100, 50, 0, 128)
    for data in (tiff(premultiplied, extra=1), tiff(premultiplied.astype(np.uint16) * 257, extra=1)):
        frame = read(data)
        assert np.abs(frame.to_ndarray()[4, 4].astype(int) - [199, 100, 0]).max() <= 1
        assert frame.alpha is not None and round(int(frame.alpha[4, 4]) / (1023 / 255)) == 128


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_tiff_of_floats_is_linear_light(dtype: Any, alpha: bool) -> None:
    samples = np.repeat(np.repeat(LINEAR, 4)[None, :, None], 4 if alpha else 3, axis=2).repeat(8, axis=0)
    if alpha:
        samples[..., 3] = 1
    notices: list[Notice] = []
    frame = read(tiff(samples.astype(dtype), extra=2 if alpha else None), notices)
    assert frame.to_ndarray()[4, ::4, 0].tolist() == CODES
    assert Code.TRANSFER in codes_of(notices) and "25" in notices[0].message


@pytest.mark.parametrize("pixel_format", ["gbrpf32le", "grayf32le", "gbrapf32le"])
def test_openexr_is_linear_light(pixel_format: str, tmp_path: Path) -> None:
    encoder: Any = av.CodecContext.create("exr", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 8, pixel_format, Fraction(1)
    av_frame = av.VideoFrame(64, 8, pixel_format)
    for index, plane in enumerate(av_frame.planes):
        values = np.repeat(LINEAR, 16) if index < 3 else np.ones(64, np.float32)
        np.frombuffer(plane, np.float32).reshape(8, -1)[:, :64] = values  # type: ignore[call-overload]
    data = b"".join(bytes(packet) for given in (av_frame, None) for packet in encoder.encode(given))
    assert read(data).to_ndarray()[4, 8::16, 0].tolist() == CODES


def test_jpeg_in_tiff_equals_pillows_reading() -> None:
    data = saved(rgb(48, 32), "TIFF", compression="jpeg", quality=95)
    assert np.array_equal(read(data).to_ndarray(), np.asarray(Image.open(io.BytesIO(data))))


def test_cmyk_is_converted() -> None:
    data = saved(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "TIFF")
    notices: list[Notice] = []
    assert read(data, notices).to_ndarray()[8, 8].tolist() == [0, 255, 255] and notices


def test_an_icon_keeps_its_mask() -> None:
    image = np.dstack([rgb(32, 32), np.tile([255, 0], (32, 16))]).astype(np.uint8)
    frame = read(saved(image, "ICO", sizes=[(32, 32)]))
    assert frame.alpha is not None and set(np.unique(frame.alpha)) == {0, 1023}


def test_an_animated_webp_is_a_video_with_its_times(tmp_path: Path) -> None:
    images = [Image.fromarray(rgb() // 4 * (index + 1)) for index in range(3)]
    images[0].save(tmp_path / "a.webp", save_all=True, append_images=images[1:], duration=[100, 40, 60], lossless=True)
    with open_source(tmp_path / "a.webp") as source:
        frames = [frame for frame in source if isinstance(frame, Frame)]
    assert [(round(1000 * frame.time), round(1000 * frame.duration)) for frame in frames] == [
        (0, 100), (100, 40), (140, 60)
    ]  # fmt: skip
    assert all(np.array_equal(frame.to_ndarray(), image) for frame, image in zip(frames, images, strict=True))


@pytest.mark.parametrize("default_image", [False, True])
def test_an_apng_whose_frames_are_undone_is_composed_as_browsers_do(tmp_path: Path, default_image: bool) -> None:
    images = [Image.fromarray(np.full((30, 40, 3), 200, np.uint8)) for _ in range(6)]
    for index, image in enumerate(images):
        image.paste((20, 40 * index, 90), (4 * index, 5, 4 * index + 9, 20))
    options = {"duration": 40, "blend": 1, "disposal": [0, 1, 2, 0, 1, 2], "default_image": default_image}
    images[0].save(tmp_path / "a.png", save_all=True, append_images=images[1:], **options)
    shown = images[1:] if default_image else images
    with open_source(tmp_path / "a.png") as source:
        frames = [frame for frame in source if isinstance(frame, Frame)]
    assert [round(1000 * frame.time) for frame in frames] == [40 * index for index in range(len(shown))]
    assert all(np.array_equal(frame.to_ndarray(), image) for frame, image in zip(frames, shown, strict=True))


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"\xff\x0a" + bytes(60), "JPEG XL"),
        (b"II+\0" + bytes(60), "BigTIFF"),
        (b"II*\0\x10\0\0\0CR" + bytes(60), "camera raw"),
        (saved(rgb(), "TIFF")[:200], "TIFF"),
        (tiff(rgb()).replace(struct.pack("<HH", 256, 4), struct.pack("<HH", 60000, 4)), "TIFF"),
    ],
)
def test_what_cannot_be_decoded_is_named(data: bytes, named: str) -> None:
    with pytest.raises(NotAVideo, match=named) as refused:
        read(data)
    assert "damaged" not in str(refused.value)
