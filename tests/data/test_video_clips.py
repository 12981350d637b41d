from pathlib import Path

import numpy as np
import pytest

from tests.data.drawings import draw_photo, draw_video, texture
from vidsr.color import BT709, SMPTE170M, rgb_to_yuv
from vidsr.data.sources import read_runs
from vidsr.data.video_clips import starts_in
from vidsr.errors import DataError


def runs(path, *, channels=1, length=3, at_most=8):
    return list(read_runs(path, channels=channels, length=length, at_most=at_most))


def numbered(count, *, seed=0, first=0, size=(48, 64)):
    """Frames of one scene whose light rises slowly; the level of the first pixel is their number."""
    for i in range(first, first + count):
        frame = texture(*size, seed=seed) // 2 + i // 2
        frame[0, 0] = i
        yield frame


def numbers(found):
    return [[int(picture[0, 0, 0]) for picture in run] for run in found]


def smooth(step=0):
    """A slope that moves with every step, too slowly for a cut."""
    rows, columns = np.mgrid[:64, :96]
    return np.uint8(120 + 60 * np.sin((columns + 2 * step) / 9) + 40 * np.cos(rows / 7))


def broken(path, *, at_most):
    """The runs that came before the reason, and the reason."""
    found, stream = [], read_runs(path, channels=1, length=3, at_most=at_most)
    while True:
        try:
            found.append(next(stream))
        except DataError as exc:
            return found, str(exc)


def test_starts_are_spread_over_the_video_and_never_overlap():
    assert starts_in(100, 5, 4) == [10, 35, 60, 85]
    assert starts_in(10, 5, 48) == [0, 5]
    assert starts_in(4, 5, 48) == []


def test_runs_are_consecutive_and_spread_over_a_long_film(tmp_path):
    found = numbers(runs(draw_video(tmp_path / "long.mkv", numbered(250)), length=4, at_most=5))
    assert len(found) == 5
    assert all(run == list(range(run[0], run[0] + 4)) for run in found)
    assert np.diff([run[0] for run in found]).tolist() == [50] * 4
    assert found[0][0] == 23 and found[-1][-1] == 226


def test_a_video_is_decoded_once_and_no_further_than_needed(tmp_path, monkeypatch):
    from vidsr.video.read.sampling import UndamagedFrames

    path = draw_video(tmp_path / "film.mkv", numbered(200))
    decoded = []
    frames = UndamagedFrames.__iter__
    monkeypatch.setattr(
        UndamagedFrames, "__iter__", lambda self: (decoded.append(int(f.planes[0][0, 0])) or f for f in frames(self))
    )
    assert len(runs(path, at_most=4)) == 4
    assert decoded == list(range(177))  # the last run is 173 to 175, and the frame behind ends it


def test_no_run_spans_a_cut(tmp_path):
    scenes = [*numbered(20), *numbered(25, seed=1, first=20), *numbered(19, seed=2, first=45)]
    found = numbers(runs(draw_video(tmp_path / "scenes.mkv", scenes), length=6, at_most=48))
    assert len(found) >= 6
    for run in found:
        assert run == list(range(run[0], run[0] + 6))
        assert not any(run[0] < cut <= run[-1] for cut in (20, 45))


def test_flashes_and_fades_are_no_cuts(tmp_path):
    base = texture(48, 64) // 2
    faded = [np.uint8(base * (1 - i / 20)) for i in range(20)]
    flash = [base, base + 90, base + 1, base + 2]
    for name, frames in (("fade", faded), ("flash", flash)):
        (run, *_) = runs(draw_video(tmp_path / f"{name}.mkv", frames), length=4, at_most=1)
        assert len(run) == 4
    # a run of the whole fade only comes where nothing in it restarts one
    assert len(runs(tmp_path / "fade.mkv", length=20)) == 1


def test_static_scenes_give_one_run_and_then_what_moves(tmp_path):
    still = [smooth()] * 40
    assert len(runs(draw_video(tmp_path / "static.mkv", still))) == 1
    moving = [smooth(i) for i in range(40)]
    assert len(runs(draw_video(tmp_path / "both.mkv", still + moving), at_most=8)) == 5


