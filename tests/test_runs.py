import json

import numpy as np
import pytest

pytest.importorskip("safetensors", reason="training needs vidsr[train]")

from vidsr.card import ModelCard
from vidsr.errors import CheckpointError, NotAModel
from vidsr.io.atomic import write_atomically
from vidsr.runs import Run, append_log, is_run, read_log, read_weights, trim_log, write_weights

CARD = ModelCard(name="mine", scale=2, channels=1, receptive_field=3)


def test_weights_come_back_with_card_and_recipe(tmp_path):
    run = Run(tmp_path)
    weights = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones((), np.float32)}
    write_weights(run.weights, weights, CARD, '{"net": {}}')
    for given in (tmp_path, run.weights):
        arrays, card, recipe = read_weights(given)
        assert card == CARD
        assert recipe == '{"net": {}}'
        assert all(np.array_equal(arrays[name], weights[name]) for name in weights)


def test_missing_and_foreign_weights_get_a_sentence(tmp_path):
    from safetensors.numpy import save_file

    with pytest.raises(CheckpointError, match="does not contain weights"):
        read_weights(tmp_path)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, foreign)
    with pytest.raises(NotAModel, match="has no card"):
        read_weights(foreign)
    foreign.write_bytes(b"no such thing")
    with pytest.raises(NotAModel, match="is not a safetensors file"):
        read_weights(foreign)


def test_a_torn_log_line_is_left_out_and_later_steps_are_trimmed(tmp_path):
    run = Run(tmp_path)
    for step in (1, 2, 3):
        append_log(run, {"step": step})
    with run.log.open("a") as file:
        file.write('{"step": 4')
    assert [entry["step"] for entry in read_log(run)] == [1, 2, 3]
    trim_log(run, 2)
    assert [json.loads(line)["step"] for line in run.log.read_text().splitlines()] == [1, 2]


def test_a_folder_is_a_run_from_its_recipe_or_its_first_log_line_on(tmp_path):
    assert not is_run(tmp_path) and not is_run(tmp_path / "none")
    (tmp_path / "begun").mkdir()
    write_atomically(Run(tmp_path / "begun").recipe, b"{}")
    (tmp_path / "bare").mkdir()
    append_log(Run(tmp_path / "bare"), {"step": 1})
    assert is_run(tmp_path / "begun") and is_run(tmp_path / "bare")


def test_sample_grids_are_listed_by_step_and_foreign_files_are_not(tmp_path):
    run = Run(tmp_path)
    assert run.sampled() == []
    assert run.sample(5000) == tmp_path / "samples" / "0005000.png"
    for step in (20_000_000, 10_000, 5_000):
        write_atomically(run.sample(step), b"")
    write_atomically(run.samples / "mine.png", b"")
    assert run.sampled() == [5_000, 10_000, 20_000_000]
