"""The folder of a job: what is noted there is on disk, and only what is whole is believed."""

import json
from pathlib import Path

import pytest

from vidsr.errors import OutputError
from vidsr.pipeline.resume.identity import as_text, identity_of
from vidsr.pipeline.resume.journal import Journal
from vidsr.video.write.segment_file import Segment, digest_of

PLAN = {"input": {"size": "9 bytes"}, "settings": {"crf": "20.0"}}


def add(journal: Journal, index: int, data: bytes = b"packets") -> Segment:
    part = journal.part(index)
    part.write_bytes(data)
    segment = Segment(index, 10, "1/1000", index * 10, index * 10 + 9, len(data), digest_of(part))
    journal.add(segment)
    return segment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "film.mkv.vidsr"


def test_what_was_noted_is_found_again(folder: Path) -> None:
    with Journal(folder, PLAN) as journal:
        noted = {index: add(journal, index) for index in (0, 1, 3)}
    with Journal(folder, PLAN) as journal:
        assert journal.done == noted
        missing = journal.missing()
        assert [next(missing) for _ in range(3)] == [2, 4, 5]


def test_a_line_behind_a_torn_one_is_read(folder: Path) -> None:
    with Journal(folder, PLAN) as journal:
        noted = add(journal, 0)
    with (folder / "journal.jsonl").open("ab") as lines:
        lines.write(b'{"index": 1, "fra')
    with Journal(folder, PLAN) as journal:
        assert journal.done == {0: noted}
        again = add(journal, 1)
    with Journal(folder, PLAN) as journal:
        assert journal.done == {0: noted, 1: again}


@pytest.mark.parametrize("line", [b"[]", b"3", b"null", b'{"index": 0}', b"\xff\xfe", b'{"index": [], "frames": 1}'])
def test_a_line_that_says_something_else_is_passed_over(folder: Path, line: bytes) -> None:
    with Journal(folder, PLAN) as journal:
        noted = add(journal, 0)
    with (folder / "journal.jsonl").open("ab") as lines:
        lines.write(line + b"\n")
    with Journal(folder, PLAN) as journal:
        assert journal.done == {0: noted}


def test_parts_are_swept_out(folder: Path) -> None:
    with Journal(folder, PLAN) as journal:
        add(journal, 0)
        journal.part(1).write_bytes(b"half")
    with Journal(folder, PLAN) as journal:
        assert not journal.part(1).exists()


def test_a_plan_that_cannot_be_read_is_refused(folder: Path) -> None:
    with Journal(folder, PLAN) as journal:
        add(journal, 0)
    (folder / "plan.json").write_text("{")
    with pytest.raises(OutputError, match=r"plan.json cannot be read; delete .* to start again"):
        Journal(folder, PLAN)


def test_a_plan_of_another_kind_is_refused(folder: Path) -> None:
    with Journal(folder, PLAN) as journal:
        add(journal, 0)
    (folder / "plan.json").write_text(json.dumps({"settings": {"crf": "20.0"}}))
    with pytest.raises(OutputError, match="was begun with an input of a size of None instead of 9 bytes"):
        Journal(folder, PLAN)


def test_where_nothing_is_done_nothing_stays_and_nothing_is_compared(folder: Path) -> None:
    with Journal(folder, PLAN) as journal:
        journal.part(0).write_bytes(b"half")
    assert not folder.exists()
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps({"settings": {"crf": "23.0"}}))
    with Journal(folder, PLAN) as journal:
        add(journal, 0)
    assert json.loads((folder / "plan.json").read_text()) == PLAN


def test_segments_without_a_plan_are_not_believed(folder: Path) -> None:
    with Journal(folder, PLAN) as journal:
        add(journal, 0)
    (folder / "plan.json").unlink()
    with Journal(folder, PLAN) as journal:
        assert not journal.done and not journal.file(0).exists()


def test_files_of_others_stay(folder: Path) -> None:
    with Journal(folder, PLAN) as journal:
        add(journal, 0)
        (folder / "notes.txt").write_text("mine")
        journal.clear()
        journal.remove()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_two_films_of_the_same_size_are_told_apart(tmp_path: Path) -> None:
    for name, data in (("a", b"one"), ("b", b"two")):
        (tmp_path / name).write_bytes(data)
    a, b = identity_of(tmp_path / "a"), identity_of(tmp_path / "b")
    assert a["size"] == b["size"] and a["content"] != b["content"]


def test_settings_are_compared_as_text_without_those_left_open() -> None:
    given = {"crf": 20.0, "model": Path("a.onnx"), "tile": None, "options": {"b": "1", "a": "2"}}
    assert as_text(given) == {"crf": "20.0", "model": "a.onnx", "options": '{"a": "2", "b": "1"}'}
