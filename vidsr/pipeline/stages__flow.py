"""What an ordinary run and a job that resumes share: what becomes of a film, and its way through the threads."""

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from vidsr.frames import Notice, VideoInfo
from vidsr.pipeline.progress import Record
from vidsr.pipeline.stages import Item, upscale
from vidsr.prefetch import prefetch
from vidsr.upscaling.output_size import Plan
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler
from vidsr.video.read.source import Source

QUEUE_BYTES = 16 << 20  # of frames waiting between two threads
QUEUE_ITEMS = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """All that an output depends on, besides its input."""

    enlarging: Mapping[str, Any]
    """Options of `open_upscaler`."""
    reading: Mapping[str, Any]
    """Options of `open_source`."""
    writing: Mapping[str, Any]
    """Options of `open_sink`."""
    segment_frames: int = 250
    """Frames of a segment, where the film is made in segments."""


def planned(
    film: Source, upscaler: Upscaler | ResizingUpscaler, record: Record, settings: Settings
) -> tuple[Plan, VideoInfo]:
    """Ask what becomes of the film and its pictures, and tell the user what they may not expect."""
    for sentence in film.notices:
        record.tell(sentence)
    info = film.info
    halvings = (0, 0) if info.gray else info.color.subsampling
    plan = upscaler.plan(info.width, info.height, halvings)
    odd = upscaler.plan(info.width, info.height, (0, 0))
    if (odd.width, odd.height) != (plan.width, plan.height):
        what = f"{odd.width}x{odd.height} becomes {plan.width}x{plan.height}: this chroma needs even sides"
        record.tell(Notice(what, "aspect"))
    if plan.card is None and isinstance(upscaler, Upscaler):
        record.tell(f"the input is {info.width}x{info.height} already: it is only resized, no model is needed")
    both = settings.enlarging["width"] and settings.enlarging["height"]
    aspect = _aspect(info, plan) if both else info.aspect
    return plan, replace(info, width=plan.width, height=plan.height, aspect=aspect)


def enlarged(
    items: Iterable[Item],
    upscaler: Upscaler | ResizingUpscaler,
    small: VideoInfo,
    large: VideoInfo,
    *,
    live: bool = False,
    reused: Callable[[], None] | None = None,
) -> Generator[Item, None, None]:
    """Run decoding and inference in threads of their own, a few frames ahead of whoever asks.

    small, large: what frames are, and what they become. live: nothing waits for the next frame. reused: see
    `upscale`.
    """

    def depth(info: VideoInfo) -> int:
        return 1 if live else max(2, min(QUEUE_ITEMS, QUEUE_BYTES // bytes_of(info)))

    return prefetch(upscale(prefetch(items, depth=depth(small)), upscaler, reused=reused), depth=depth(large))


def _aspect(info: VideoInfo, plan: Plan) -> Fraction:
    """The shape of a pixel that keeps the shape of the picture."""
    shape = info.aspect * Fraction(info.width * plan.height, info.height * plan.width)
    return shape.limit_denominator(255)


def bytes_of(info: VideoInfo) -> int:
    """Of the planes of one frame."""
    across, down = info.color.subsampling
    chroma = 0.0 if info.gray else 2 / (1 << across << down)
    return round(info.width * info.height * (1 + chroma + info.alpha)) * (2 if info.bits > 8 else 1)
