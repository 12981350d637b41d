"""The stages between source and sink: order, errors, closing, and nothing that hangs."""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsr.color import ColorSpec
from vidsr.frames import Carried, Frame
from vidsr.pipeline import stages
from vidsr.pipeline.stages import upscale, watch_delay
from vidsr.prefetch import prefetch

GRAY = ColorSpec(1, full_range=False, subsampling=(0, 0))


def a_frame(pts: int) -> Frame:
    return Frame((np.full((2, 2), pts % 256, np.uint8),), GRAY, pts=pts)


def in_time(work: Callable[[], object], *, seconds: float = 5.0) -> object:
    """Run in a thread and fail, rather than hang, where it does not end."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(timeout=seconds)


class Recorder:
    """A generator that tells how far it was asked, and whether it was closed."""

    def __init__(self, count: int, error: Exception | None = None) -> None:
        self.count, self.error, self.asked, self.closed = count, error, 0, False

    def items(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                self.asked += 1
                yield number
            if self.error:
                raise self.error
        finally:
            self.closed = True


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers()), st.integers(1, 5))
def test_prefetch_gives_every_item_in_order(items: list[int], depth: int) -> None:
    assert list(prefetch(items, depth=depth)) == items


def test_prefetch_runs_in_another_thread() -> None:
    assert list(prefetch((threading.get_ident() for _ in range(1)), depth=1)) != [threading.get_ident()]


def test_prefetch_stays_within_its_depth() -> None:
    source = Recorder(100)
    ahead = prefetch(source.items(), depth=3)
    next(ahead)
    time.sleep(0.1)
    assert source.asked <= 1 + 3 + 1  # taken, waiting, and one in the thread's hand
    ahead.close()


def test_prefetch_raises_an_error_after_the_items_before_it() -> None:
    ahead = prefetch(Recorder(2, OSError("the cable was pulled")).items(), depth=8)
    assert [next(ahead), next(ahead)] == [0, 1]
    with pytest.raises(OSError, match="the cable was pulled"):
        next(ahead)


def test_closing_a_chain_of_stages_closes_the_first_and_leaves_no_thread() -> None:
    source = Recorder(1000)
    before = threading.active_count()
    last = prefetch(upscale_numbers(prefetch(source.items(), depth=1)), depth=1)
    assert next(last) == 0
    in_time(last.close)
    assert source.closed
    assert threading.active_count() == before


def upscale_numbers(items: Generator[int, None, None]) -> Iterator[int]:
    try:
        yield from items
    finally:
        items.close()


def test_closing_before_the_first_item_starts_no_thread() -> None:
    before = threading.active_count()
    ahead = prefetch(Recorder(3).items(), depth=1)
    assert threading.active_count() == before
    in_time(ahead.close)


def test_a_consumer_that_fails_does_not_hang_on_a_full_queue() -> None:
    source = Recorder(1000)

    def consume() -> None:
        for number in prefetch(source.items(), depth=1):
            if number == 3:
                raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        in_time(consume)


class Later:
    """An upscaler whose results come when they are asked for, and that counts what it holds."""

    def __init__(self, in_flight: int, computed: list[Frame] | None = None) -> None:
        self.in_flight, self.under_way, self.most = in_flight, 0, 0
        self.computed = [] if computed is None else computed

    def submit(self, frame: Frame) -> Future[Frame]:
        self.computed.append(frame)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        later = self

        class Result(Future[Frame]):
            def result(self, timeout: float | None = None) -> Frame:
                later.under_way -= 1
                return frame

        return Result()


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=20), st.integers(1, 4))
def test_upscale_keeps_the_order_of_frames_and_packets(kinds: list[bool], in_flight: int) -> None:
    stream = [a_frame(n) if is_frame else Carried(1, n) for n, is_frame in enumerate(kinds)]
    upscaler = Later(in_flight)
    assert list(upscale(stream, upscaler)) == stream
    assert upscaler.most <= in_flight


def test_a_live_frame_never_waits_for_the_next() -> None:
    def stream() -> Iterator[Frame]:
        yield a_frame(0)
        pytest.fail("the next frame was asked for before the first was given")

    assert next(upscale(stream(), Later(1))).pts == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["frame", "packet"]), st.integers(0, 1)), max_size=20), st.integers(1, 4))
def test_a_repeated_picture_takes_its_turn_and_is_not_computed_again(
    kinds: list[tuple[str, int]], in_flight: int
) -> None:
    stream = [
        replace(a_frame(level), pts=n, av_frame=n) if kind == "frame" else Carried(1, n)
        for n, (kind, level) in enumerate(kinds)
    ]
    computed, reused = [], []
    upscaler = Later(in_flight, computed)
    out = list(upscale(stream, upscaler, reused=lambda: reused.append(1)))
    levels = [item.planes[0][0, 0] for item in stream if isinstance(item, Frame)]
    changes = [level for n, level in enumerate(levels) if n == 0 or level != levels[n - 1]]
    assert [frame.planes[0][0, 0] for frame in computed] == changes
    assert len(reused) == len(levels) - len(changes)
    assert [plain(item) for item in out] == [plain(item) for item in stream]


def plain(item: Frame | Carried) -> object:
    """What of an item can be held against another's."""
    return (item.pts, item.av_frame, item.planes[0][0, 0]) if isinstance(item, Frame) else item


