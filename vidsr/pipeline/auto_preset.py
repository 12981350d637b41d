"""`--preset auto`: the slowest preset with which the whole still keeps up with the film, measured on a piece of it."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vidsr.errors import InputError, WrongOption
from vidsr.frames import Frame, VideoInfo
from vidsr.pipeline.progress import Record
from vidsr.pipeline.stages import Settings, bytes_of
from vidsr.system import cores
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler
from vidsr.video.convert.nv12 import planar
from vidsr.video.read.source import Source, open_source
from vidsr.video.write.containers import muxer_of
from vidsr.video.write.encoder_options import presets_of
from vidsr.video.write.encoder_setup import encoder_for
from vidsr.video.write.sink import open_sink

AUTO = "auto"
USUAL = "veryfast"  # tried first, and taken where there is nothing to choose
RATE = Fraction(25)  # frames a second of a film that tells none
SAMPLE_FRAMES, SAMPLE_BYTES = 16, 128 << 20  # of enlarged frames
# Of the time there is: other parts of the film may be harder, and stages get in one another's way. A file that is late
# in a hard scene makes up for it in an easy one; who watches a live stream sees it stand still.
MARGIN, LIVE_MARGIN = 0.85, 0.5


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one frame, in seconds."""

    cpu: float
    """Of all threads together."""
    wall: float

    @classmethod
    def of(cls, work: Callable[[], object], frames: int) -> "Cost":
        """Measure a piece of work."""
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        return cls((time.process_time() - cpu) / frames, (time.perf_counter() - wall) / frames)


def check_preset(preset: str, options: Mapping[str, str] | None, *, resume: bool) -> None:
    """Raise WrongOption where a job that encodes alike in every run would choose by what it measures, or where the
    encoder's own options name a preset too.
    """
    for name in ("preset", "cpu-used"):
        if preset == AUTO and options and name in options:
            raise WrongOption(
                f"--preset auto chooses what --encoder-option {name}={options[name]} sets; give one of them"
            )
    if preset == AUTO and resume:
        raise WrongOption("a job that resumes encodes alike in every run, and auto may not; name a preset")


def settled(
    video: Source,
    target: str | Path | BinaryIO,
    upscaler: Upscaler | ResizingUpscaler,
    large: VideoInfo,
    settings: Settings,
    record: Record,
    *,
    live: bool,
) -> Settings:
    """The settings with a preset, where that was left to us, and the user told which.

    It is the slowest with which decoder, network and encoder together make as many frames a second as the film has,
    live or not: what is watched while it is made never waits, and what is kept takes no longer than to watch it.
    A file is measured on a piece from its middle; of what is read only once the encoder is measured on a hard picture.
    """
    if settings.writing["preset"] != AUTO:
        return settings
    muxer = muxer_of(target, settings.writing["format"])
    codec = encoder_for(settings.writing["codec"], muxer.name)
    names = [] if muxer.image else presets_of(codec)
    if not names:
        if not muxer.image:
            record.tell(f"{codec} has no presets: auto chooses none")
        return _with(settings, preset=USUAL)
    rate = float(video.info.rate or RATE)
    count = max(4, min(SAMPLE_FRAMES, SAMPLE_BYTES // bytes_of(large)))
    frames, making = _made(video, upscaler, settings, count)

    def rate_with(name: str) -> float:
        writing = _with(settings, preset=name, codec=codec, format="matroska").writing
        encoding = Cost.of(lambda: _encode(frames, large, writing, live=live), len(frames))
        busy = (making.cpu + encoding.cpu) / cores()
        return 1 / max(busy, making.wall, encoding.wall)

    name, made = slowest(names, rate_with, rate / (LIVE_MARGIN if live else MARGIN))
    told = f"preset {name} is taken, the slowest that keeps up with {rate:.4g} frames a second"
    if made < rate:
        told = f"preset {name} is taken, and even that makes about {made:.3g} of {rate:.4g} frames a second"
    record.tell(told)
    return _with(settings, preset=name)


def slowest(names: Sequence[str], rate_with: Callable[[str], float], wanted: float) -> tuple[str, float]:
    """The last of these presets that reaches the wanted rate, or the first where none does; and the rate it reaches.

    rate_with: measures one. It goes from the usual one step by step, for those that are too slow take long.
    """
    at = names.index(USUAL)
    made = rate_with(names[at])
    while made < wanted and at > 0:
        at -= 1
        made = rate_with(names[at])
    if at < names.index(USUAL):
        return names[at], made
    while made >= wanted and at + 1 < len(names) and (slower := rate_with(names[at + 1])) >= wanted:
        at, made = at + 1, slower
    return names[at], made


def _made(
    video: Source, upscaler: Upscaler | ResizingUpscaler, settings: Settings, count: int
) -> tuple[list[Frame], Cost]:
    """So many frames to encode, and what to decode and enlarge one costs."""
    if isinstance(video.name, str | Path) and not video.live and not video.pictures:
        reading = settings.reading
        start = (reading["start"] or 0) + (video.info.duration or 0) / 3
        # There may be nothing: some files tell a length that they do not have.
        with suppress(InputError), open_source(video.name, **{**reading, "start": start, "duration": None}) as piece:
            return _enlarged(islice((item for item in piece if isinstance(item, Frame)), count), upscaler)
    # It is read once, and how it begins tells nothing of what comes: films begin in the dark.
    return _drawn(*_enlarged([video.first] * 4, upscaler), count)


def _drawn(frames: list[Frame], making: Cost, count: int) -> tuple[list[Frame], Cost]:
    """The same with a hard picture instead: texture that moves, and grain that is new in each frame."""
    rng = np.random.default_rng(0)
    like, top = planar(frames[0]), (1 << frames[0].bits) - 1
    shape = like.planes[0].shape
    texture, grain = (rng.standard_normal(shape, np.float32) * np.float32(top / share) for share in (12, 80))
    texture = texture + np.roll(texture, 1, 0) + np.roll(texture, 1, 1) + np.roll(texture, (1, 1), (0, 1))
    drawn = []
    for number in range(count):
        codes: Any = top / 2 + np.roll(texture, 3 * number, 1) + np.roll(grain, 97 * number, 0)
        luma = codes.clip(0, top).astype(like.planes[0].dtype)
        drawn.append(replace(like, planes=(luma, *like.planes[1:]), pts=number * (like.duration or 1), av_frame=None))
    return drawn, making


def _enlarged(frames: Iterable[Frame], upscaler: Upscaler | ResizingUpscaler) -> tuple[list[Frame], Cost]:
    larger: list[Frame] = []

    def enlarge(some: Iterable[Frame]) -> None:
        larger.extend(upscaler.submit(frame).result() for frame in some)

    waiting = iter(frames)
    enlarge(islice(waiting, 1))  # the network is compiled for it
    cost = Cost.of(lambda: enlarge(waiting), 1)
    count = max(len(larger) - 1, 1)
    return larger, Cost(cost.cpu / count, cost.wall / count)


def _encode(frames: Iterable[Frame], large: VideoInfo, writing: Mapping[str, Any], *, live: bool) -> None:
    with open_sink(BytesIO(), large, **writing, live=live, notice=lambda sentence: None) as sink:
        for frame in frames:
            sink.write(frame)


def _with(settings: Settings, **writing: object) -> Settings:
    return replace(settings, writing={**settings.writing, **writing})
