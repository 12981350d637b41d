import json
import os
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from tests.train.stores import losses, make_store, train
from vidsr.errors import DataError, Diverged, RecipeError
from vidsr.runs import RENAMED, Run, read_log, read_weights, renamed
from vidsr.train import loop, run_writer
from vidsr.train.devices import Accelerator
from vidsr.train.losses.adversarial import ADVERSARIAL
from vidsr.train.recipe_file import parse_recipe
from vidsr.train.state import begin, begin_gan
from vidsr.train.steps import gan_step

NET = {"kind": "srresnet", "scale": 2, "width": 8, "blocks": 1}
STEPS = 20
PIXEL = {"steps": 20, "batch": 4, "warmup": 5, "validate_every": 20}


def recipe(net=NET, **gan):
    gan = {"steps": 40, "batch": 4, "discriminator_width": 8, "validate_every": 20, "adversarial": 0.01, **gan}
    data = {"side": 16, "frames": gan.get("window", 1)}
    return parse_recipe({"name": "tiny", "net": net, "data": data, "pixel": PIXEL, "gan": gan})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("colour"))


@pytest.fixture(scope="module")
def runs_of_three(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("frames"), frames=3)


@pytest.fixture
def each_step(monkeypatch):
    monkeypatch.setattr(run_writer, "LOG_EVERY", 1)


@pytest.mark.parametrize("kind", sorted(ADVERSARIAL))
@pytest.mark.parametrize("discriminator", ["unet", "srgan"])
def test_every_kind_of_gan_runs_some_steps_with_finite_losses(store, tmp_path, each_step, kind, discriminator):
    plan = recipe(steps=STEPS, kind=kind, discriminator=discriminator, validate_every=25)
    run = train(plan, [store], tmp_path / "run")
    logged = losses(run)
    assert len(logged) == 20 + STEPS
    assert {"loss", "pixel", "adversarial", "discriminator", "rate"} <= logged[40].keys()
    assert run.sampled() == [20, 25, 40]
    assert all(torch.isfinite(torch.tensor([v for k, v in e.items() if k != "stage"])).all() for e in logged.values())


@pytest.mark.parametrize("loss", ["features", "fft", "artifact", "grid"])
def test_every_further_loss_runs_some_steps_and_is_logged_by_its_name(store, tmp_path, each_step, loss):
    run = train(recipe(steps=STEPS, validate_every=STEPS, **{loss: 0.1}), [store], tmp_path / "run")
    values = [entry[loss] for entry in losses(run).values() if entry["stage"] == "gan"]
    assert len(values) == STEPS
    assert all(0 <= value < 10 for value in values)


@pytest.mark.parametrize("loss", ["mse", "charbonnier"])
def test_every_pixel_loss_runs_some_steps_of_both_stages(store, tmp_path, each_step, loss):
    tables = json.loads(recipe(steps=STEPS, validate_every=STEPS, loss=loss).to_json())
    tables["pixel"] |= {"steps": STEPS, "validate_every": STEPS, "loss": loss}
    logged = losses(train(parse_recipe(tables), [store], tmp_path / "run"))
    assert len(logged) == 2 * STEPS
    assert all(0 <= entry["loss"] < 10 for entry in logged.values())


def test_vgg19s_features_run_some_steps(store, tmp_path, each_step):
    if "VIDSR_DATA" not in os.environ:
        pytest.skip("VIDSR_DATA is not set: VGG19's weights are there")
    (weights,) = (Path(os.environ["VIDSR_DATA"]) / "features").glob("vgg19*.pth")
    plan = recipe(steps=STEPS, validate_every=STEPS, perceptual=0.006, layer="relu3_1", distance="mse")
    run = train(plan, [store], tmp_path / "run", vgg=weights)
    values = [entry["perceptual"] for entry in losses(run).values() if entry["stage"] == "gan"]
    assert len(values) == STEPS
    assert all(0 < value < 10 for value in values)


