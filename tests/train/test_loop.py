import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from tests.data.drawings import draw_photo, draw_video, texture
from tests.train.stores import train
from vidsr.data.degradation import Degradation
from vidsr.data.prepare import prepare
from vidsr.data.store import StoreSettings
from vidsr.errors import CheckpointError, DataError, Diverged, RecipeError
from vidsr.runs import Run, read_log, read_weights
from vidsr.train.config import Int8Stage, PixelStage
from vidsr.train.loop import schedule
from vidsr.train.recipe_file import parse_recipe
from vidsr.train.validate import pairs_of_folder

STEPS = 200


def recipe(**pixel):
    return parse_recipe(
        {
            "name": "tiny",
            "net": {"scale": 2, "width": 4, "depth": 1},
            "data": {"patches": 320, "side": 16},
            "degradation": {"av1": 0.0},
            "pixel": {"steps": STEPS, "batch": 4, "warmup": 20, "validate_every": 100, "fft": 0.05, **pixel},
        }
    )


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(2):
        draw_photo(folder / f"{i}.png", seed=i)
    return folder


def run(photos, folder, **options):
    return train(options.pop("recipe", recipe()), [photos], folder, stores=photos.parent / "stores", **options)


def losses(done: Run):
    return {entry["step"]: entry["loss"] for entry in read_log(done) if "loss" in entry}


@pytest.fixture(scope="module")
def whole(photos, tmp_path_factory):
    return run(photos, tmp_path_factory.mktemp("runs") / "whole", validation=photos)


class Stopped(Exception):
    """As a power cut would."""


def test_a_resumed_run_has_the_losses_and_the_weights_of_an_uninterrupted_one(photos, whole, tmp_path):
    def stop(line):
        if line["step"] == STEPS and "loss" in line:
            raise Stopped

    folder = tmp_path / "run"
    with pytest.raises(Stopped):
        run(photos, folder, validation=photos, report=stop)
    resumed = run(photos, folder, validation=photos)
    assert losses(resumed) == losses(whole)
    ours, theirs = (torch.load(r.checkpoint, weights_only=True) for r in (resumed, whole))
    assert ours["step"] == theirs["step"] == STEPS
    for name, tensor in theirs["average"].items():
        assert torch.equal(ours["average"][name], tensor)


def with_int8(**stage):
    return replace(recipe(), int8=Int8Stage(**{"steps": 60, "batch": 4, "warmup": 5, "validate_every": 30, **stage}))


def test_the_last_stage_gives_in_int8_nearly_what_the_network_gave(photos, whole, tmp_path):
    start = replace(with_int8(), start=str(whole.weights), pixel=PixelStage(steps=0))
    done = run(photos, tmp_path / "run", recipe=start, validation=photos)
    before = [line for line in read_log(whole) if "psnr_clean" in line][-1]
    after = [line for line in read_log(done) if "psnr_clean" in line][-1]
    assert after["stage"] == "int8"
    assert after["psnr_clean"] == pytest.approx(before["psnr_clean"], abs=0.2)
    assert json.loads(read_weights(done.int8)[2])["net"]["int8"] is True
    assert not done.weights.exists()  # of stages before


def test_a_run_resumed_in_its_last_stage_ends_with_the_same_weights(photos, tmp_path):
    def stop(line):
        if line["step"] == STEPS + 60 and "psnr_clean" in line:
            raise Stopped

    with pytest.raises(Stopped):
        run(photos, tmp_path / "stopped", recipe=with_int8(), validation=photos, report=stop)
    resumed = run(photos, tmp_path / "stopped", recipe=with_int8(), validation=photos)
    at_once = run(photos, tmp_path / "whole", recipe=with_int8(), validation=photos)
    ours, theirs = (read_weights(each.int8)[0] for each in (resumed, at_once))
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_training_beats_where_it_started_and_validates_beside_bicubic(whole):
    validations = [entry for entry in read_log(whole) if "psnr_clean" in entry]
    assert [entry["step"] for entry in validations] == [100, 200]
    assert validations[-1]["psnr_clean"] > 20
    assert {"ssim_clean", "bicubic_psnr_clean", "psnr_coded", "bicubic_ssim_coded"} <= validations[-1].keys()


def test_the_best_weights_carry_card_and_recipe(whole):
    _, card, text = read_weights(whole.folder)
    assert (card.name, card.scale, card.channels, card.receptive_field) == ("tiny", 2, 1, 3)
    assert json.loads(text) == json.loads(whole.recipe.read_text()) == json.loads(recipe().to_json())


def test_another_recipe_does_not_touch_the_run(photos, whole):
    before = whole.checkpoint.read_bytes()
    with pytest.raises(CheckpointError, match=r"holds a run of another recipe.* --set \"start=.*best\.safetensors'\""):
        run(photos, whole.folder, recipe=recipe(rate=0.5))
    assert whole.checkpoint.read_bytes() == before


def test_a_damaged_checkpoint_gets_a_sentence(photos, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="cannot be read"):
        run(photos, tmp_path)


