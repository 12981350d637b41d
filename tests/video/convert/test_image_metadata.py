"""What image files say beside their picture goes along; the picture is turned upright once."""

import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tests.video.heif import HeifMaker, box
from tests.video.videos import codes_of, drawing, resize_video
from vidsr.context import Code
from vidsr.verify import verify_video
from vidsr.video.convert.image_metadata import ImageMetadata, read_image_metadata, rotated
from vidsr.video.convert.png_chunks import color_chunks, with_chunks
from vidsr.video.read.source import open_source

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
KINDS = ["png", "jpg", "tif", "webp"]


def exif(orientation: int = 1) -> Image.Exif:
    made = Image.Exif()
    made.update({0x010F: "Maker", 0x0112: orientation})
    made.get_ifd(0x8769).update({0x9003: "2020:01:02 03:04:05", 0xA002: 40, 0xA003: 24, 0x927C: b"note\0\1"})
    made.get_ifd(0x8825).update({1: "N", 2: (1.5, 2.0, 3.0)})
    return made


def picture(path: Path, *, orientation: int = 1, mode: str = "RGB", **options: Any) -> Path:
    image = Image.fromarray(drawing(40, 24)).convert(mode)
    lossless = {".webp": {"lossless": True}, ".jpg": {"quality": 95, "subsampling": 0}}.get(path.suffix, {})
    image.save(path, exif=exif(orientation).tobytes(), dpi=(300, 300), **{"icc_profile": PROFILE} | lossless | options)
    return path


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("source", KINDS)
def test_profile_exif_and_dots_per_inch_go_along(source: str, target: str, tmp_path: Path) -> None:
    path = picture(tmp_path / f"a.{source}")
    assert resize_video(path, tmp_path / f"b.{target}") == []
    with Image.open(tmp_path / f"b.{target}") as after:
        assert after.size == (80, 48)
        assert after.info["icc_profile"] == PROFILE
        kept = after.getexif()
        assert (kept[0x010F], kept.get(0x0112, 1)) == ("Maker", 1)
        assert kept.get_ifd(0x8825)[2] == (1.5, 2.0, 3.0)
        part = kept.get_ifd(0x8769)
        assert (part[0x9003], part[0x927C], part[0xA002], part[0xA003]) == (
            "2020:01:02 03:04:05", b"note\0\1", 80, 48,
        )  # fmt: skip
        if "webp" not in (source, target):
            assert after.info["dpi"] == pytest.approx((300, 300), abs=0.01)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_that_lies_on_its_side_is_turned_upright_once(kind: str, orientation: int, tmp_path: Path) -> None:
    path = picture(tmp_path / f"a.{kind}", orientation=orientation)
    resize_video(path, tmp_path / "b.png", factor=1)
    with Image.open(path) as before, Image.open(tmp_path / "b.png") as after:
        assert after.getexif().get(0x0112, 1) == 1
        expected = np.asarray(ImageOps.exif_transpose(before).convert("RGB")).astype(int)
        error = abs(np.asarray(after.convert("RGB")).astype(int) - expected)
    assert error.shape == (expected.shape) and error.mean() < 2
    assert expected.shape == ((40, 24, 3) if orientation > 4 else (24, 40, 3))


