from dataclasses import asdict

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="exporting needs vidsr[train]")

from vidsr import nets
from vidsr.card import ModelCard, read_card
from vidsr.errors import CardMismatch
from vidsr.export.to_onnx import export, interpolate_weights
from vidsr.runs import Run, read_weights, write_weights
from vidsr.train.recipe_file import parse_recipe

RECIPE = parse_recipe({"name": "tiny", "net": {"kind": "srresnet", "scale": 2, "width": 8, "blocks": 1}})


def write_stage(path, seed, *, recipe=RECIPE, scale=2):
    torch.manual_seed(seed)
    net = nets.build(asdict(recipe.net))
    card = ModelCard(
        name="tiny", scale=scale, channels=3, receptive_field=11, recipe="tiny, 5 steps", metrics={"psnr_clean": 30.0}
    )
    write_weights(path, {key: tensor.numpy() for key, tensor in net.state_dict().items()}, card, recipe.to_json())


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path / "run")
    write_stage(run.pixel, 0)
    write_stage(run.weights, 1)
    return run


def test_the_ends_of_the_slider_are_the_two_stages_and_the_middle_their_mean(run):
    true, painted = read_weights(run.pixel)[0], read_weights(run.weights)[0]
    for fidelity, expected in ((1.0, true), (0.0, painted)):
        mixed, _, _ = interpolate_weights(run.folder, fidelity)
        assert all(np.array_equal(mixed[key], expected[key]) for key in expected)
    middle, card, _ = interpolate_weights(run.folder, 0.5)
    assert np.allclose(middle["tail.weight"], (true["tail.weight"] + painted["tail.weight"]) / 2)
    assert card.recipe == "tiny, 5 steps, fidelity 0.5"
    assert not card.metrics, "the figures of the GAN are not those of the mix"


def test_a_mix_is_exported_like_any_network(run, tmp_path):
    path = export(run.folder, tmp_path / "mix.onnx", fidelity=0.25, name="middle")
    card = read_card(path)
    assert (card.name, card.recipe) == ("middle", "tiny, 5 steps, fidelity 0.25")


def test_a_run_of_one_stage_has_nothing_to_mix(tmp_path):
    write_stage(Run(tmp_path / "run").weights, 0)
    with pytest.raises(CardMismatch, match=r"not a run with a stage gan"):
        export(tmp_path / "run", tmp_path / "mix.onnx", fidelity=0.5)


def test_stages_of_different_networks_are_not_mixed(run):
    other = parse_recipe({"name": "tiny", "net": {"kind": "srresnet", "scale": 2, "width": 8, "blocks": 2}})
    write_stage(run.pixel, 0, recipe=other)
    with pytest.raises(CardMismatch, match=r"have different networks"):
        interpolate_weights(run.folder, 0.5)