def test_a_video_on_twos_gives_each_drawing_once(tmp_path):
    twos = [smooth(i // 2) for i in range(12)]
    assert len(runs(draw_video(tmp_path / "twos.mkv", twos), length=1, at_most=12)) == 6


def test_a_video_that_is_cut_off_gives_what_is_there_and_then_the_reason(tmp_path):
    whole = draw_video(tmp_path / "whole.mkv", numbered(200), codec="libx264", options={"g": "25"})
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    found, reason = broken(cut, at_most=4)
    assert len(found) == 4
    assert "cut.mkv is truncated: it ends after" in reason and "of 8.0 s" in reason


def test_damaged_pictures_are_not_used_and_the_damage_is_told(tmp_path):
    frames = [smooth(i) for i in range(60)]
    path = draw_video(tmp_path / "bad.ts", frames, codec="mpeg2video", bit_rate=800_000, gop_size=5)
    clean = [picture for run in runs(path, at_most=20) for picture in run]
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(1)
    for place in rng.integers(len(content) // 3, len(content) // 2, 40):
        content[place] ^= 0x55
    path.write_bytes(content)
    found, reason = broken(path, at_most=20)
    assert 5 < len(found) < 20
    assert "bad.ts is damaged" in reason
    for run in found:
        for picture in run:
            assert min(np.abs(picture.astype(int) - other).mean() for other in clean) < 1


def test_full_range_luma_is_brought_to_limited_range_and_10_bits_are_rounded(tmp_path):
    ramp = np.arange(256, dtype=np.uint8)[None].repeat(16, 0)
    options = {"length": 1, "at_most": 1}
    ((full,),) = runs(
        draw_video(tmp_path / "full.mkv", [ramp], layout="yuvj420p", codec="mjpeg", qmin=1, qmax=1), **options
    )
    assert np.abs(full[..., 0] - (16 + ramp * (219 / 255))).max() < 3
    ((limited,),) = runs(draw_video(tmp_path / "limited.mkv", [ramp]), **options)
    assert np.array_equal(limited[..., 0], ramp)
    deep = np.arange(0, 1024, 4, dtype=np.uint16)[None].repeat(16, 0) + 3
    ((rounded,),) = runs(draw_video(tmp_path / "deep.mkv", [deep], layout="yuv420p10le"), **options)
    assert np.array_equal(rounded[..., 0], np.rint(deep / 4).clip(0, 255))


@pytest.mark.parametrize(("matrix", "full"), [(SMPTE170M, False), (BT709, False), (BT709, True)])
def test_colours_come_by_the_videos_own_matrix_and_range(tmp_path, matrix, full):
    rgb = np.array([200, 80, 40])
    y, u, v = rgb_to_yuv(matrix) @ rgb
    luma, span = (y, 255) if full else (16 + y * 219 / 255, 224)
    planes = tuple(
        np.full(shape, round(value), np.uint8)
        for shape, value in (((32, 48), luma), ((16, 24), 128 + u * span / 255), ((16, 24), 128 + v * span / 255))
    )
    path = draw_video(tmp_path / "c.mkv", [planes], colorspace=matrix, color_range=2 if full else 1)
    ((picture,),) = runs(path, channels=3, length=1)
    assert picture.shape == (32, 48, 3)
    assert np.abs(picture - rgb).max() <= 2


def test_odd_sides_lose_one_line(tmp_path):
    path = draw_video(tmp_path / "odd.mkv", [texture(33, 47)], layout="yuv444p")
    assert runs(path, length=1)[0][0].shape == (32, 46, 1)
    assert runs(path, length=1, channels=3)[0][0].shape == (32, 46, 3)


def test_what_gives_no_run_says_why(tmp_path):
    short = draw_video(tmp_path / "short.mkv", numbered(2))
    with pytest.raises(DataError, match=r"short\.mkv has no 3 frames in a row without a scene cut"):
        runs(short)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(DataError, match=r"empty\.mp4 is empty"):
        runs(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("this is text")
    with pytest.raises(DataError, match=r"text\.mp4 cannot be read as a video"):
        runs(tmp_path / "text.mp4")


def test_interlaced_videos_are_refused(tmp_path):
    path = draw_video(tmp_path / "tv.ts", numbered(6), codec="mpeg2video", options={"flags": "+ildct+ilme", "top": "1"})
    with pytest.raises(DataError, match=r"tv\.ts is interlaced; deinterlace it first"):
        runs(path)


def test_a_picture_with_the_name_of_a_video_is_read_as_a_picture(tmp_path):
    photo = draw_photo(tmp_path / "photo.png", height=33 // 8 * 8)
    video = photo.rename(tmp_path / "photo.mp4")
    ((picture,),) = runs(video, channels=3)
    assert picture.shape == (32, 320, 3)


def test_a_change_of_size_begins_a_new_run(tmp_path):
    parts = [
        draw_video(tmp_path / f"{seed}.h264", numbered(7, size=size), codec="libx264")
        for seed, size in ((0, (48, 64)), (1, (64, 96)))
    ]
    both = tmp_path / "both.h264"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    shapes = [{picture.shape for picture in run} for run in runs(both, length=4, at_most=3)]
    assert {(48, 64, 1)} in shapes and {(64, 96, 1)} in shapes
    assert all(len(run) == 1 for run in shapes)


def test_leaving_early_closes_the_film(tmp_path):
    path, listing = draw_video(tmp_path / "film.mkv", numbered(40)), Path("/proc/self/fd")
    if not listing.exists():
        pytest.skip("no /proc to see open files in")
    stream = read_runs(path, channels=1, length=3, at_most=4)
    next(stream)
    assert path in [file.resolve() for file in listing.iterdir()]
    stream.close()
    assert path not in [file.resolve() for file in listing.iterdir()]


def test_another_number_of_channels_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1 or 3 channels, got 4"):
        runs(tmp_path / "film.mkv", channels=4)
