import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from tests.train.stores import losses, make_store
from vidsr.data.store import read_store
from vidsr.errors import EngineMissing, RecipeError
from vidsr.runs import Run, read_weights
from vidsr.train import run_writer as record
from vidsr.train.batches import draw_batch
from vidsr.train.devices import Machine
from vidsr.train.loop import train
from vidsr.train.recipe_file import parse_recipe
from vidsr.train.state import begin, begin_gan
from vidsr.train.steps import gan_step
from vidsr.train.throughput import profile

# Nothing here reckons over the samples of a batch together, so that cutting it changes but the rounding.
TABLES = {
    "name": "tiny",
    "net": {"scale": 2, "channels": 3, "width": 8, "depth": 2, "residual": True},
    "data": {"side": 16},
    "pixel": {"steps": 100, "batch": 8, "warmup": 5, "validate_every": 50, "fft": 0.05},
    "gan": {"steps": 100, "batch": 8, "judge_width": 8, "validate_every": 50, "features": 0.1},
}
EXACT = Machine(precision="f32")


def recipe(**tables):
    return parse_recipe({**TABLES, **{name: {**TABLES[name], **values} for name, values in tables.items()}})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("colour"))


@pytest.fixture(scope="module")
def alone(store, tmp_path_factory):
    return train(recipe(), [store], tmp_path_factory.mktemp("runs") / "alone", machine=EXACT)


def assert_same_losses(run, other, *, rel=1e-3):
    ours, theirs = losses(run), losses(other)
    assert ours.keys() == theirs.keys() == {100, 200}
    for step, line in ours.items():
        assert line.pop("stage") == theirs[step].pop("stage")
        assert line == pytest.approx(theirs[step], rel=rel)


@pytest.mark.parametrize("kind", ["vanilla", "wasserstein"])
def test_two_processes_have_the_losses_of_one_on_the_joint_batch(store, alone, tmp_path, kind):
    plan = recipe(gan={"kind": kind, "judge_steps": 5 if kind == "wasserstein" else 1})
    one = alone if kind == "vanilla" else train(plan, [store], tmp_path / "one", machine=EXACT)
    file = tmp_path / "tiny.toml"
    file.write_text(toml(json.loads(plan.to_json())))
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = ["-m", "--", "vidsr", "train", file, "--data", store, "--run", tmp_path / "two", "--precision", "f32"]
    done = subprocess.run(
        [sys.executable, *command, *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "two" / "best.safetensors")], "the first process alone prints"
    assert_same_losses(Run(tmp_path / "two"), one)


def toml(tables):
    """A recipe's JSON as TOML, which wants keys before tables."""
    keys = [f"{key} = {json.dumps(value)}" for key, value in tables.items() if not isinstance(value, dict)]
    for name, values in tables.items():
        if isinstance(values, dict):
            keys += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    return "\n".join(keys)


def test_a_batch_computed_in_parts_has_the_losses_of_the_whole(store, alone, tmp_path):
    parts = train(recipe(), [store], tmp_path / "parts", machine=replace(EXACT, accumulate=4))
    assert_same_losses(parts, alone, rel=1e-2)  # spectral normalisation moves on with every part it sees


def test_a_batch_that_cannot_be_cut_evenly_is_refused(store, tmp_path):
    with pytest.raises(RecipeError, match=r"batch of 8 cannot be cut into 3 equal parts \(1 processes, 3 parts"):
        train(recipe(), [store], tmp_path / "run", machine=Machine(accumulate=3))


def test_graphs_do_not_go_with_parts(store, tmp_path):
    with pytest.raises(RecipeError, match="accumulate 1 part"):
        train(recipe(), [store], tmp_path / "run", machine=Machine(accumulate=2, compile="graphs"))


def test_fp16_learns_with_a_scaler_and_resumes_exactly(store, tmp_path, monkeypatch):
    monkeypatch.setattr(record, "LOG_EVERY", 2)
    stages = {"pixel": {"steps": 4, "validate_every": 2}, "gan": {"steps": 4, "validate_every": 2}}  # slow on a CPU
    fp16, plan = Machine(precision="fp16"), recipe(**stages)
    whole = train(plan, [store], tmp_path / "whole", machine=fp16)

    def interrupt(line):
        if line["step"] == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(plan, [store], tmp_path / "run", machine=fp16, report=interrupt)
    assert losses(train(plan, [store], tmp_path / "run", machine=fp16)) == losses(whole)
    exact = train(plan, [store], tmp_path / "exact", machine=EXACT)
    assert losses(whole)[8]["pixel"] == pytest.approx(losses(exact)[8]["pixel"], rel=0.05)
    assert torch.load(whole.checkpoint, weights_only=True)["scaler"]["scale"] > 1, "the scaler's state is kept"


@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_a_compiled_network_learns_the_same(store, tmp_path):
    plan = recipe(pixel={"steps": 100, "validate_every": 100}, gan={"steps": 0})
    plain = train(plan, [store], tmp_path / "plain", machine=EXACT)
    compiled = train(plan, [store], tmp_path / "compiled", machine=replace(EXACT, compile="yes"))
    ours, theirs = read_weights(compiled.folder)[0], read_weights(plain.folder)[0]
    assert ours.keys() == theirs.keys()
    assert losses(compiled)[100]["loss"] == pytest.approx(losses(plain)[100]["loss"], rel=1e-3)


@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_a_gradient_penalty_is_reckoned_past_what_is_compiled(store):
    plan = recipe(gan={"kind": "wasserstein"})
    state = begin(plan, EXACT)
    begin_gan(state, plan)
    state.judge.compile(backend="aot_eager")  # which cannot differentiate twice either, and needs no C++ compiler
    batch = draw_batch(read_store(store).split("train"), plan, 0, EXACT, plan.gan)
    assert torch.isfinite(gan_step(state, plan, batch, None)["judge"])


def test_a_device_that_is_not_there_gets_a_sentence(store, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(EngineMissing, match=r"no device cuda .* --device cpu"):
        train(recipe(), [store], tmp_path / "run", machine=Machine(device="cuda"))


def test_a_profile_times_both_stages_beside_their_networks_and_keeps_nothing(store, tmp_path):
    speeds = profile(recipe(), [store], stores=tmp_path / "stores", steps=1)
    assert [speed.stage for speed in speeds] == ["pixel", "gan"]
    assert all(0 < speed.loop < 1.5 * speed.bare for speed in speeds)
    assert not list(tmp_path.iterdir())


def test_a_profile_leaves_out_a_stage_that_has_no_steps(store, tmp_path):
    thirds = replace(EXACT, accumulate=3)
    first = recipe(pixel={"batch": 6}, gan={"steps": 0})  # whose batch of 8 cannot be cut into 3
    second = recipe(pixel={"steps": 0}, gan={"batch": 6})
    for plan, stage in ((first, "pixel"), (second, "gan")):
        assert [speed.stage for speed in profile(plan, [store], stores=tmp_path, machine=thirds, steps=1)] == [stage]
