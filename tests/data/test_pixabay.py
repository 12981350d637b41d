import csv
import os
import resource
import signal
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import pytest

pytest.importorskip("httpx", reason="fetching needs vidsr[train]")

from PIL import Image

from tests.data.pixabay_server import KEY, VIDEO, draw, serve
from vidsr.data import fetch as pixabay
from vidsr.data.fetch import LICENCE, LicenceTable, fetch_pixabay
from vidsr.errors import DataError, DiskFull, InputError, StreamBroken

IDS = [31, 7, 1964, 5, 12, 88]


class Sleeps(list[float]):
    """Takes note instead of sleeping."""

    def __call__(self, seconds: float) -> None:
        self.append(round(seconds, 1))


def fetch(server, folder, **options):
    given = {"key": KEY, "sleep": Sleeps(), **options}
    return fetch_pixabay("trees", folder, address=server.address, **given)


def lines(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "licences.csv").open(newline="") as file:
        return {line["file"]: line for line in csv.DictReader(file)}


def check_whole(folder: Path, ids: list[int]) -> None:
    """Every picture once, none truncated, the list complete."""
    names = {f"pixabay-{number}.jpg" for number in ids}
    assert {file.name for file in folder.iterdir() if not file.name.startswith(".")} == {*names, "licences.csv"}
    for number in ids:
        assert (folder / f"pixabay-{number}.jpg").read_bytes() == draw(number)
    assert lines(folder).keys() == names


def test_photos_come_with_their_size_licence_author_and_page(tmp_path):
    with serve(IDS) as server:
        fetched = fetch(server, tmp_path / "new" / "folder", count=6)
        assert server.queries == [
            {"q": "trees", "image_type": "photo", "safesearch": "true", "per_page": "200", "page": "1"}
        ]
    check_whole(tmp_path / "new" / "folder", IDS)
    assert [file.name for file in fetched.files] == [f"pixabay-{number}.jpg" for number in IDS]
    assert (fetched.new, fetched.notices) == (6, [])
    assert lines(tmp_path / "new" / "folder")["pixabay-31.jpg"] == {
        "file": "pixabay-31.jpg",
        "width": "180",
        "height": "120",
        "licence": LICENCE,
        "author": 'Ann, "the" Author',
        "source": "https://pixabay.com/photos/trees-31/",
    }


def test_no_more_are_fetched_than_asked_for(tmp_path):
    with serve(IDS) as server:
        fetch(server, tmp_path, count=2)
        assert sum(server.asked.values()) == 3
    check_whole(tmp_path, IDS[:2])


def test_videos_come_in_the_largest_size_up_to_full_hd(tmp_path):
    with serve([2, 3]) as server:
        server.trouble["/video/2_medium.mp4"] = ["cut", b"<html>busy</html>"]
        fetched = fetch(server, tmp_path, count=2, videos=True)
        assert set(server.asked) == {"/api/videos/", "/video/2_medium.mp4", "/video/3_medium.mp4"}
    assert [file.read_bytes() for file in fetched.files] == [VIDEO + b"2", VIDEO + b"3"]
    assert [file.name for file in fetched.files] == ["pixabay-2.mp4", "pixabay-3.mp4"]
    assert lines(tmp_path)["pixabay-3.mp4"]["width"] == "1920"


def test_whatever_goes_wrong_on_the_way_every_picture_comes_once_and_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(pixabay, "PER_PAGE", 3)
    ids, sleeps = [31, 7, 31, 7, 1964, 5], Sleeps()  # two stand on both pages
    with serve(ids) as server:
        server.trouble["/api/"] = [429, 500]
        server.trouble["/get/31_1280.jpg"] = ["cut", 503, 429]
        server.trouble["/get/7_1280.jpg"] = [draw(7)[:-300], b"<html>busy</html>"]  # cut somewhere before the server
        fetched = fetch(server, tmp_path, count=4, sleep=sleeps)
    check_whole(tmp_path, [31, 7, 1964, 5])
    assert (fetched.new, fetched.notices) == (4, [])
    assert sleeps == [7, 2, 1, 2, 7, 1, 2]  # 7: as Retry-After asks


