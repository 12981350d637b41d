import pytest
from typer.testing import CliRunner

pytest.importorskip("httpx", reason="fetching needs vidsr[train]")

from tests.data.pixabay_server import KEY, serve
from vidsr.cli import app


def run(*words: object, key: str | None = KEY):
    return CliRunner().invoke(app, ["fetch", *map(str, words)], env={"PIXABAY_KEY": key})


def test_the_result_is_one_line_and_notices_stand_on_stderr(tmp_path):
    with serve([3, 4]) as server:
        done = run("pixabay", "tall trees", "-n", 5, "-o", tmp_path, "--address", server.address)
        assert server.queries[0]["q"] == "tall trees"
    assert (done.exit_code, done.stdout) == (
        0,
        f"2 photos in {tmp_path}, 2 of them new; licences in {tmp_path / 'licences.csv'}\n",
    )
    assert "2 photos match 'tall trees', fewer than the 5 requested" in done.stderr


def test_a_wrong_key_is_one_line_and_exit_code_3(tmp_path):
    with serve([3]) as server:
        done = run("pixabay", "trees", "-o", tmp_path, "--key", "guessed", "--address", server.address)
    assert done.exit_code == 3 and done.stdout == ""
    assert done.stderr.startswith("vidsr: Pixabay rejects this key") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [(["pixabay"], "PIXABAY_KEY"), (["flickr", "--key", "k"], "the site pixabay, got flickr")],
)
def test_wrong_usage_says_what_is_right(tmp_path, words, said):
    done = run(*words, "trees", "-o", tmp_path, key=None)
    assert done.exit_code == 2 and said in done.stderr