def test_flicker_and_a_discriminator_of_three_frames_run_on_pairs_of_three_frames(runs_of_three, tmp_path, each_step):
    run = train(recipe(steps=STEPS, flicker=0.1, window=3), [runs_of_three], tmp_path / "run")
    values = [entry["flicker"] for entry in losses(run).values() if entry["stage"] == "gan"]
    assert len(values) == STEPS
    assert all(0 <= value < 10 for value in values)
    assert begun(recipe(window=3)).discriminator.head.in_channels == 9


def test_a_discriminator_of_three_frames_refuses_pairs_of_one(store, tmp_path):
    with pytest.raises(RecipeError, match=r"gan\.window 1 or 3 and at most data\.frames"):
        parse_recipe({"name": "t", "net": NET, "gan": {"window": 3, "steps": 1}})
    wanted = parse_recipe({"name": "t", "net": NET, "data": {"frames": 3}, "gan": {"window": 3, "steps": 1}})
    with pytest.raises(DataError, match=r"1 frames; .* at least 3 frames"):
        train(wanted, [store], tmp_path / "run")


def begun(plan):
    state = begin(plan, Accelerator())
    begin_gan(state, plan)
    return state


def test_the_second_stage_starts_from_the_average_of_the_first_and_keeps_it(store, tmp_path):
    first = train(recipe(steps=0), [store], tmp_path / "first")
    both = train(recipe(steps=1, rate=1e-12, validate_every=1), [store], tmp_path / "both")
    kept, card, _ = read_weights(both.pixel)
    assert card.recipe.endswith("20 steps")
    torch.testing.assert_close(kept, read_weights(first.weights)[0])
    moved = read_weights(both.folder)[0]
    torch.testing.assert_close({k: v for k, v in moved.items() if "running" not in k and "num" not in k},
                               {k: v for k, v in kept.items() if "running" not in k and "num" not in k})  # fmt: skip


