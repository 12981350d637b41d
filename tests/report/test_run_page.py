import json
import re

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="reports need vidsr[evaluate]")

from tests.browser import opened
from tests.report.runs import BICUBIC, write_recipe, write_run, write_weights
from vidsr.io.atomic import write_atomically
from vidsr.report import run_page as report
from vidsr.report.history import History
from vidsr.report.run_page import report_run
from vidsr.report.store_page import flatten
from vidsr.report.training_curves import POINTS, draw_losses, draw_metrics
from vidsr.runs import Run, append_log


def text(html: str) -> str:
    """What a reader sees of a page, charts left out."""
    return re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<style.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL))


def drawn(figure) -> dict[str, dict[str, tuple[list[float], list[float]]]]:
    """The named lines of each chart by its title."""
    return {
        axes.get_title(loc="left"): {
            line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
            for line in axes.lines
            if not str(line.get_label()).startswith("_")
        }
        for axes in figure.axes
        if axes.get_title(loc="left")
    }


def test_a_browser_shows_every_image_without_errors(tmp_path):
    page = tmp_path / "run.html"
    page.write_text(report_run(write_run(tmp_path / "run")), encoding="utf-8")
    shown = opened(page)
    assert (shown.console, shown.pictures, shown.broken) == ([], 2 + report.GRIDS, 0)


def test_a_report_states_progress_result_and_recipe(tmp_path):
    said = text(report_run(write_run(tmp_path / "run")))
    for part in (
        "Run mine &amp; yours",
        "Step 3,000 of 3,000 (2,000 of stage pixel and 1,000 of stage gan).",
        "bicubic weights kept over bicubic PSNR-Y, clean 26.50 31.00 +4.50 SSIM-Y, clean 0.7000 0.7800 +0.0800",
        "Gradient sharpness, clean 0.5000 0.8000 - ",
        "6 of 12 grids",
        "Stages: pixel, gan.",
        "channels RGB",
        "parameters 1,234",
        "licence CC0",
        "degradation.crf 14 to 40",
        "degradation.codecs x264, x265, av1",
        "gan.rate 0.0001",
    ):
        assert part in said, part
    assert "resumes it" not in said


def test_the_same_run_gives_the_same_report(tmp_path):
    run = write_run(tmp_path / "run", until=500)
    assert report_run(run) == report_run(run)


def test_weights_of_an_earlier_validation_stand_beside_the_last(tmp_path):
    run = write_run(tmp_path / "run", until=500, grids=False)
    write_weights(run, {"psnr_clean": 30.25, **BICUBIC})
    assert "weights kept over bicubic at step 500 over bicubic PSNR-Y, clean 26.50 30.25 +3.75 28.50 +2.00" in text(
        report_run(run)
    )


def test_of_many_grids_the_first_the_last_and_some_between_are_shown(tmp_path):
    html = report_run(write_run(tmp_path / "run"))
    shown = [int(step.replace(",", "")) for step in re.findall(r"<figcaption>Step ([\d,]+)<", html)]
    assert len(shown) == report.GRIDS and shown == sorted(shown) and (shown[0], shown[-1]) == (250, 3000)


def test_a_run_that_has_just_begun_says_what_is_still_to_come(tmp_path):
    said = text(report_run(write_recipe(tmp_path)))
    for part in (
        "the run has just begun",
        "The run has no weights yet",
        "Nothing was measured yet",
        "has no sample grids",
        "No loss is logged yet",
        "The run has no weights with a card.",
        "pixel.steps 2000",
    ):
        assert part in said, part


def test_a_stopped_run_says_where_and_how_to_go_on(tmp_path):
    said = text(report_run(write_run(tmp_path / "run", until=120, grids=False)))
    assert "Step 120 of 3,000" in said and "'vidsr train' with --run run resumes it" in said.replace("&#x27;", "'")
    assert "Nothing was measured yet" in said and "Stages: pixel." in said


def test_a_log_alone_makes_a_report_under_the_folders_name(tmp_path):
    run = Run(tmp_path / "lost")
    run.folder.mkdir()
    append_log(run, {"step": 100, "loss": 0.1, "rate": 1e-3})
    said = text(report_run(run))
    assert "Run lost" in said and "Step 100." in said and "has no readable recipe" in said


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]"])
def test_damaged_parts_are_reported_and_leave_the_rest(tmp_path, content):
    run = write_run(tmp_path / "run", until=250)
    for path in (run.recipe, run.weights, run.sample(250)):
        write_atomically(path, content)
    with run.log.open("a") as file:
        file.write('{"step": 26')
    said = text(report_run(run))
    assert "has no readable recipe" in said and "The weights cannot be read" in said
    assert "0000250.png is not an image." in said and "at step 250" in said


