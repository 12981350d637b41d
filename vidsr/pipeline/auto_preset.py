"""`--preset auto`: the slowest preset with which the whole still keeps up with the film, measured on a piece of it."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from vidsr.context import Context, ignore
from vidsr.errors import InputError, WrongOption
from vidsr.frames import Frame, VideoInfo
from vidsr.options import EncodeOptions, ReadOptions
from vidsr.pipeline.stages import JobOptions, bytes_of
from vidsr.system import cores
from vidsr.upscaling.frame_upscaler import FrameUpscaler
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


def check_preset(options: EncodeOptions, *, resume: bool) -> None:
    """Raise WrongOption where a job that encodes alike in every run would choose by what it measures, or where the
    encoder's own options name a preset too.
    """
    for name in ("preset", "cpu-used"):
        if options.preset == AUTO and name in (options.encoder_options or {}):
            raise WrongOption(f"--preset auto and --encoder-option {name} set the same thing; give one of them")
    if options.preset == AUTO and resume:
        raise WrongOption("a job that resumes encodes alike in every run, and auto may not; name a preset")


def settled(
    video: Source,
    target: str | Path | BinaryIO,
    upscaler: FrameUpscaler,
    large: VideoInfo,
    options: JobOptions,
    context: Context,
) -> EncodeOptions:
    """The settings with a preset, where that was left to us, and the user told which.

    It is the slowest with which decoder, network and encoder together make as many frames a second as the film has,
    live or not: what is watched while it is made never waits, and what is kept takes no longer than to watch it.
    A file is measured on a piece from its middle; of what is read only once the encoder is measured on a hard picture.
    """
    encode = options.encode
    if encode.preset != AUTO:
        return encode
    muxer = muxer_of(target, encode.format)
    codec = encoder_for(encode.codec, muxer.name)
    names = [] if muxer.image else presets_of(codec)
    if not names:
        if not muxer.image:
            context.warn(f"{codec} has no presets: auto chooses none")
        return replace(encode, preset=USUAL)
    rate = float(video.info.rate or RATE)
    count = max(4, min(SAMPLE_FRAMES, SAMPLE_BYTES // bytes_of(large)))
    frames, making = _made(video, upscaler, options.read, count)

    def rate_with(name: str) -> float:
        trial = replace(encode, preset=name, codec=codec, format="matroska")
        encoding = Cost.of(lambda: _encode(frames, large, trial), len(frames))
        busy = (making.cpu + encoding.cpu) / cores()
        return 1 / max(busy, making.wall, encoding.wall)

    name, made = slowest(names, rate_with, rate / (LIVE_MARGIN if encode.live else MARGIN))
    told = f"preset {name} is taken, the slowest that keeps up with {rate:.4g} frames a second"
    if made < rate:
        told = f"preset {name} is taken, and even that makes about {made:.3g} of {rate:.4g} frames a second"
    context.warn(told)
    return replace(encode, preset=name)


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


def _made(video: Source, upscaler: FrameUpscaler, options: ReadOptions, count: int) -> tuple[list[Frame], Cost]:
    """So many frames to encode, and what to decode and enlarge one costs."""
    if isinstance(video.name, str | Path) and not video.live and not video.pictures:
        start = (options.start or Fraction(0)) + (video.info.duration or Fraction(0)) / 3
        middle = replace(options, start=start, duration=None, strict=False)
        # There may be nothing: some files tell a length that they do not have.
        with suppress(InputError), open_source(video.name, middle, context=Context(ignore)) as piece:
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
        drawn.append(
            replace(like, planes=(luma, *like.planes[1:]), pts=number * (like.duration_ticks or 1), av_frame=None)
        )
    return drawn, making


def _enlarged(frames: Iterable[Frame], upscaler: FrameUpscaler) -> tuple[list[Frame], Cost]:
    larger: list[Frame] = []

    def enlarge(some: Iterable[Frame]) -> None:
        larger.extend(upscaler.submit(frame).result() for frame in some)

    waiting = iter(frames)
    enlarge(islice(waiting, 1))  # the network is compiled for it
    cost = Cost.of(lambda: enlarge(waiting), 1)
    count = max(len(larger) - 1, 1)
    return larger, Cost(cost.cpu / count, cost.wall / count)


def _encode(frames: Iterable[Frame], large: VideoInfo, options: EncodeOptions) -> None:
    with open_sink(BytesIO(), large, options, context=Context(ignore)) as sink:
        for frame in frames:
            sink.write(frame)