def test_a_spent_rate_limit_is_waited_for_before_the_next_question(tmp_path, monkeypatch):
    monkeypatch.setattr(pixabay, "PER_PAGE", 3)
    sleeps = Sleeps()
    with serve(IDS) as server:
        server.headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "42"}
        fetch(server, tmp_path, count=6, sleep=sleeps)
    assert len(sleeps) == 1 and 40 < sleeps[0] <= 42


def test_a_server_may_name_a_date_to_come_back_at(tmp_path):
    sleeps = Sleeps()
    with serve(IDS) as server:
        server.trouble["/api/"], server.retry_after = [429, 429], formatdate(time.time() + 100, usegmt=True)
        fetch(server, tmp_path, count=1, sleep=sleeps)
        assert sleeps == [pytest.approx(100, abs=30)] * 2
        server.trouble["/get/7_1280.jpg"], server.retry_after = [429], "soon"
        fetch(server, tmp_path, count=2, sleep=sleeps)
    assert sleeps[2:] == [1]


def test_a_wait_of_hours_is_said_not_slept(tmp_path, monkeypatch):
    monkeypatch.setattr(pixabay, "PER_PAGE", 3)
    sleeps = Sleeps()
    with serve(IDS) as server:
        server.headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800"}
        with pytest.raises(StreamBroken, match="asks to wait 1800 s; run the command again then"):
            fetch(server, tmp_path, count=6, sleep=sleeps)
    assert sleeps == []
    check_whole(tmp_path, IDS[:3])


def test_what_is_there_is_not_fetched_again_and_within_a_day_nothing_is_asked_again(tmp_path):
    with serve(IDS) as server:
        fetch(server, tmp_path, count=3)
        (tmp_path / "licences.csv").unlink()
        fetched = fetch(server, tmp_path, count=6)
        assert (len(fetched.files), fetched.new) == (6, 3)
        assert set(server.asked.values()) == {1}
        check_whole(tmp_path, IDS)
        (memory,) = tmp_path.glob(".pixabay-*.json")
        assert KEY not in memory.read_text()
        os.utime(memory, (0, 0))
        fetch(server, tmp_path, count=6)
        assert server.asked["/api/"] == 2


def test_killed_in_the_middle_and_started_again_it_fetches_what_is_missing(tmp_path):
    with serve(IDS) as server:
        server.trouble["/get/5_1280.jpg"] = ["stuck"]
        command = [sys.executable, "-m", "vidsr", "fetch", "pixabay", "trees", "-n", "6", "-o", str(tmp_path)]
        environ = {**os.environ, "PIXABAY_KEY": KEY}
        with subprocess.Popen([*command, "--address", server.address], env=environ) as process:
            assert server.stuck.wait(30)
            while not (tmp_path / "pixabay-5.jpg.part").exists():
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        named = list(tmp_path.glob("*.jpg"))
        assert len(named) == 3 and {file.name for file in named} <= lines(tmp_path).keys()
        for file in named:
            Image.open(file).load()
        server.go_on.set()
        done = subprocess.run(
            [*command, "--address", server.address], env=environ, check=True, capture_output=True, text=True
        )
        assert done.stdout == f"6 photos in {tmp_path}, 3 of them new; licences in {tmp_path / 'licences.csv'}\n"
        assert server.asked == {"/api/": 1, "/get/5_1280.jpg": 2} | {
            f"/get/{number}_1280.jpg": 1 for number in IDS if number != 5
        }
    check_whole(tmp_path, IDS)


def test_no_picture_appears_before_its_line_is_in_the_list(tmp_path, monkeypatch):
    def fail(*_):
        raise DiskFull("no room")

    monkeypatch.setattr(LicenceTable, "add", fail)
    with serve(IDS) as server, pytest.raises(DiskFull, match="no room"):
        fetch(server, tmp_path)
    assert not list(tmp_path.glob("pixabay-*"))