OFTEN_VALIDATED = parse_recipe(
    json.loads(recipe(steps=20, validate_every=5).to_json()) | {"pixel": {**PIXEL, "validate_every": 5}}
)


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    """The losses of every step of a run that is not interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_writer, "LOG_EVERY", 1)
        return losses(train(OFTEN_VALIDATED, [store], tmp_path_factory.mktemp("whole") / "run"))


class Stopped(Exception):
    """As a power cut would."""


def rename_to_old(run):
    """Give recipe, log and checkpoint of a run the keys that vidsr before 0.2 wrote."""
    old = {new: name for name, new in RENAMED.items()}
    saved = {old.get(key, key): value for key, value in torch.load(run.checkpoint, weights_only=True).items()}
    saved["recipe"] = json.dumps(renamed(json.loads(saved["recipe"]), old))
    torch.save(saved, run.checkpoint)
    lines = [json.dumps(renamed(line, old)) + "\n" for line in read_log(run)]
    run.log.write_text("".join(lines))
    assert "judge_width" in saved["recipe"]
    assert ("judge_adam" in saved) == any('"judge"' in line for line in lines)


@pytest.mark.parametrize(("stop", "is_old"), [(30, True), (10, True), (30, False)])
def test_a_run_resumed_in_either_stage_has_the_losses_of_an_uninterrupted_one(
    store, tmp_path, each_step, whole, stop, is_old
):
    def interrupt(line):
        if line["step"] > stop:
            raise Stopped

    with pytest.raises(Stopped):
        train(OFTEN_VALIDATED, [store], tmp_path / "run", report=interrupt)
    if is_old:
        rename_to_old(Run(tmp_path / "run"))
    resumed = train(OFTEN_VALIDATED, [store], tmp_path / "run")
    assert losses(resumed) == whole
    assert any("discriminator" in line for line in whole.values())


def test_a_loss_that_is_not_finite_stops_the_run_or_skips_the_step(store, tmp_path, monkeypatch):
    kind = ADVERSARIAL["vanilla"]
    poisoned = type(kind)(lambda ours, truth: kind.generator(ours, truth) * float("nan"), kind.discriminator)
    monkeypatch.setitem(ADVERSARIAL, "vanilla", poisoned)
    with pytest.raises(Diverged, match=r"the loss loss is nan at step 40; set gan\.rate"):
        train(recipe(), [store], tmp_path / "stops")
    text = json.loads(recipe().to_json()) | {"not_finite": "skip"}
    run = train(parse_recipe(text), [store], tmp_path / "skips")
    begun_with, ended_with = read_weights(run.pixel)[0], read_weights(run.folder)[0]
    assert all((begun_with[key] == ended_with[key]).all() for key in begun_with), "a skipped step changed the average"


@pytest.mark.parametrize("broken", ["net", "average", "discriminator"])
def test_weights_that_are_not_finite_never_replace_the_checkpoint(store, tmp_path, monkeypatch, broken):
    def breaks(state, recipe, parts, vgg):
        losses = gan_step(state, recipe, parts, vgg)
        if state.step == 39:  # as a gradient that is no number does, whose loss was one still
            next(iter(getattr(state, broken).state_dict().values())).fill_(float("nan"))
        return losses

    monkeypatch.setattr(loop, "gan_step", breaks)
    with pytest.raises(Diverged, match=r"weights are not finite at step 40; set gan\.rate below 0\.0001"):
        train(recipe(), [store], tmp_path / "run")
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 20


def test_a_skipped_loss_does_not_hide_a_discriminator_that_has_nothing_left_to_learn(
    store, tmp_path, each_step, monkeypatch
):
    def fades(state, recipe, parts, vgg):
        discriminator = torch.tensor(float("nan") if state.step == 20 else 0.0)
        return {**gan_step(state, recipe, parts, vgg), "discriminator": discriminator}

    monkeypatch.setattr(loop, "gan_step", fades)
    plan = parse_recipe(json.loads(recipe().to_json()) | {"not_finite": "skip"})
    with pytest.raises(Diverged, match=r"discriminator's loss is near 0"):
        train(plan, [store], tmp_path / "run")


def test_a_discriminator_that_has_nothing_left_to_learn_stops_the_run(store, tmp_path, monkeypatch):
    monkeypatch.setattr(run_writer, "COLLAPSED", 10.0)
    with pytest.raises(Diverged, match=r"discriminator's loss is near 0 .* set gan\.discriminator_rate below 0\.0001"):
        train(recipe(), [store], tmp_path / "run")


def test_a_perceptual_loss_needs_weights_and_says_so(store, tmp_path):
    with pytest.raises(Exception, match=r"(?i)torchvision|vgg"):
        train(recipe(perceptual=1.0), [store], tmp_path / "run")


def test_a_recipe_reads_back_whatever_its_network(store):
    for net in (NET, {"scale": 4, "channels": 3, "width": 32, "depth": 2, "residual": True}):
        plan = parse_recipe({"name": "t", "net": net})
        assert parse_recipe(json.loads(plan.to_json())) == plan
    with pytest.raises(RecipeError, match=r"unknown key net\.depth"):
        parse_recipe({"name": "t", "net": {**NET, "depth": 3}})
    with pytest.raises(RecipeError, match=r"net\.kind is 'edsr'; it must be one of compact, srresnet"):
        parse_recipe({"name": "t", "net": {"kind": "edsr", "scale": 2}})


def test_what_is_kept_of_a_gan_is_exported_with_its_card(store, tmp_path):
    from vidsr.export.to_onnx import export

    run = train(recipe(steps=2, validate_every=2), [store], tmp_path / "run")
    _, card, _ = read_weights(run.folder)
    assert (card.channels, card.scale, card.qp) == (3, 2, False)
    assert {"sharpness_clean", "bicubic_sharpness_clean"} <= card.metrics.keys()
    assert export(run.folder, tmp_path / "tiny.onnx").exists()


def test_a_gan_can_grow_from_weights_alone(store, tmp_path):
    first = train(recipe(steps=0), [store], tmp_path / "first")
    tables = json.loads(recipe(steps=2, rate=1e-12).to_json()) | {"start": str(first.weights)}
    grown = parse_recipe(tables | {"pixel": {**PIXEL, "steps": 0}})
    run = train(grown, [store], tmp_path / "grown")
    ours, theirs = read_weights(run.pixel)[0], read_weights(first.weights)[0]
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert run.sampled() == [2]
