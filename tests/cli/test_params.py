import pytest

from vidsr.cli.params import spread


def test_further_values_of_an_option_get_the_option_before_them(tmp_path):
    for name in ("a.mkv", "b.mkv", "net.onnx"):
        (tmp_path / name).touch()
    clips = [str(tmp_path / name) for name in ("a.mkv", "b.mkv")]
    net = str(tmp_path / "net.onnx")
    assert spread(["live-x2", "--videos", *clips, net, "--compress", "18", "23.5", "live-x4"]) == [
        *("live-x2", "--videos", clips[0], "--videos", clips[1], net),
        *("--compress", "18", "--compress", "23.5", "live-x4"),
    ]


@pytest.mark.parametrize("option", ["--videos", "--bandwidth"])
def test_a_clip_belongs_to_the_option_it_follows(tmp_path, option):
    (tmp_path / "a.mkv").touch()
    clip = str(tmp_path / "a.mkv")
    assert spread([option, clip, clip]) == [option, clip, option, clip]
    assert spread([f"{option}={clip}", clip]) == [f"{option}={clip}", option, clip]


def test_a_clip_that_is_not_there_is_no_model():
    assert spread(["--videos", "a.mkv", "B.MP4", "live-x2"]) == ["--videos", "a.mkv", "--videos", "B.MP4", "live-x2"]


def test_folders_are_pictures_and_names_are_models(tmp_path):
    assert spread(["--images", "x", str(tmp_path), "live-x2", str(tmp_path)]) == [
        *("--images", "x", "--images", str(tmp_path), "live-x2", str(tmp_path))
    ]


def test_every_word_behind_metrics_is_a_figure():
    assert spread(["--metrics", "ssim", "live-x2", "--json"]) == ["--metrics", "ssim", "--metrics", "live-x2", "--json"]


def test_other_options_take_one_value(tmp_path):
    words = ["--scale", "2", "18", "--frames", "3", str(tmp_path)]
    assert spread(words) == words
