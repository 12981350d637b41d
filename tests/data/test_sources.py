import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.drawings import draw_photo, draw_video
from vidsr.data.sources import find_skipped, find_sources, is_video, read_licences, read_runs
from vidsr.errors import DataError


def runs(path, *, length=6, at_most=48):
    return list(read_runs(path, channels=1, length=length, at_most=at_most))


def test_photos_and_films_are_found_in_folders_below(tmp_path):
    photo = draw_photo(tmp_path / "deep" / "down" / "a.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    assert find_sources([tmp_path]) == [photo]
    assert find_sources([photo, tmp_path]) == [photo]


def test_nothing_to_learn_from_gets_a_sentence(tmp_path):
    with pytest.raises(DataError, match="no images or videos in"):
        find_sources([tmp_path])
    with pytest.raises(DataError, match="does not exist"):
        find_sources([tmp_path / "nowhere"])


def test_a_photo_is_read_as_limited_luma(tmp_path):
    for name, colour, luma in (("white", (255, 255, 255), 235), ("black", (0, 0, 0), 16), ("red", (255, 0, 0), 81)):
        Image.new("RGB", (8, 6), colour).save(tmp_path / f"{name}.png")
        (picture,) = runs(tmp_path / f"{name}.png")[0]
        assert picture.shape == (6, 8, 1)
        assert np.all(picture == luma)


def test_an_unreadable_photo_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 not really")
    with pytest.raises(DataError, match=r"broken\.jpg cannot be read as an image"):
        runs(tmp_path / "broken.jpg")


def test_the_data_sets_layouts_are_known_and_their_low_resolution_twins_left_out(tmp_path):
    truths = [
        "DIV2K/DIV2K_train_HR/0001.png",
        "DIV2K/DIV2K_valid_HR/0801.png",
        "Flickr2K/Flickr2K_HR/000001.png",
        "OpenImages/train_0/0a.jpg",
        "OpenImages/validation/0b.jpg",
        "OpenImages/test/0c.jpg",
        "Set5/HR/baby.png",
        "Lightroom/LR/mine.jpg",
        "films/cut_LR/film.mp4",
    ]
    twins = [
        "DIV2K/DIV2K_train_LR_bicubic/X2/0001x2.png",
        "DIV2K/DIV2K_valid_LR_x8/0801x8.png",
        "DIV2K/DIV2K_train_LR_mild/0001x4m.png",
        "Flickr2K/Flickr2K_LR_unknown/X4/000001x4.png",
        "OpenImages/train-masks-0/0a_m01_1.png",
        "Set5/LR_bicubic/X2/babyx2.png",
    ]
    for name in truths + twins:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_sources([tmp_path]) == sorted(tmp_path / name for name in truths)
    names = {str(folder.relative_to(tmp_path)) for folder in find_skipped([tmp_path])}
    assert names == {"/".join(name.split("/")[:2]) for name in twins}


def test_twins_are_left_out_even_where_they_are_named(tmp_path, monkeypatch):
    truth = draw_photo(tmp_path / "DIV2K_train_HR" / "0001.png")
    low = draw_photo(tmp_path / "DIV2K_train_LR_bicubic" / "X2" / "0001x2.png").parent.parent
    assert find_sources([truth.parent, low]) == [truth]
    with pytest.raises(DataError, match=r"no images or videos in .* but .*_LR_bicubic \(a folder without"):
        find_sources([low])
    monkeypatch.chdir(low)
    with pytest.raises(DataError, match="a folder without ground truth"):
        find_sources([Path()])


def test_hidden_folders_and_folders_with_the_name_of_a_film_are_no_sources(tmp_path):
    draw_photo(tmp_path / ".thumbnails" / "a.png")
    photo = draw_photo(tmp_path / "film.ts" / "a.png")
    assert find_sources([tmp_path]) == [photo]


def test_a_folder_that_may_not_be_read_is_named_and_the_others_are_read(tmp_path, monkeypatch):
    photo = draw_photo(tmp_path / "photos" / "a.png")
    locked = draw_photo(tmp_path / "locked" / "b.png").parent
    entries = Path.iterdir

    def iterdir(path):
        if path == locked:
            raise PermissionError
        return entries(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert find_sources([tmp_path]) == [photo]
    assert find_skipped([tmp_path]) == {locked: "may not be read by this user; check its permissions"}
    with pytest.raises(DataError, match=r"no images .* but .*locked \(may not be read by this user"):
        find_sources([locked])


def test_pictures_and_films_that_are_not_read_are_named_and_notes_are_not(tmp_path):
    photo = draw_photo(tmp_path / "photos" / "a.png")
    for name in ("photo.HEIC", "film.wmv", "notes.txt", ".hidden.gif"):
        (photo.parent / name).touch()
    (photo.parent / "lost.png").symlink_to("nothing.png")
    (photo.parent / "round").symlink_to(".")
    os.mkfifo(photo.parent / "pipe.png")
    assert find_sources([tmp_path]) == [photo]
    notes = photo.parent / "notes.txt"
    assert find_skipped([notes]) == {notes: "not an image or video, by its name"}
    reasons = {path.name: reason for path, reason in find_skipped([tmp_path]).items()}
    assert reasons.keys() == {"photo.HEIC", "film.wmv", "lost.png", "round", "pipe.png"}
    assert reasons["photo.HEIC"].startswith(".heic is not read")
    assert reasons["lost.png"] == "a broken link"
    assert reasons["round"] == "a link to a folder; give that folder itself"


def test_licences_come_from_the_table_beside_the_files(tmp_path):
    a, b, c = (draw_photo(tmp_path / name) for name in ("one/a.png", "one/b.png", "two/c.png"))
    table = tmp_path / "one" / "licences.csv"
    table.write_text("\ufefffile,width,licence\na.png,320,CC0-1.0\nb.png,320,\ngone.png,1,MIT\n", encoding="utf-8")
    assert read_licences([a, b, c]) == read_licences([tmp_path]) == {a: "CC0-1.0"}
    assert read_licences([c]) == {}
    table.write_text("name,licence\na.png,CC0\n")
    with pytest.raises(DataError, match=r"licences\.csv has no columns named file and licence; it has name, licence"):
        read_licences([a])
    table.write_bytes(b"file,licence\n\xff,CC0\n")
    with pytest.raises(DataError, match=r"licences\.csv is not a table"):
        read_licences([a])


def test_photos_and_films_are_told_apart_by_name():
    assert [is_video(Path(name)) for name in ("a.JPG", "a.tiff", "a.mkv", "a.MP4")] == [False, False, True, True]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_photo_is_one_run_of_one_picture(tmp_path, channels):
    photo = draw_photo(tmp_path / "a.jpg", height=40, width=56)
    ((image,),) = read_runs(photo, channels=channels, length=8, at_most=9)
    assert image.shape == (40, 56, channels) and image.dtype == np.uint8


def video(path, frames):
    return draw_video(path, (np.full((32, 32), i % 256, np.uint8) for i in range(frames)))


def test_a_film_is_read_as_runs_of_consecutive_frames_over_its_whole_length(tmp_path):
    found = runs(video(tmp_path / "film.mkv", 40))
    numbers = [[int(picture[0, 0, 0]) for picture in run] for run in found]
    assert all(run == list(range(run[0], run[0] + 6)) for run in numbers)
    assert numbers[0][0] < 6
    assert numbers[-1][0] > 20


def test_a_long_film_gives_a_bounded_number_of_runs(tmp_path):
    assert len(runs(video(tmp_path / "film.mkv", 180), at_most=5)) == 5


def test_a_file_that_is_no_film_is_named(tmp_path):
    (tmp_path / "text.mp4").write_text("this is text")
    with pytest.raises(DataError, match=r"text\.mp4 cannot be read as a video"):
        runs(tmp_path / "text.mp4")
