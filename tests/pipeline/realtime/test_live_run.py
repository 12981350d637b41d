"""Whole runs in real time: streams that come frame by frame, engines and encoders that slow down, bursts."""

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.notices import Notices
from tests.video.videos import make_video
from vidsr.context import Code, Context
from vidsr.errors import WrongOption
from vidsr.options import EncodeOptions, RealtimeOptions, UpscaleOptions
from vidsr.pipeline.progress import Summary
from vidsr.pipeline.realtime.latency_meter import LatencyMeter
from vidsr.pipeline.realtime.rungs import Rungs
from vidsr.pipeline.realtime.stream_clock import StreamClock
from vidsr.pipeline.stages import JobOptions
from vidsr.pipeline.video import is_realtime, run_job
from vidsr.video.read.source import open_source
from vidsr.video.write.encoder import Encoder
from vidsr.zoo import lighter, shelf

RATE = 25


def run(source: Path, target: Path, *, latency: float | None = 400, model: str = "live-x2") -> tuple[Summary, Notices]:
    notices = Notices()
    options = JobOptions(
        upscale=UpscaleOptions(model),
        encode=EncodeOptions(preset="ultrafast"),
        realtime=RealtimeOptions(realtime=True, latency=latency),
    )
    return run_job(source, target, options, context=Context(notices)), notices


def video(path: Path, frames: int) -> Path:
    return make_video(path, pts=range(frames), size=(32, 24))


def fed(folder: Path, *, pause: float = 0.0) -> Path:
    """A FIFO that a video is written into at its own rate; after a pause, what was late comes at once."""
    pieces = video(folder / "a.nut", 40).read_bytes()
    fifo = folder / "live.nut"
    os.mkfifo(fifo)
    step = len(pieces) // 40

    def feed() -> None:
        with fifo.open("wb", buffering=0) as file:
            began = time.monotonic()
            for number in range(41):
                due = number / RATE
                if pause and 0.6 < due < 0.6 + pause:
                    due = 0.6 + pause
                time.sleep(max(0.0, began + due - time.monotonic()))
                file.write(pieces[number * step : (number + 1) * step if number < 40 else len(pieces)])

    threading.Thread(target=feed, daemon=True).start()
    return fifo


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
@pytest.mark.parametrize("pause", [0.0, 0.5])
def test_no_frame_of_a_stream_is_lost(tmp_path: Path, pause: float) -> None:
    summary, _ = run(fed(tmp_path, pause=pause), tmp_path / "b.mkv")
    assert summary.frames == 40
    assert summary.realtime is not None
    assert summary.realtime.dropped == 0
    assert 0 < summary.realtime.p50 <= summary.realtime.p95 <= summary.realtime.p99 <= summary.realtime.longest


def test_a_file_is_read_at_its_own_rate(tmp_path: Path) -> None:
    began = time.monotonic()
    summary, _ = run(video(tmp_path / "a.mp4", 20), tmp_path / "b.mp4")
    assert time.monotonic() - began >= 19 / RATE
    assert summary.frames == 20


def test_a_network_that_is_too_slow_gives_way_to_the_resize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Rungs.upscale

    def slow(self: Rungs, frame: Any, decision: Any) -> Any:
        if decision.share:
            time.sleep(0.3 * decision.share)
        return usual(self, frame, decision)

    monkeypatch.setattr(Rungs, "upscale", slow)
    summary, _ = run(video(tmp_path / "a.mp4", 40), tmp_path / "b.mp4")
    found = summary.realtime
    assert found is not None
    assert summary.frames == 40
    assert found.dropped == 0
    assert found.share < 0.9


def test_frames_are_dropped_and_counted_where_the_encoder_cannot_keep_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Encoder.encode

    def slow(self: Encoder, frame: Any) -> Any:
        time.sleep(0.12)
        return usual(self, frame)

    monkeypatch.setattr(Encoder, "encode", slow)
    summary, notices = run(video(tmp_path / "a.mp4", 60), tmp_path / "b.mp4", latency=300)
    found = summary.realtime
    assert found is not None
    assert found.dropped > 0
    assert summary.frames + found.dropped == 60
    assert found.longest < 2500
    assert any(Code.FRAMES in notice.codes for notice in summary.notices)
    assert notices.messages


