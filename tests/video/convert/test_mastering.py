"""HDR: tags, mastering display and light levels reach every encoder that can tell them; what cannot is told of."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.video.videos import codes_of, frame_from, frames_of, info_of, resize_video
from vidsr.color import BT2020
from vidsr.context import Code, Context, ignore
from vidsr.frames import Frame
from vidsr.options import EncodeOptions
from vidsr.verify import verify_video
from vidsr.video.convert.side_data import Mastering, mastering_of
from vidsr.video.write.sink import open_sink

PQ, HLG = 16, 18
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
SEEN = [Fraction(n, 50000) for n in (34000, 16000, 13250, 34500, 7500, 3000, 15635, 16450)]
SEEN += [Fraction(50, 10000), Fraction(1000)]
LIGHT = 1000, 400


def hdr_video(path: Path, transfer: int, params: str = "", count: int = 2, **options: Any) -> Path:
    frame = frame_from(pixel_format="yuv420p10le", matrix=BT2020, primaries=9, transfer=transfer)
    given = {"x265-params": params} if params else {}
    with open_sink(
        path, info_of(frame), EncodeOptions(codec="libx265", encoder_options=given, **options), context=Context(ignore)
    ) as sink:
        for index in range(count):
            sink.write(frame.at(index, 1))
    return path


def first_of(path: Path) -> Frame:
    return frames_of(path)[0]


@pytest.mark.parametrize("name", ["b.mkv", "b.mp4"])
@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libx264"])
@pytest.mark.parametrize("params", [f"master-display={DISPLAY}:max-cll=1000,400", "max-cll=1000,400"])
def test_what_the_graders_saw_is_told_on(params: str, codec: str, name: str, tmp_path: Path) -> None:
    video = hdr_video(tmp_path / "a.mkv", PQ, params)
    before = mastering_of(first_of(video).av_frame)
    assert before == Mastering(tuple(SEEN) if "master" in params else None, LIGHT)
    assert resize_video(video, tmp_path / name, codec=codec, preset="superfast") == []
    after = mastering_of(first_of(tmp_path / name).av_frame)
    assert after is not None and after.light == LIGHT
    if before.display is None:
        assert after.display is None
    else:  # AV1 counts in steps of 1 / 65536 and 1 / 16384
        assert after.display is not None
        steps = [Fraction(1, 65536 if codec == "libsvtav1" else 50000)] * 8 + [Fraction(1, 10000)] * 2
        worst = [abs(a - b) <= step for a, b, step in zip(after.display, before.display, steps, strict=True)]
        assert all(worst), after
    assert first_of(tmp_path / name).color == first_of(video).color


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "libx264"])
@pytest.mark.parametrize("name", ["b.mkv", "b.mp4", "b.nut"])
def test_hlg_stays_hlg(codec: str, name: str, tmp_path: Path) -> None:
    video = hdr_video(tmp_path / "a.mp4", HLG)
    assert resize_video(video, tmp_path / name, codec=codec, preset="superfast") == []
    color = first_of(tmp_path / name).color
    assert (color.matrix, color.primaries, color.transfer, color.full_range) == (BT2020, 9, HLG, False)
    assert first_of(tmp_path / name).bits == 10


def test_an_encoder_that_takes_no_mastering_data_is_spoken_of(tmp_path: Path) -> None:
    video = hdr_video(tmp_path / "a.mkv", PQ, f"master-display={DISPLAY}:max-cll=1000,400")
    assert codes_of(resize_video(video, tmp_path / "b.mkv", codec="ffv1")) == [Code.MASTERING]


def dynamic_metadata() -> bytes:
    """A prefix SEI of HEVC with the smallest HDR10+ there is (SMPTE ST 2094-40 in ITU-T T.35)."""
    bits = f"{0xB5:08b}{0x3C:016b}{1:016b}{4:08b}{1:08b}"  # country, provider, its code, application, its version
    bits += f"{1:02b}{400:027b}{0:01b}"  # windows, the display aimed at, no actual peak
    bits += f"{1000:017b}" * 3 + f"{100:017b}{0:04b}{0:010b}"  # brightest R, G and B, average, no percentiles
    bits += "000"  # no actual peak, tone mapping or saturation
    payload = int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    sei = bytes([39 << 1, 1, 4, len(payload)]) + payload + b"\x80"
    for zeros in (b"\0\0\0", b"\0\0\1", b"\0\0\2", b"\0\0\3"):
        sei = sei.replace(zeros, b"\0\0\3" + zeros[2:])
    return b"\0\0\0\1" + sei


def test_hdr10_plus_is_left_out_and_spoken_of(tmp_path: Path) -> None:
    video = hdr_video(tmp_path / "a.hevc", PQ, count=1, format="hevc")
    data = video.read_bytes()
    picture = next(i for i in range(len(data) - 5) if data[i : i + 3] == b"\0\0\1" and data[i + 3] >> 1 in (19, 20))
    video.write_bytes(data[:picture] + dynamic_metadata() + data[picture:])
    notices = resize_video(video, tmp_path / "b.mkv", codec="libx265", preset="superfast")
    assert codes_of(notices) == [Code.DYNAMIC_HDR] and "HDR10+" in notices[0].message


@pytest.mark.parametrize(
    ("params", "rest"),
    [
        (f"master-display={DISPLAY.replace('13250', '65000')}", True),  # x above 1
        (f"master-display={DISPLAY.replace('10000000,50', '50,10000000')}", True),  # darker than black
        ("master-display=G(0,0)B(0,0)R(0,0)WP(0,0)L(0,0):max-cll=0,0", False),  # zeros mean unknown
    ],
)
def test_a_display_that_cannot_be_is_announced(params: str, rest: bool, tmp_path: Path) -> None:
    video = hdr_video(tmp_path / "a.mkv", PQ, params)
    found = mastering_of(first_of(video).av_frame)
    assert (found is not None and bool(found.rest)) == rest
    notices = resize_video(video, tmp_path / "b.mkv", codec="libx265", preset="ultrafast")
    assert codes_of(notices) == [Code.MASTERING] * rest
    assert verify_video(video, tmp_path / "b.mkv", notices=notices).faithful
    assert verify_video(video, tmp_path / "b.mkv").faithful != rest
