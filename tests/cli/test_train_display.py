"""What `vidsr train` shows while it works."""

import io
import json

import pytest
from rich.console import Console

from vidsr.cli.train_display import MEMORY_S, Display, Pace
from vidsr.train.config import CompactConfig, GanStage, PixelStage, Recipe

RECIPE = Recipe(
    name="tiny", net=CompactConfig(scale=2), pixel=PixelStage(steps=2000, batch=32), gan=GanStage(steps=1000, batch=8)
)
STEPS = 3000
LOSSES = {"step": 1000, "stage": "pixel", "loss": 0.0123456, "rate": 5e-4}
VALIDATION = {
    "step": 1000,
    "stage": "pixel",
    "psnr_clean": 31.024,
    "bicubic_psnr_clean": 28.431,
    "ssim_clean": 0.9,
    "bicubic_ssim_clean": 0.8,
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def terminal(width: int = 100) -> tuple[Console, io.StringIO]:
    shown = io.StringIO()
    return Console(file=shown, force_terminal=True, width=width, color_system=None), shown


def train(display: Display, clock: Clock, first: int, last: int, *, seconds: float) -> None:
    """Steps from `first` to `last`, each taking so long."""
    for step in range(first, last + 1):
        clock.now += seconds
        display.show("training", step, STEPS)


def test_a_constant_speed_is_measured_exactly(clock):
    pace = Pace(clock)
    assert pace.per_second is None
    for images in range(0, 3200, 32):
        pace.update(images)
        clock.now += 0.5
    assert pace.per_second == pytest.approx(64)


def test_what_was_done_before_does_not_count_as_speed(clock):
    pace = Pace(clock)
    pace.update(10_000_000)
    assert pace.per_second is None
    clock.now += 2
    pace.update(10_000_064)
    assert pace.per_second == pytest.approx(32)


def test_a_pace_follows_what_happens_lately_without_jumping(clock):
    pace, images = Pace(clock), 0
    speeds = []
    for rate in (100, 10):
        for _ in range(int(5 * MEMORY_S)):
            pace.update(images)
            clock.now += 1
            images += rate
            speeds.append(pace.per_second)
    assert speeds[int(5 * MEMORY_S) - 1] == pytest.approx(100)
    assert speeds[int(5 * MEMORY_S) + 3] > 90, "a slow moment is not yet a slow training"
    assert speeds[-1] == pytest.approx(10, rel=0.1)


def test_on_a_terminal_the_bar_moves_with_every_step(clock):
    console, shown = terminal()
    with Display(RECIPE, console=console, clock=clock) as display:
        for step in (1, 2, 2001):
            display.show("training", step, STEPS)
            display._bars.refresh()
    for text in ("training, pixel", "1/3000", "2/3000", "training, gan", "2001/3000"):
        assert text in shown.getvalue()


def test_a_resumed_runs_first_step_does_not_count_into_the_time_left():
    console, _ = terminal()
    with Display(RECIPE, console=console) as display:
        now = [100.0]
        display._bars.get_time = lambda: now[0]
        for step in (1501, 1502, 1503, 1504):
            display.show("training", step, STEPS)
            now[0] += 2.0
        (task,) = display._bars.tasks
        assert task.speed == pytest.approx(0.5)
        assert task.time_remaining == 2 * (STEPS - 1504)


def test_beneath_the_bar_stand_losses_rate_speed_and_the_last_validation(clock):
    console, shown = terminal()
    with Display(RECIPE, console=console, clock=clock) as display:
        train(display, clock, 990, 1000, seconds=0.25)
        display.step(LOSSES)
        display.step(VALIDATION)
        display.step(LOSSES | {"step": 1100, "loss": 0.0111})
    drawn = shown.getvalue().splitlines()
    assert any(line.endswith("loss 0.0111 · rate 0.0005 · 128 images/s · 31.02 dB, bicubic 28.43") for line in drawn), (
        drawn
    )
    assert any("step 1000: PSNR-Y clean: 31.02 dB, SSIM 0.9000 (bicubic 28.43, 0.8000)" in line for line in drawn)


def test_all_losses_of_the_second_stage_find_room_on_a_narrow_terminal(clock):
    names = ("loss", "pixel", "adversarial", "features", "perceptual", "discriminator")
    console, shown = terminal(width=60)
    with Display(RECIPE, console=console, clock=clock) as display:
        train(display, clock, 2001, 2003, seconds=1)
        display.step({"step": 2100, "stage": "gan", **dict.fromkeys(names, 0.123456), "rate": 1e-4})
    end = " ".join(shown.getvalue().split())
    assert all(f"{name} 0.123" in end for name in names)
    assert "rate 0.0001 · 8.00 images/s" in end


def test_a_step_of_the_discriminator_alone_is_not_a_validation(clock):
    console, shown = terminal()
    with Display(RECIPE, console=console, clock=clock) as display:
        display.step({"step": 2100, "stage": "gan", "discriminator": 0.7, "rate": 1e-4})
    assert "discriminator 0.7 · rate 0.0001" in shown.getvalue()


def test_a_validation_of_coded_images_alone_is_shown():
    coded = {name.replace("clean", "coded"): value for name, value in VALIDATION.items()}
    console, _ = terminal()
    display = Display(RECIPE, console=console)
    display.step(coded)
    assert display.note() == "31.02 dB, bicubic 28.43"


def test_without_a_terminal_losses_are_json_with_speed_and_time_left(capsys, clock):
    with Display(RECIPE, clock=clock) as display:
        train(display, clock, 990, 1000, seconds=0.25)
        for step in (900, 1000, 1100):
            display.step(LOSSES | {"step": step})
        display.step(VALIDATION)
    captured = capsys.readouterr()
    assert captured.out == ""
    losses, validation = captured.err.splitlines()
    # 1000 steps of 32 images and 1000 of 8 are left
    assert json.loads(losses) == LOSSES | {"images_per_s": 128.0, "eta_s": round((32_000 + 8_000) / 128)}
    assert validation.startswith("step 1000: PSNR-Y clean: 31.02 dB")


def test_before_this_process_has_done_anything_its_speed_is_unknown(capsys, clock):
    with Display(RECIPE, clock=clock) as display:
        train(display, clock, 1000, 1000, seconds=0.25)
        display.step(LOSSES)
    assert json.loads(capsys.readouterr().err) == LOSSES | {"images_per_s": None, "eta_s": None}


def test_other_work_has_its_own_bar_and_does_not_count_as_speed(clock):
    console, shown = terminal()
    with Display(RECIPE, console=console, clock=clock) as display:
        for done in (0, 50, 100):
            display.show("cutting pairs", done, 100)
            clock.now += 10
        display._bars.refresh()
        assert display.note() == ""
    assert "cutting pairs" in shown.getvalue()
    assert "training" not in shown.getvalue()
