import json

import pytest

pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.errors import RecipeError
from vidsr.train.recipe_file import load_recipe, parse_recipe

LEAST = {"name": "mine", "net": {"scale": 2}}


def test_the_least_recipe_takes_every_default():
    recipe = parse_recipe(LEAST)
    assert (recipe.net.scale, recipe.net.kind, recipe.pixel.batch) == (2, "compact", 32)


@pytest.mark.parametrize("name", ["live-x2", "live-x3", "live-x4"])
def test_the_shipped_recipes_are_found_by_name(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert f"x{recipe.net.scale}" in name


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"nmae": "x"}, "unknown key nmae; known here: .*name"),
        ({"pixel": {"lr": 1.0}}, r"unknown key pixel\.lr"),
        ({"pixel": {"steps": "many"}}, r"pixel\.steps must be int, got 'many'"),
        ({"pixel": {"steps": True}}, r"pixel\.steps must be int"),
        ({"pixel": {"loss": "l3"}}, r"pixel\.loss is 'l3'; it must be one of l1, mse, charbonnier"),
        ({"pixel": 3}, "pixel must be a table"),
        ({"degradation": {"crf": [1]}}, r"degradation\.crf must be a pair"),
        ({"degradation": {"coded": 1.5}}, r"degradation: coded"),
        ({"net": {"scale": 5}}, "it must be 2, 3 or 4"),
        ({"net": {}}, r"the recipe lacks net\.scale"),
        ({"net": {"scale": 2, "head_size": 4}}, "head_size is 4; it must be odd"),
        ({"net": {"scale": 2, "columns": 4}}, "columns is 4; it must be 1 or 2"),
        ({"net": {"scale": 2, "columns": 0}}, "columns is 0; it must be 1 or 2"),
        ({"net": {"scale": 2, "columns": 2}, "data": {"side": 33}}, "side is 33; it must be a multiple of net.columns"),
        ({"data": {"patches": 0}}, r"data\.patches is 0; it must be 1 or more"),
        ({"pixel": {"batch": 0}}, r"pixel\.batch is 0"),
        ({"pixel": {"validate_every": 0}}, r"pixel\.validate_every is 0"),
        ({"gan": {"validate_every": 0}}, r"gan\.validate_every is 0"),
        ({"gan": {"discriminator_width": 0}}, r"gan\.discriminator_width is 0"),
        ({"pixel": {"steps": -1}, "gan": {"steps": 2}}, r"gan\.steps and int8\.steps must not be negative"),
        ({"gan": {"flicker": 0.1}}, r"gan\.flicker .* needs data\.frames of 3 or more"),
        ({"net": {"kind": "srresnet", "scale": 2, "width": 2}}, r"net\.width is 2; it must be 3 or more"),
        ({"net": {"scale": 2, "width": 0}}, r"net\.width is 0; it must be 1 or more"),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(change, sentence):
    with pytest.raises(RecipeError, match=sentence):
        parse_recipe({**LEAST, **change})


def test_an_unknown_recipe_lists_the_known_ones(tmp_path):
    with pytest.raises(RecipeError, match=r"no recipe nowhere: .*live-x2"):
        load_recipe("nowhere")
    (tmp_path / "bad.toml").write_text("= 3")
    with pytest.raises(RecipeError, match="is not TOML"):
        load_recipe(tmp_path / "bad.toml")


def test_a_recipe_reads_back_from_its_own_json():
    recipe = parse_recipe({**LEAST, "pixel": {"rate": 1}})
    again = parse_recipe(json.loads(recipe.to_json()))
    assert again == recipe and again.digest() == recipe.digest()


def test_two_recipes_share_a_digest_only_if_they_are_equal():
    assert parse_recipe(LEAST).digest() == parse_recipe(LEAST).digest()
    assert parse_recipe(LEAST).digest() != parse_recipe({**LEAST, "seed": 1}).digest()


def test_changes_win_over_the_recipe_and_leave_the_rest():
    plain = load_recipe("srgan-mse-x4")
    changed = load_recipe("srgan-mse-x4", ["gan.steps=7", "start = 'w.safetensors'", "gan.batch = 2"])
    assert (changed.gan.steps, changed.gan.batch, changed.start) == (7, 2, "w.safetensors")
    assert (changed.gan.discriminator, changed.pixel) == (plain.gan.discriminator, plain.pixel)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("gan.steps", r"'gan\.steps' is not a line of TOML"),
        ("pixel.loss=mse", r"'pixel\.loss=mse' is not a line of TOML .* --set \"pixel\.loss='mse'\""),
        ("gan.stops=1", r"unknown key gan\.stops"),
    ],
)
def test_a_malformed_change_is_refused(change, sentence):
    with pytest.raises(RecipeError, match=sentence):
        load_recipe("srgan-mse-x4", [change])


def test_keys_may_have_the_names_of_earlier_recipes():
    old = {
        **LEAST,
        "net": {**LEAST["net"], "quantiser": False},
        "degradation": {"worn": 0.5, "wear": [1, 2]},
        "gan": {"judge": "srgan", "judge_rate": 1e-3, "judge_steps": 2, "judge_width": 8},
    }
    new = {
        **LEAST,
        "net": {**LEAST["net"], "qp": False},
        "degradation": {"recompressed": 0.5, "recompressed_crf": [1, 2]},
        "gan": {
            "discriminator": "srgan",
            "discriminator_rate": 1e-3,
            "discriminator_steps": 2,
            "discriminator_width": 8,
        },
    }
    assert parse_recipe(old) == parse_recipe(new)
