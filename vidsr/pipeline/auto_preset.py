"""`--preset auto`: the slowest preset that still keeps up with the video, measured on a part of it."""

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
from vidsr.pipeline.stages import JobOptions
from vidsr.system import cores
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.video.convert.nv12 import planar
from vidsr.video.read.source import Source, open_source
from vidsr.video.write.copy.containers import encoder_for, muxer_of
from vidsr.video.write.encoder_options import presets_of
from vidsr.video.write.sink import open_sink

AUTO = "auto"
USUAL = "veryfast"  # tried first, and taken where there is nothing to choose
RATE = Fraction(25)  # frames a second, where the video states none
SAMPLE_FRAMES, SAMPLE_BYTES = 16, 128 << 20  # of upscaled frames
# Of the time there is: other parts of the video may be harder, and stages slow each other down. A file that is late in
# a hard scene makes up for it in an easy one; a live stream would stall.
MARGIN, LIVE_MARGIN = 0.85, 0.5
LIVE_FRAMES, LIVE_LOAD = 6, 0.8  # of hard frames, and of the time of one, that the encoder of a live run may take


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of one frame, in seconds."""

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
    """Raise WrongOption for preset `auto` with an encoder option that names a preset, or with `--resume`."""
    for name in ("preset", "cpu-used"):
        if options.preset == AUTO and name in (options.encoder_options or {}):
            raise WrongOption(f"--preset auto and --encoder-option {name} set the same thing; give one of them")
    if options.preset == AUTO and resume:
        raise WrongOption("--resume must encode the same in every run, which --preset auto may not; name a preset")


def settled(
    video: Source,
    target: str | Path | BinaryIO,
    upscaler: FrameUpscaler,
    large: VideoInfo,
    options: JobOptions,
    context: Context,
) -> EncodeOptions:
    """Replace preset `auto` by a preset, and report which.

    It is the slowest with which decoder, network and encoder together make as many frames a second as the video has.
    A file is measured on a part from its middle; for inputs that are read once, the encoder gets a hard test image.
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
    count = max(4, min(SAMPLE_FRAMES, SAMPLE_BYTES // large.frame_bytes))
    frames, making = _made(video, upscaler, options.read, count)

    def rate_with(name: str) -> float:
        trial = replace(encode, preset=name, codec=codec, format="matroska")
        encoding = Cost.of(lambda: _encode(frames, large, trial), len(frames))
        busy = (making.cpu + encoding.cpu) / cores()
        return 1 / max(busy, making.wall, encoding.wall)

    name, made = slowest(names, rate_with, rate / (LIVE_MARGIN if encode.live else MARGIN))
    message = f"preset {name}, the slowest that keeps up with {rate:.4g} frames a second"
    if made < rate:
        message = f"preset {name} makes about {made:.3g} of {rate:.4g} frames a second, and none is faster"
    context.warn(message)
    return replace(encode, preset=name)


def quick_enough(
    rate: float, frame: Frame, target: str | Path | BinaryIO, large: VideoInfo, options: EncodeOptions, context: Context
) -> EncodeOptions:
    """Replace a preset by a faster one if the encoder would not keep up with a live stream, and report it.

    rate: frames a second. frame: the first one, upscaled. An encoder cannot change its preset later, since the headers
    of the stream depend on it.
    """
    muxer = muxer_of(target, options.format)
    codec = encoder_for(options.codec, muxer.name)
    names = [] if muxer.image else presets_of(codec)
    if options.preset not in names or not names.index(options.preset):
        return options
    frames, _ = _drawn([frame], Cost(0, 0), LIVE_FRAMES)
    at = names.index(options.preset)

    def seconds(name: str) -> float:
        trial = replace(options, preset=name, codec=codec, format="matroska")
        return Cost.of(lambda: _encode(frames, large, trial), len(frames)).wall

    while at > 0 and seconds(names[at]) * rate > LIVE_LOAD:
        at -= 1
    if names[at] != options.preset:
        context.warn(f"preset {names[at]}: {options.preset} is too slow for {rate:.4g} frames a second here")
    return replace(options, preset=names[at])


def slowest(names: Sequence[str], rate_with: Callable[[str], float], wanted: float) -> tuple[str, float]:
    """Return the last of these presets that reaches the wanted rate, else the first; and the rate it reaches.

    rate_with: measures one. It goes from the usual one step by step, since those that are too slow take long.
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
    """Return `count` frames to encode, and the cost of decoding and upscaling one."""
    if isinstance(video.name, str | Path) and not video.live and not video.sequence:
        start = (options.start or Fraction(0)) + (video.info.duration or Fraction(0)) / 3
        middle = replace(options, start=start, duration=None, strict=False)
        # Some files state a duration that they do not have.
        with suppress(InputError), open_source(video.name, middle, context=Context(ignore)) as piece:
            return _upscaled(islice((item for item in piece if isinstance(item, Frame)), count), upscaler)
    # It is read once, and its beginning says nothing of the rest: many videos begin in the dark.
    return _drawn(*_upscaled([video.first] * 4, upscaler), count)


def _drawn(frames: list[Frame], making: Cost, count: int) -> tuple[list[Frame], Cost]:
    """Replace the frames by hard ones: texture that moves, and grain that is new in each frame."""
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


def _upscaled(frames: Iterable[Frame], upscaler: FrameUpscaler) -> tuple[list[Frame], Cost]:
    larger: list[Frame] = []

    def upscale(some: Iterable[Frame]) -> None:
        larger.extend(upscaler.submit(frame).result() for frame in some)

    waiting = iter(frames)
    upscale(islice(waiting, 1))  # compiles the network
    cost = Cost.of(lambda: upscale(waiting), 1)
    count = max(len(larger) - 1, 1)
    return larger, Cost(cost.cpu / count, cost.wall / count)


def _encode(frames: Iterable[Frame], large: VideoInfo, options: EncodeOptions) -> None:
    with open_sink(BytesIO(), large, options, context=Context(ignore)) as sink:
        for frame in frames:
            sink.write(frame)
