"""What the controller decides under load, as a pure function: in simulated time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pipeline.realtime.simulation import Machine, simulate, steady

LATENCY = 0.1
SETTLES_S = 2.0


def during(begin: float, end: float, factor: float):
    return lambda now: factor if begin <= now < end else 1.0


def test_an_idle_machine_computes_everything() -> None:
    run = simulate(Machine(), steady(5))
    assert run.dropped == 0
    assert run.changes == 0
    assert run.share(1) == 1
    assert run.longest(0) < 0.05


@settings(max_examples=20, deadline=None)
@given(st.floats(1, 2.5), st.floats(0.2, 12), st.floats(0.001, 0.08), st.floats(0.001, 0.004))
def test_latency_holds_while_everything_is_slower(factor: float, lasts: float, network: float, resize: float) -> None:
    machine = Machine((network,), resize=resize, slower=during(3, 3 + lasts, factor))
    run = simulate(machine, steady(lasts + 30), latency=LATENCY)
    assert run.dropped == 0
    assert run.longest(0, 3) <= LATENCY
    assert run.longest(3 + SETTLES_S, 3 + lasts) <= LATENCY
    assert run.longest(3 + lasts + SETTLES_S) <= LATENCY
    if network <= 0.018:
        assert run.share(3 + lasts + 20) > 0.9


@settings(max_examples=20, deadline=None)
@given(st.floats(1, 2.7), st.floats(0.2, 12))
def test_an_encoder_that_slows_down_takes_its_time_from_the_network(factor: float, lasts: float) -> None:
    machine = Machine(encode=0.010, encoder_slower=during(3, 3 + lasts, factor))
    run = simulate(machine, steady(lasts + 25), latency=LATENCY)
    assert run.dropped == 0
    assert run.longest(3 + SETTLES_S) <= LATENCY
    assert run.share(3 + lasts + 17) > 0.9


@pytest.mark.parametrize("pause", [0.5, 1.0, 2.0, 3.0])
def test_a_burst_after_a_pause_is_caught_up_with(pause: float) -> None:
    times = steady(3) + [max(came, 3 + pause) for came in steady(25)[90:]]
    run = simulate(Machine(), times, latency=LATENCY)
    assert run.dropped == 0
    assert run.longest(3 + pause + SETTLES_S) <= LATENCY
    assert run.share(3 + pause + 6) > 0.9


@settings(max_examples=15, deadline=None)
@given(st.floats(0.001, 0.3), st.floats(0.001, 0.05), st.booleans(), st.floats(1, 2))
def test_rungs_do_not_oscillate(heavy: float, light: float, shares: bool, factor: float) -> None:
    """Under a constant load, a rung is tried again only after a while that doubles."""
    run = simulate(Machine((heavy, light), shares, slower=lambda _: factor), steady(60), latency=LATENCY)
    assert run.dropped == 0
    assert run.longest(SETTLES_S) <= LATENCY
    assert run.changes <= 16


@pytest.mark.parametrize("shares", [True, False])
def test_a_lighter_network_comes_before_the_resize(shares: bool) -> None:
    run = simulate(Machine((0.4, 0.01), shares), steady(10))
    assert {each.rung for each in run.decisions[90:]} == {1}
    assert all(each.share == 1 for each in run.decisions[150:])


def test_where_even_the_resize_is_too_slow_frames_are_dropped_and_the_rest_is_in_time() -> None:
    run = simulate(Machine(resize=0.050), steady(20), latency=LATENCY)
    assert 0.3 < run.dropped / len(run.decisions) < 0.5  # 20 of 30 frames can be made
    assert run.longest(4) <= LATENCY + 0.06
    assert run.longest(0) <= LATENCY + 1.2


def test_frames_are_dropped_only_while_it_is_too_slow() -> None:
    run = simulate(Machine(slower=during(3, 8, 9)), steady(40), latency=LATENCY)
    assert run.dropped
    assert not any(each.drop for each in run.decisions[30 * 10 :])
    assert run.longest(10) <= LATENCY
    assert run.share(30) > 0.9


def test_a_tight_latency_leaves_the_network_less() -> None:
    wide, tight = (simulate(Machine(), steady(5), latency=latency) for latency in (0.1, 0.030))
    assert tight.longest(2) <= 0.030
    assert tight.share(2) < wide.share(2)


def test_a_network_that_was_measured_at_a_bad_moment_is_used_after_all() -> None:
    run = simulate(Machine(slower=lambda now: 1.0, started_slower=30.0), steady(12))
    assert run.dropped == 0
    assert run.share(9) > 0.9
