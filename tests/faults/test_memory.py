"""Memory that does not suffice."""

import resource
from pathlib import Path

import pytest

from tests.faults.inputs import huge
from tests.faults.scene import contents, run


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize("mebibytes", [300, 500, 900])
def test_a_limit_on_memory_is_said_and_leaves_nothing(codec: str, mebibytes: int, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))

    source = huge(tmp_path / "a.jpg")
    shown = run("--codec", codec, source, tmp_path / "out.mkv", preexec_fn=limit)
    sentence = shown.said[-1]  # x264 has a line of its own before
    if sentence.endswith("it gives no reason, but may lack memory"):
        assert shown.code == 6 and f"{codec} cannot encode 15360x8640" in sentence
    else:
        assert shown.code == 5 and "not enough memory is left for frames of this size; ask for a smaller" in sentence
    assert list(contents(tmp_path)) == ["a.jpg"]