@pytest.mark.parametrize(
    "options", [RealtimeOptions(realtime=False, latency=100), RealtimeOptions(realtime=True, latency=0)], ids=str
)
def test_a_latency_without_real_time_is_refused(tmp_path: Path, options: RealtimeOptions) -> None:
    with pytest.raises(WrongOption):
        run_job(video(tmp_path / "a.mp4", 2), tmp_path / "b.mp4", JobOptions(realtime=options))


def test_resume_and_real_time_are_refused_together(tmp_path: Path) -> None:
    options = JobOptions(realtime=RealtimeOptions(realtime=True))
    with pytest.raises(WrongOption):
        run_job(video(tmp_path / "a.mp4", 2), tmp_path / "b.mp4", options, resume=True)


def test_files_are_not_in_real_time_unless_asked(tmp_path: Path) -> None:
    with open_source(video(tmp_path / "a.mp4", 2)) as source:
        assert not is_realtime(RealtimeOptions(), source)
        assert is_realtime(RealtimeOptions(latency=100), source)
        source.name = "udp://127.0.0.1:5000"
        assert not is_realtime(RealtimeOptions(), source)  # a server's file, whose end is known
        source.info = source.info.__class__(**{**_fields(source.info), "duration": None})
        assert is_realtime(RealtimeOptions(), source)
        assert not is_realtime(RealtimeOptions(realtime=False), source)


def _fields(info: Any) -> dict[str, Any]:
    return {name: getattr(info, name) for name in info.__dataclass_fields__}


def test_the_clock_begins_anew_after_a_pause_but_not_because_we_are_late() -> None:
    clock = StreamClock()
    assert clock.arrive(0.0, 10.0, blocked=False) == (10.0, 10.0)
    assert clock.arrive(0.04, 10.04, blocked=False) == (10.04, 10.04)
    assert clock.arrive(0.08, 12.0, blocked=False) == (12.0, 12.0)  # a pause
    at, due = clock.arrive(0.12, 12.001, blocked=False)  # what had waited comes in a burst
    assert (at, round(due, 3)) == (12.001, 12.039)
    at, due = clock.arrive(0.16, 15.0, blocked=True)  # the reader was kept waiting, the frame was there before
    assert (round(at, 2), round(due, 2)) == (12.08, 12.08)
    assert clock.arrive(100.0, 16.0, blocked=False) == (16.0, 16.0)  # a jump


def test_a_pipe_that_is_faster_than_its_clock_is_paced_after_a_while() -> None:
    clock = StreamClock()
    for number in range(200):
        now = 0.03 * number  # while it has a frame for every 0.04 s
        clock.arrive(0.04 * number, now, blocked=number > 5)
    assert clock.is_ahead(8.0, 6.0)
    assert clock.wait(8.0, 6.0) == pytest.approx(2.0, abs=0.05)


def test_the_meter_reports_percentiles_and_fits_into_json() -> None:
    meter = LatencyMeter(0.1)
    for number in range(100):
        meter.took("a" if number < 50 else "resize", number < 50, number / 10)
        meter.left(number / 1000)
    report = meter.report()
    assert (report.p50, report.p95, report.p99, report.longest) == (49.2, 94.2, 98.2, 99.0)
    assert report.share == 0.5
    assert report.rungs == {"a": 4.9, "resize": 5.0}
    assert json.dumps(report.rungs)


def test_the_shelf_has_a_lighter_network_of_the_same_scale() -> None:
    cards = {card.name: card for _, card in shelf()}
    assert [path.stem for path in lighter(cards["fast-x4"])] == ["live-x4"]
    assert lighter(cards["live-x4"]) == []