@pytest.mark.parametrize("lacking", ["recipe", "net", "adam", "step"])
def test_a_checkpoint_that_lacks_something_gets_the_same_sentence(photos, whole, tmp_path, lacking):
    saved = torch.load(whole.checkpoint, weights_only=True)
    del saved[lacking]
    torch.save(saved, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match=r"cannot be read .*; delete it to start anew"):
        run(photos, tmp_path)


def test_a_checkpoint_of_another_kind_gets_the_same_sentence(photos, tmp_path):
    torch.save(torch.zeros(3), tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="cannot be read"):
        run(photos, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run_before_a_checkpoint(photos, tmp_path):
    with pytest.raises(Diverged, match=r"set pixel\.rate below 1e\+30"):
        run(photos, tmp_path / "wild", recipe=recipe(rate=1e30, warmup=1, clip=1e30, validate_every=10))
    assert not Run(tmp_path / "wild").weights.exists()
    assert not Run(tmp_path / "wild").checkpoint.exists()


def test_weights_of_another_run_can_be_the_start(photos, whole, tmp_path):
    text = json.loads(recipe(steps=1, validate_every=1, warmup=0, rate=1e-12).to_json())
    run(photos, tmp_path / "next", recipe=parse_recipe({**text, "start": str(whole.weights)}))
    ours, theirs = read_weights(tmp_path / "next")[0], read_weights(whole.folder)[0]
    assert all(abs(ours[name] - theirs[name]).max() < 1e-6 for name in theirs)


def test_a_run_goes_on_though_the_weights_it_started_from_are_gone(photos, whole, tmp_path):
    start = tmp_path / "start.safetensors"
    start.write_bytes(whole.weights.read_bytes())
    plan = parse_recipe({**json.loads(recipe(steps=2, validate_every=1).to_json()), "start": str(start)})
    first = run(photos, tmp_path / "next", recipe=plan).weights.read_bytes()
    start.unlink()
    assert run(photos, tmp_path / "next", recipe=plan).weights.read_bytes() == first


def test_a_start_that_fits_nowhere_is_refused(photos, whole, tmp_path):
    text = json.loads(recipe().to_json())
    other = parse_recipe({**text, "net": {"scale": 3, "width": 8, "qp": False}, "start": str(whole.weights)})
    with pytest.raises(RecipeError, match="none of its layers fits"):
        run(photos, tmp_path / "other", recipe=other)


def test_the_rate_warms_up_and_falls_to_a_thousandth():
    plan = recipe().pixel
    assert schedule(plan, 0) == pytest.approx(1 / 20)
    assert schedule(plan, 20) == pytest.approx(1.0)
    assert schedule(plan, STEPS) == pytest.approx(0.001)


def test_a_ready_store_is_learnt_from_and_said_in_the_recipe(photos, tmp_path):
    draw_photo(tmp_path / "more" / "b.png", seed=7)
    degradation = Degradation(coded=0.25)
    store = prepare(
        [photos, tmp_path / "more"],
        tmp_path / "store",
        StoreSettings(scale=2, pairs=64, side=20, degradation=degradation),
    )
    short = recipe(steps=2, validate_every=1)
    done = train(short, [store.folder], tmp_path / "run")
    said = json.loads(done.recipe.read_text())
    assert said["data"] == {"patches": 64, "side": 20, "frames": 1}
    assert said["degradation"]["coded"] == 0.25
    assert any("psnr_clean" in entry or "psnr_coded" in entry for entry in read_log(done))


def test_a_store_of_another_scale_is_refused(photos, tmp_path):
    store = prepare([photos], tmp_path / "store", StoreSettings(scale=4, pairs=8, side=16))
    with pytest.raises(DataError, match=r"scale 4, 1 channels .* needs scale 2"):
        train(recipe(), [store.folder], tmp_path / "run")


def test_a_single_source_needs_a_validation_folder(tmp_path):
    draw_photo(tmp_path / "photos" / "only.png")
    with pytest.raises(DataError, match=r"too few sources .* --validation"):
        run(tmp_path / "photos", tmp_path / "run")


def test_a_video_in_the_validation_folder_gives_one_image(tmp_path):
    draw_video(tmp_path / "film.mkv", (texture(48, 64, seed=i) for i in range(9)))
    draw_photo(tmp_path / "photo.png", height=40, width=40)
    pairs = pairs_of_folder(tmp_path, 2)
    assert [pair.high.shape for pair in pairs] == [(48, 64, 1)] * 2 + [(40, 40, 1)] * 2


def test_a_validation_image_that_is_too_small_is_refused_before_a_store_is_prepared(photos, tmp_path):
    draw_photo(tmp_path / "test" / "small.png", height=16, width=40)
    with pytest.raises(DataError, match=r"small\.png is too small to validate on: 40x16"):
        train(recipe(), [photos], tmp_path / "run", validation=tmp_path / "test")
    assert not (tmp_path / "stores").exists()


def test_a_store_is_trained_on_alone(photos, tmp_path):
    made = prepare([photos], tmp_path / "store", StoreSettings(scale=2, pairs=16, side=16)).folder
    with pytest.raises(DataError, match=r"store is a store; give it alone"):
        train(recipe(), [made, photos], tmp_path / "run")