def test_losses_are_drawn_by_stage_and_the_second_has_more_of_them(tmp_path):
    charts = drawn(draw_losses(History.of(write_run(tmp_path / "run", grids=False))))
    assert list(charts) == ["Loss", "Pixel", "Perceptual", "Adversarial", "Discriminator", "Learning rate"]
    assert charts["Loss"].keys() == {"pixel", "gan"} and charts["Perceptual"].keys() == {"gan"}
    assert max(charts["Loss"]["pixel"][0]) <= 2000 < min(charts["Loss"]["gan"][0])
    assert charts["Discriminator"]["gan"][1] == pytest.approx([0.6] * 10)


def test_the_stages_are_marked_on_every_chart_that_spans_both(tmp_path):
    history = History.of(write_run(tmp_path / "run", grids=False))
    assert history.stages == {"pixel": 0, "gan": 2000}
    marked = {axes.get_title(loc="left"): [text.get_text().strip() for text in axes.texts] for axes in axes_of(history)}
    both, second = ["pixel", "gan"], []
    assert marked == {
        "PSNR-Y, clean": both,
        "SSIM-Y, clean": both,
        "Gradient sharpness, clean": both,
        "Loss": both,
        "Learning rate": both,
        **dict.fromkeys(("Pixel", "Perceptual", "Adversarial", "Discriminator"), second),
    }


def axes_of(history):
    charts = [axes for figure in (draw_losses(history), draw_metrics(history)) for axes in figure.axes]
    return [axes for axes in charts if axes.get_title(loc="left")]


def test_a_loss_that_falls_far_has_a_logarithmic_axis_and_others_a_linear_one(tmp_path):
    run = write_recipe(tmp_path)
    for step in range(1, 31):
        append_log(run, {"step": step, "loss": 1 / step**2, "discriminator": 1 - step / 30, "rate": 1 / step**2})
    scales = {axes.get_title(loc="left"): axes.get_yscale() for axes in draw_losses(History.of(run)).axes}
    assert scales == {"Loss": "log", "Discriminator": "linear", "Learning rate": "linear", "": "linear"}


def test_many_validations_are_listed_in_few_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "ROWS", 3)
    said = text(report_run(write_run(tmp_path / "run", grids=False)))
    assert "3 of 12 validations. step PSNR-Y, clean SSIM-Y, clean Gradient sharpness, clean 250 28.25" in said
    assert " 3,000 31.00 0.7800 0.8000 " in said


def test_a_log_without_stages_is_of_the_first_and_has_no_marks(tmp_path):
    history = History.of(write_run(tmp_path / "run", until=1000, grids=False))
    assert list(history.stages) == ["pixel"]
    assert not any(axes.texts for axes in draw_losses(history).axes)


def test_validations_are_drawn_beside_bicubic(tmp_path):
    charts = drawn(draw_metrics(History.of(write_run(tmp_path / "run", until=500, grids=False))))
    assert list(charts) == ["PSNR-Y, clean", "SSIM-Y, clean", "Gradient sharpness, clean"]
    psnr = charts["PSNR-Y, clean"]
    assert psnr["ours"] == ([250, 500], [28.25, 28.5]) and psnr["bicubic"] == ([250, 500], [26.5, 26.5])
    assert "truth" in charts["Gradient sharpness, clean"]


def test_values_that_are_not_finite_are_left_out_of_the_curves(tmp_path):
    run = write_recipe(tmp_path)
    for step, loss in enumerate((0.5, float("nan"), float("inf"), 0.25, None), start=1):
        append_log(run, {"step": step, "loss": loss, "skipped": True})
    history = History.of(run)
    assert history.loss_names() == ["loss"]
    assert drawn(draw_losses(history))["Loss"]["pixel"] == ([1, 4], [0.5, 0.25])


def test_a_long_run_is_drawn_in_as_few_points_as_can_be_told_apart(tmp_path):
    run = write_recipe(tmp_path)
    run.log.write_text("".join(json.dumps({"step": s, "loss": 1.0, "rate": 1.0}) + "\n" for s in range(1, 20_001)))
    for axes in draw_losses(History.of(run)).axes:
        assert all(len(line.get_xdata()) <= POINTS for line in axes.lines)
        assert np.concatenate([line.get_ydata() for line in axes.lines]) == pytest.approx(1)


def test_settings_are_listed_with_the_tables_they_stand_in():
    assert list(flatten({"a": 1, "b": {"c": [1, 2], "d": {"e": ["x", "y"]}, "f": [1, 2, 3], "g": {}}})) == [
        ["a", "1"],
        ["b.c", "1 to 2"],
        ["b.d.e", "x, y"],
        ["b.f", "1, 2, 3"],
    ]