@pytest.mark.parametrize("orientation", [2, 4, 5, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_a_mirrored_picture_stays_so_in_a_video(kind: str, orientation: int, tmp_path: Path) -> None:
    path = picture(tmp_path / f"a.{kind}", orientation=orientation)
    for target in ("b.mp4", "b.png"):
        notices = resize_video(path, tmp_path / target)
        found = verify_video(path, tmp_path / target, notices=notices)
        assert found.faithful, found.differences
    with open_source(tmp_path / "b.mp4") as source:
        assert source.display_matrix == read_image_metadata(path.read_bytes()).display_matrix != ()


def test_the_profile_changes_no_pixel(tmp_path: Path) -> None:
    picture(tmp_path / "plain.png", icc_profile=None)
    picture(tmp_path / "tagged.png")
    for name in ("plain", "tagged"):
        resize_video(tmp_path / f"{name}.png", tmp_path / f"{name}2.png")
    with Image.open(tmp_path / "plain2.png") as a, Image.open(tmp_path / "tagged2.png") as b:
        assert a.tobytes() == b.tobytes() and "icc_profile" not in a.info


def lost(source: Path, target: Path) -> str:
    """Return the one warning of a run."""
    (notice,) = resize_video(source, target)
    assert notice.codes == (Code.TAGS,)
    return notice.message


def test_a_profile_of_other_colours_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", mode="L")  # the profile is for RGB
    assert "colour profile" in lost(path, tmp_path / "b.png")


def test_a_profile_of_grays_goes_where_grays_are_written(tmp_path: Path) -> None:
    gray = PROFILE[:16] + b"GRAY" + PROFILE[20:]
    path = picture(tmp_path / "a.png", mode="L", icc_profile=gray)
    assert resize_video(path, tmp_path / "b.png") == []
    assert "colour profile" in lost(path, tmp_path / "b.webp")


def test_what_a_bmp_has_no_place_for_is_warned_of(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    message = lost(path, tmp_path / "b.bmp")
    assert "colour profile" in message and "Exif" in message
    with Image.open(tmp_path / "b.bmp") as after:
        assert after.info["dpi"] == pytest.approx((300, 300), abs=0.01)


def test_texts_and_xmp_that_are_not_kept_are_warned_of(tmp_path: Path) -> None:
    Image.fromarray(drawing(40, 24)).save(tmp_path / "a.jpg", xmp=b"<x:xmpmeta/>")
    assert "XMP" in lost(tmp_path / "a.jpg", tmp_path / "b.jpg")


@pytest.mark.parametrize(("name", "expected"), [("sRGB", "the Exif data"), ("P3", "colour profile and Exif data")])
def test_what_a_video_of_a_picture_lacks_is_warned_of(name: str, expected: str, tmp_path: Path) -> None:
    profile = PROFILE.replace("sRGB".encode("utf-16-be"), name.ljust(4).encode("utf-16-be"))
    path = picture(tmp_path / "a.jpg", icc_profile=profile)
    assert expected in lost(path, tmp_path / "b.mp4")


def test_a_tiff_that_pillow_cannot_show_keeps_profile_and_exif(tmp_path: Path) -> None:
    floats = np.full((24, 40, 3), 0.25, np.float32)
    tags = {
        256: 40, 257: 24, 258: (32, 32, 32), 259: 1, 262: 2, 271: "Maker", 273: 0, 277: 3, 278: 24, 279: floats.nbytes,
        282: 300.0, 283: 300.0, 296: 2, 339: (3, 3, 3), 34675: PROFILE,
    }  # fmt: skip
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    for tag, value in tags.items():
        directory[tag] = value
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0" + directory.tobytes(8) + floats.tobytes())
    notices = resize_video(tmp_path / "a.tif", tmp_path / "b.tif")
    assert Code.TAGS not in codes_of(notices)
    with Image.open(tmp_path / "b.tif") as after:
        assert (after.info["icc_profile"], after.info["dpi"], after.getexif()[271]) == (PROFILE, (300, 300), "Maker")


def test_pages_that_are_not_upscaled_are_warned_of(tmp_path: Path) -> None:
    page = Image.fromarray(drawing(40, 24))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page])
    assert "pages" in lost(tmp_path / "a.tif", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as after:
        assert "dpi" not in after.info


def test_exif_too_long_for_a_jpeg_is_warned_of(tmp_path: Path) -> None:
    long = exif()
    long.get_ifd(0x8769)[0x927C] = bytes(70000)
    Image.fromarray(drawing(40, 24)).save(tmp_path / "a.png", exif=long.tobytes())
    assert "Exif" in lost(tmp_path / "a.png", tmp_path / "b.jpg")


@pytest.mark.parametrize("damage", [b"II*\0", b"\xff\xd8\xff\xe1\0\x10Exif\0\0II*\0\xff\xff\xff\xff", b"RIFF0000WEBP"])
def test_a_damaged_file_is_read_for_nothing_and_says_so(damage: bytes) -> None:
    assert read_image_metadata(damage) == ImageMetadata(lost=("its damaged metadata",))


@pytest.mark.parametrize("file", [None, b"", b"BM", b"8BPS"])
def test_other_files_say_nothing(file: bytes | None) -> None:
    assert read_image_metadata(file) == ImageMetadata()


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_picture_through_a_pipe_keeps_what_it_says(kind: str, tmp_path: Path) -> None:
    path = picture(tmp_path / f"a.{kind}", orientation=6)
    command = [sys.executable, "-m", "vidsr", "upscale", "-q", "-m", "nearest", "-", "-", "-f", "png"]
    done = subprocess.run(command, input=path.read_bytes(), capture_output=True, check=True, timeout=60)
    with Image.open(io.BytesIO(done.stdout)) as after:
        assert (after.size, after.info["icc_profile"], after.getexif()[0x010F]) == ((48, 80), PROFILE, "Maker")


@pytest.mark.parametrize(("orientation", "transforms"), [(8, [1, None]), (6, [3, None]), (2, [None, 1]), (5, [1, 0])])
def test_heif_states_rotation_profile_and_exif_as_other_images(orientation: int, transforms: list[int | None]) -> None:
    maker, data = HeifMaker(), exif(orientation=3)  # where transforms of HEIF count alone
    kinds = zip((b"irot", b"imir"), transforms, strict=True)
    more = [box(kind, bytes([value])) for kind, value in kinds if value is not None]
    photo = maker.image(drawing(64, 64), box(b"colr", b"prof", PROFILE), *more)
    maker.refer(b"cdsc", maker.item(b"Exif", b"\0\0\0\0" + data.tobytes().removeprefix(b"Exif\0\0"), []), photo)
    found = read_image_metadata(maker.file(photo))
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    turned = Image.fromarray(stored[..., 0])
    turned.getexif()[0x0112] = orientation
    assert np.array_equal(rotated(stored, found.display_matrix)[..., 0], ImageOps.exif_transpose(turned))
    assert found.profile == PROFILE and found.exif is not None and not found.lost


@pytest.mark.parametrize("kind", ["jpg", "tif", "png", "webp"])
def test_text_that_is_not_ascii_is_kept(tmp_path: Path, kind: str) -> None:
    given = Image.Exif()
    given[0x013B] = "Jürgen Müller".encode()
    Image.fromarray(drawing(40, 24)).save(tmp_path / "a.jpg", exif=given)
    assert not resize_video(tmp_path / "a.jpg", tmp_path / f"b.{kind}")
    with Image.open(tmp_path / f"b.{kind}") as image:
        assert image.getexif()[0x013B].encode("latin-1").rstrip(b"\0") == "Jürgen Müller".encode()


@pytest.mark.parametrize("chunk", [(b"cICP", b"\x09\x10\0\1"), (b"gAMA", b"\0\1\x86\xa0"), (b"sRGB", b"\0")])
def test_colours_of_a_png_are_kept_or_announced(tmp_path: Path, chunk: tuple[bytes, bytes]) -> None:
    Image.fromarray(drawing(40, 24)).convert("RGB").save(tmp_path / "plain.png")
    (tmp_path / "a.png").write_bytes(with_chunks((tmp_path / "plain.png").read_bytes(), dict([chunk])))
    assert not resize_video(tmp_path / "a.png", tmp_path / "b.png")
    assert color_chunks((tmp_path / "b.png").read_bytes()) == dict([chunk])
    assert bool(resize_video(tmp_path / "a.png", tmp_path / "b.jpg")) == (chunk[0] != b"sRGB")


def test_linear_light_without_primaries_is_stated_by_a_png(tmp_path: Path) -> None:
    image = av.VideoFrame.from_ndarray(drawing(40, 24), format="rgb24")
    encoder: Any = av.CodecContext.create("dpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 40, 24, "rgb24", Fraction(1, 25)
    (packet,) = encoder.encode(image)
    (tmp_path / "a.dpx").write_bytes(bytes(packet))
    notices = resize_video(tmp_path / "a.dpx", tmp_path / "b.png")
    assert verify_video(tmp_path / "a.dpx", tmp_path / "b.png", notices=notices).faithful


def test_colours_of_a_heif_become_a_chunk_of_png(tmp_path: Path) -> None:
    maker = HeifMaker()
    (tmp_path / "a.heic").write_bytes(maker.file(maker.image(drawing(64, 64), maker.nclx(9, 16, 9))))
    assert not resize_video(tmp_path / "a.heic", tmp_path / "b.png")
    assert color_chunks((tmp_path / "b.png").read_bytes()) == {b"cICP": b"\x09\x10\0\1"}
    assert "PQ" in lost(tmp_path / "a.heic", tmp_path / "b.jpg")


def test_the_profile_of_jpeg_2000_is_kept(tmp_path: Path) -> None:
    Image.fromarray(drawing(40, 24)).save(tmp_path / "plain.jp2")
    plain = (tmp_path / "plain.jp2").read_bytes()
    at = plain.find(b"colr") - 4  # in jp2h, whose size grows
    end = at + int.from_bytes(plain[at : at + 4], "big")
    head = plain.find(b"jp2h") - 4
    colr = box(b"colr", b"\2\0\0", PROFILE)
    size = int.from_bytes(plain[head : head + 4], "big") + len(colr) - (end - at)
    changed = plain[:head] + size.to_bytes(4, "big") + plain[head + 4 : at] + colr + plain[end:]
    (tmp_path / "a.jp2").write_bytes(changed)
    assert not resize_video(tmp_path / "a.jp2", tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as image:
        assert image.info["icc_profile"] == PROFILE
