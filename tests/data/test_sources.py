import av
import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import draw_photo
from vidsr.data.sources import RUN, RUNS, find, read_runs
from vidsr.errors import DataError


def test_photos_and_films_are_found_in_folders_below(tmp_path):
    photo = draw_photo(tmp_path / "deep" / "down" / "a.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert find([tmp_path]) == [photo]
    assert find([photo, tmp_path]) == [photo]


def test_nothing_to_learn_from_gets_a_sentence(tmp_path):
    with pytest.raises(DataError, match="no pictures or films in"):
        find([tmp_path])
    with pytest.raises(DataError, match="does not exist"):
        find([tmp_path / "nowhere"])


def test_a_photo_is_read_as_limited_luma(tmp_path):
    for name, colour, luma in (("white", (255, 255, 255), 235), ("black", (0, 0, 0), 16), ("red", (255, 0, 0), 81)):
        Image.new("RGB", (8, 6), colour).save(tmp_path / f"{name}.png")
        ((picture,),) = read_runs(tmp_path / f"{name}.png")
        assert picture.shape == (6, 8)
        assert np.all(picture == luma)


def test_an_unreadable_photo_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 not really")
    with pytest.raises(DataError, match=r"broken\.jpg cannot be read as a picture"):
        list(read_runs(tmp_path / "broken.jpg"))


def film(path, frames):
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for i in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((48, 32), i % 256, np.uint8), format="yuv420p")
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def test_a_film_is_read_as_runs_of_consecutive_frames_over_its_whole_length(tmp_path):
    runs = list(read_runs(film(tmp_path / "film.mkv", 40)))
    numbers = [[int(frame[0, 0]) for frame in run] for run in runs]
    assert all(run == list(range(run[0], run[0] + RUN)) for run in numbers)
    assert numbers[0][0] == 0
    assert numbers[-1][0] > 20


def test_a_long_film_gives_a_bounded_number_of_runs(tmp_path):
    runs = list(read_runs(film(tmp_path / "film.mkv", RUN * RUNS * 5)))
    assert RUNS <= len(runs) <= 2 * RUNS


def test_a_file_that_is_no_film_is_named(tmp_path):
    (tmp_path / "text.mp4").write_text("this is text")
    with pytest.raises(DataError, match=r"text\.mp4 cannot be read as a film"):
        list(read_runs(tmp_path / "text.mp4"))
