import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from tests.train.stores import losses, make_store, train
from vidsr.data.store import read_store
from vidsr.errors import EngineMissing, RecipeError
from vidsr.runs import Run, read_weights
from vidsr.train import devices, run_writer
from vidsr.train.batches import Inputs, draw_batch
from vidsr.train.devices import Accelerator, default_precision
from vidsr.train.recipe_file import parse_recipe
from vidsr.train.state import begin, begin_gan
from vidsr.train.steps import gan_step
from vidsr.train.throughput import profile

# Nothing here is computed over the samples of a batch together, so that splitting it changes only the rounding.
TABLES = {
    "name": "tiny",
    "net": {"scale": 2, "channels": 3, "width": 8, "depth": 2, "residual": True},
    "data": {"side": 16},
    "pixel": {"steps": 20, "batch": 8, "warmup": 5, "validate_every": 20, "fft": 0.05},
    "gan": {"steps": 20, "batch": 8, "discriminator_width": 8, "validate_every": 20, "features": 0.1},
}
EXACT = Accelerator()
LOG_EVERY = 10


def recipe(**tables):
    return parse_recipe({**TABLES, **{name: {**TABLES[name], **values} for name, values in tables.items()}})


@pytest.fixture(scope="module", autouse=True)
def frequent_log():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_writer, "LOG_EVERY", LOG_EVERY)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("colour"))


@pytest.fixture(scope="module")
def alone(store, tmp_path_factory):
    return train(recipe(), [store], tmp_path_factory.mktemp("runs") / "alone", accelerator=EXACT)


def assert_same_losses(run, other, *, rel=1e-3):
    ours, theirs = losses(run), losses(other)
    assert ours.keys() == theirs.keys() == {10, 20, 30, 40}
    for step, line in ours.items():
        assert line.pop("stage") == theirs[step].pop("stage")
        assert line == pytest.approx(theirs[step], rel=rel)


@pytest.mark.parametrize("kind", ["vanilla", "wasserstein"])
def test_two_processes_have_the_losses_of_one_on_the_joint_batch(store, alone, tmp_path, kind):
    plan = recipe(gan={"kind": kind, "discriminator_steps": 5 if kind == "wasserstein" else 1})
    one = alone if kind == "vanilla" else train(plan, [store], tmp_path / "one", accelerator=EXACT)
    file = tmp_path / "tiny.toml"
    file.write_text(toml(json.loads(plan.to_json())))
    script = tmp_path / "main.py"
    script.write_text(
        f"from vidsr import cli\nfrom vidsr.train import run_writer\nrun_writer.LOG_EVERY = {LOG_EVERY}\ncli.main()\n"
    )
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = ["--", script, "train", file, "--data", store, "--run", tmp_path / "two", "--precision", "f32"]
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
    parts = train(recipe(), [store], tmp_path / "parts", accelerator=replace(EXACT, accumulate=4))
    assert_same_losses(parts, alone, rel=1e-2)  # spectral normalisation moves on with every part it sees


def test_a_batch_that_cannot_be_cut_evenly_is_refused(store, tmp_path):
    with pytest.raises(RecipeError, match=r"batch of 8 cannot be split into 3 equal parts \(1 processes, 3 parts"):
        train(recipe(), [store], tmp_path / "run", accelerator=Accelerator(accumulate=3))


def test_graphs_do_not_go_with_parts(store, tmp_path):
    with pytest.raises(RecipeError, match="needs --accumulate 1"):
        train(recipe(), [store], tmp_path / "run", accelerator=Accelerator(accumulate=2, compile="graphs"))


@pytest.mark.parametrize("precision", ["f16", "bf16"])
def test_half_precision_learns_and_resumes_exactly(store, tmp_path, monkeypatch, precision):
    monkeypatch.setattr(run_writer, "LOG_EVERY", 1)
    few = {"steps": 2, "batch": 2, "validate_every": 1}  # emulated on most CPUs
    half, plan = Accelerator(precision=precision), recipe(pixel=few, gan=few)
    whole = train(plan, [store], tmp_path / "whole", accelerator=half)

    def interrupt(line):
        if line["step"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(plan, [store], tmp_path / "run", accelerator=half, report=interrupt)
    assert losses(train(plan, [store], tmp_path / "run", accelerator=half)) == losses(whole)
    exact = train(plan, [store], tmp_path / "exact", accelerator=EXACT)
    assert losses(whole)[4]["pixel"] == pytest.approx(losses(exact)[4]["pixel"], rel=0.05)
    assert losses(whole)[4] != losses(exact)[4]
    scaler = torch.load(whole.checkpoint, weights_only=True)["scaler"]
    assert scaler.get("scale", 0) > 1 if precision == "f16" else not scaler


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "f32")])
def test_bf16_is_the_default_only_where_it_is_native(monkeypatch, native, precision):
    monkeypatch.setattr(devices, "has_native_bf16", lambda: native)
    assert default_precision("cpu") == precision
    with pytest.raises(EngineMissing, match="no device toaster"):
        default_precision("toaster")


@pytest.mark.skipif(not (shutil.which("c++") or shutil.which("g++")), reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_a_compiled_network_learns_the_same(store, tmp_path):
    plan = recipe(pixel={"steps": 10, "validate_every": 10}, gan={"steps": 0})
    plain = train(plan, [store], tmp_path / "plain", accelerator=EXACT)
    compiled = train(plan, [store], tmp_path / "compiled", accelerator=replace(EXACT, compile="yes"))
    ours, theirs = read_weights(compiled.folder)[0], read_weights(plain.folder)[0]
    assert ours.keys() == theirs.keys()
    assert losses(compiled)[10]["loss"] == pytest.approx(losses(plain)[10]["loss"], rel=1e-3)


@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_a_gradient_penalty_bypasses_the_compiled_network(store):
    plan = recipe(gan={"kind": "wasserstein", "discriminator": "srgan"})
    state = begin(plan, EXACT)
    begin_gan(state, plan)
    state.discriminator.compile(backend="aot_eager")  # needs no C++ compiler
    batch = draw_batch(read_store(store).split("train"), plan, 0, EXACT, plan.gan)
    assert torch.isfinite(gan_step(state, plan, batch, None)["discriminator"])


def test_a_device_that_is_not_there_gets_a_sentence(store, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(EngineMissing, match=r"no device cuda .* --device cpu"):
        train(recipe(), [store], tmp_path / "run", accelerator=Accelerator(device="cuda"))


def test_a_profile_times_both_stages_beside_their_networks_and_keeps_nothing(store, tmp_path):
    speeds = profile(recipe(), Inputs(data=[store], stores=tmp_path / "stores"), steps=1)
    assert [speed.stage for speed in speeds] == ["pixel", "gan"]
    assert all(0 < speed.loop < 1.5 * speed.bare for speed in speeds)
    assert not list(tmp_path.iterdir())


def test_a_profile_leaves_out_a_stage_that_has_no_steps(store, tmp_path):
    thirds = replace(EXACT, accumulate=3)
    first = recipe(pixel={"batch": 6}, gan={"steps": 0})  # whose batch of 8 cannot be cut into 3
    second = recipe(pixel={"steps": 0}, gan={"batch": 6})
    for plan, stage in ((first, "pixel"), (second, "gan")):
        assert [
            speed.stage for speed in profile(plan, Inputs(data=[store], stores=tmp_path), accelerator=thirds, steps=1)
        ] == [stage]