def test_a_full_disk_is_named(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serve(IDS[:1]) as server:
        server.bodies[31] += bytes(1 << 16)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 15, limits[1]))
        try:
            with pytest.raises(DiskFull, match=r"pixabay-31\.jpg\.part could not be written .*; free some space"):
                fetch(server, tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob("pixabay-*"))


def test_the_same_picture_under_two_numbers_is_kept_once(tmp_path):
    with serve(IDS) as server:
        server.bodies[12] = server.bodies[7]
        fetched = fetch(server, tmp_path, count=6)
    check_whole(tmp_path, [number for number in IDS if number != 12])
    assert fetched.notices == ["pixabay-12.jpg was left out: pixabay-7.jpg is the same"]


def test_one_file_that_cannot_be_had_is_named_and_the_others_come(tmp_path):
    with serve(IDS) as server:
        server.trouble["/get/7_1280.jpg"] = [404]
        server.trouble["/get/5_1280.jpg"] = ["cut"] * 5
        server.trouble["/get/88_1280.jpg"] = [404]
        fetched = fetch(server, tmp_path, count=6)
    check_whole(tmp_path, [31, 1964, 12])
    assert len(fetched.notices) == 3
    assert "pixabay-7.jpg was left out" in fetched.notices[0] and "answered 404" in fetched.notices[0]
    assert "failed 5 times, at last because peer closed connection" in fetched.notices[1]


def test_a_server_that_is_down_is_not_asked_for_every_file(tmp_path):
    with serve(IDS) as server:
        for number in IDS:
            server.trouble[f"/get/{number}_1280.jpg"] = [500] * 99
        with pytest.raises(StreamBroken, match="failed 5 times, at last because it answered 500; try again later"):
            fetch(server, tmp_path, count=6)
        assert len(server.asked) == 4


def test_fewer_than_asked_for_is_said(tmp_path):
    with serve(IDS[:2]) as server:
        fetched = fetch(server, tmp_path, count=50)
    assert fetched.notices == ["2 photos match 'trees', fewer than the 50 requested; Pixabay shows 500 at most"]


def test_lines_and_columns_of_others_in_the_list_stay(tmp_path):
    (tmp_path / "licences.csv").write_text("file,licence,detail\nmine.jpg,CC0,4.5\n")
    with serve(IDS[:1]) as server:
        fetch(server, tmp_path, count=1)
    assert lines(tmp_path)["mine.jpg"]["detail"] == "4.5" and lines(tmp_path)["mine.jpg"]["licence"] == "CC0"
    assert lines(tmp_path)["pixabay-31.jpg"]["licence"] == LICENCE


def test_what_cannot_work_gets_a_sentence(tmp_path):
    with serve(IDS) as server:
        with pytest.raises(InputError, match=r"rejects this key.*Invalid or missing API key") as refused:
            fetch(server, tmp_path, key="guessed")
        assert "guessed" not in str(refused.value) and not any(tmp_path.iterdir())
        server.trouble["/api/"] = [b"<html>Welcome to the hotel's network</html>"] * 5
        with pytest.raises(StreamBroken, match="is there a login page in between"):
            fetch(server, tmp_path)
        server.trouble["/api/"] = [b'{"totalHits": 1, "hits": [{"id": 3}]}']
        with pytest.raises(DataError, match="lacks what its documentation promises"):
            fetch(server, tmp_path)
    with pytest.raises(StreamBroken, match=r"cannot be reached.*try again when online"):  # the server is gone
        fetch(server, tmp_path / "other")
    with serve([]) as server, pytest.raises(DataError, match="nothing that matches 'trees'; try fewer or other words"):
        fetch(server, tmp_path / "none")


def test_a_list_of_something_else_is_named_and_kept(tmp_path):
    (tmp_path / "licences.csv").write_text("picture;licence\n1.jpg;CC0\n")
    with pytest.raises(DataError, match=r"licences\.csv has no column named file"):
        LicenceTable(tmp_path / "licences.csv")
    assert (tmp_path / "licences.csv").read_text().endswith("1.jpg;CC0\n")