@pytest.mark.parametrize("change", [{"qp": 30.0}, {"bits": 10}, {"alpha": np.zeros((2, 2), np.uint8)}])
def test_the_same_samples_that_would_be_enlarged_otherwise_are_computed(change: dict[str, Any]) -> None:
    computed: list[Frame] = []
    stream = [a_frame(0), replace(a_frame(0), pts=1, **change)]
    list(upscale(stream, Later(2, computed)))
    assert len(computed) == 2


def test_a_still_film_is_given_out_as_it_comes() -> None:
    asked = 0

    def stream() -> Iterator[Frame]:
        nonlocal asked
        for n in range(100):
            asked += 1
            yield replace(a_frame(0), pts=n)

    out = upscale(stream(), Later(2))
    next(out)
    assert asked <= 2


def test_a_packet_before_any_frame_goes_straight_through() -> None:
    def stream() -> Iterator[Frame | Carried]:
        yield Carried(1, "sound")
        pytest.fail("a packet waited for a frame it did not follow")

    assert next(upscale(stream(), Later(4))) == Carried(1, "sound")


def test_a_packet_waits_behind_the_frame_it_followed() -> None:
    stream = [a_frame(0), Carried(1, "a"), a_frame(1), a_frame(2)]
    out = upscale(stream, Later(3))
    assert [next(out), next(out)] == stream[:2]


def test_closing_upscale_drops_what_is_held_back_and_closes_its_stream() -> None:
    closed = []

    def stream() -> Iterator[Frame]:
        try:
            yield from (a_frame(n) for n in range(9))
        finally:
            closed.append(True)

    out = upscale(stream(), Later(2))
    next(out)
    out.close()
    assert closed == [True]


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stages, "time", clock)
    return clock


def lags(clock: Clock, *, arrives: Callable[[int], float], takes: float, seconds: int) -> list[float]:
    """What `watch_delay` tells of a stream of 25 frames a second; arrives: seconds a frame is waited for."""
    told: list[float] = []

    def stream() -> Iterator[Frame]:
        for number in range(25 * seconds):
            clock.now += arrives(number)
            yield a_frame(number)

    for _ in watch_delay(stream(), told.append):
        clock.now += takes
    return told


def test_a_run_that_keeps_up_says_nothing(clock: Clock) -> None:
    assert lags(clock, arrives=lambda _: 0.03, takes=0.01, seconds=60) == []


def test_a_stream_that_pauses_is_not_our_delay(clock: Clock) -> None:
    assert lags(clock, arrives=lambda n: 5.0 if n % 25 == 0 else 0.04, takes=0.0, seconds=10) == []


def test_a_run_that_falls_behind_says_so_and_then_only_now_and_then(clock: Clock) -> None:
    told = lags(clock, arrives=lambda _: 0.0, takes=0.08, seconds=40)  # 80 s for 40
    assert told == pytest.approx([1.0, 16.0, 31.0], abs=0.1)


def test_a_delay_that_is_caught_up_is_forgotten(clock: Clock) -> None:
    assert lags(clock, arrives=lambda n: 0.9 if n == 0 else 0.0, takes=0.02, seconds=10) == []
