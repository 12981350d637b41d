from fractions import Fraction

import av
import numpy as np
import pytest

from tests.data.drawings import draw_video
from tests.video.videos import make_video
from vidsr.errors import InputError
from vidsr.video.read.sampling import Extent, UndamagedFrames, extent_of
from vidsr.video.read.source import open_source


def frames(count):
    rows, columns = np.mgrid[:48, :64]
    return [np.uint8(128 + 60 * np.sin((rows + columns + i) / 6)) for i in range(count)]


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx265"), ("ts", "mpeg2video")])
def test_the_extent_is_what_is_there(tmp_path, suffix, codec):
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    path = draw_video(tmp_path / f"film.{suffix}", frames(50), codec=codec, options=options)
    extent = extent_of(path)
    assert extent.frames == 50
    late = Fraction(1) if suffix == "ts" else Fraction(0)  # transport streams begin after 1.4 s
    assert 2 <= extent.seconds <= 2 + Fraction(1, 5) + 2 * late


def test_the_extent_of_a_video_that_is_cut_off_ends_where_it_does(tmp_path):
    path = draw_video(tmp_path / "film.mkv", frames(50))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    extent = extent_of(path)
    assert 20 < extent.frames < 30
    assert 0.8 < extent.seconds < 1.2


def test_what_is_no_video_has_no_extent(tmp_path):
    (tmp_path / "text.mp4").write_text("text")
    with pytest.raises(InputError, match=r"text\.mp4: FFmpeg finds no video"):
        extent_of(tmp_path / "text.mp4")
    with pytest.raises(InputError, match="is not there"):
        extent_of(tmp_path / "nowhere.mp4")


def test_every_frame_of_a_sound_video_is_whole(tmp_path):
    with open_source(draw_video(tmp_path / "film.mkv", frames(12))) as source:
        whole = UndamagedFrames(source)
        assert sum(frame is not None for frame in whole) == 12
        assert whole.lost == 0


def test_pictures_that_an_edit_list_hides_are_not_counted(tmp_path):
    whole, path = draw_video(tmp_path / "whole.mp4", frames(24), codec="libx264"), tmp_path / "film.mp4"
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.pts, packet.dts = (time - 10 * packet.duration for time in (packet.pts, packet.dts))
                packet.stream = stream
                target.mux(packet)
    with av.open(str(path)) as video:
        assert extent_of(path).frames == len(list(video.decode(video=0))) == 14


def test_the_extent_of_joined_parts_is_that_of_their_sum(tmp_path):
    part = make_video(tmp_path / "a.ts", pts=range(25), options={"output_ts_offset": "40000"})
    (tmp_path / "b.ts").write_bytes(part.read_bytes() * 2)
    assert extent_of(tmp_path / "b.ts") == Extent(50, Fraction(2))
