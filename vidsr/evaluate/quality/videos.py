"""Quality of models on video that was downscaled and encoded."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

from vidsr.context import ignore
from vidsr.errors import DataError
from vidsr.evaluate.quality.compression import find_codec
from vidsr.evaluate.quality.crop_choice import CropFinder, Show
from vidsr.evaluate.quality.meters import open_meters
from vidsr.evaluate.quality.methods import BASELINES, LANCZOS, UpscalingMethod, open_methods
from vidsr.evaluate.quality.metric_table import VIDEO_METRICS, select_metrics
from vidsr.evaluate.quality.scores import Condition, Progress, Row, Warn, make_rows
from vidsr.evaluate.quality.views import View, resized_view, view_of_frame
from vidsr.frames import Frame
from vidsr.options import EvaluateOptions
from vidsr.resize import resize
from vidsr.video.convert.recode import recode
from vidsr.video.convert.resizer import cropped
from vidsr.video.read.source import open_source

CRFS = (18.0, 23.0, 28.0, 33.0)
FRAMES = 24


def video_protocol(options: EvaluateOptions) -> str:
    """Describe how videos are measured."""
    return (
        "PSNR-Y of whole frames against the original, mean over frames; downscaled by Lanczos (antialiased, each plane "
        f"by itself), then encoded by {find_codec(options.codec).label(options.preset)} at the CRF given; kbit/s of "
        "packets, without the container"
    )


@dataclass(frozen=True, slots=True)
class GainSummary:
    """Gain of a method over Lanczos on all videos and CRFs."""

    method: str
    scale: int
    mean: float
    """dB, over videos and CRFs."""
    least: float
    """dB, where it is smallest."""
    where: str
    """Video and CRF of the smallest gain."""


def evaluate_videos(
    models: Sequence[str | Path],
    clips: Sequence[Path],
    options: EvaluateOptions | None = None,
    *,
    progress: Progress | None = None,
    warn: Warn = ignore,
    show: Show | None = None,
) -> list[Row]:
    """Measure models on the first frames of videos, downscaled and encoded; gains are over Lanczos.

    progress(done, total) counts frames, once for each scale and CRF. warn: called for each metric that is left
    out because it is not available. show: called with the most informative crop of every video at each scale and CRF.
    Raises DataError if a video has no frames, is not 8-bit 4:2:0, changes its size or is too small, and ValueError for
    unknown metrics, codecs and CRFs.
    """
    options = options or EvaluateOptions()
    wanted = select_metrics(VIDEO_METRICS if options.metrics is None else options.metrics)
    crfs = options.crfs or CRFS
    encoder = find_codec(options.codec, crfs)
    rows: list[Row] = []
    with open_methods(models, options) as groups:
        runs = [(clip, scale, crf) for clip in clips for scale in groups for crf in crfs]
        for number, (clip, scale, crf) in enumerate(runs):
            if crf == crfs[0]:  # all CRFs encode the same frames
                originals = _read(clip, options.frames or FRAMES, step=2 * scale)
                small = [_downscaled(frame, scale) for frame in originals]
                encoder.check_size(clip, small[0].width, small[0].height)
            condition = Condition(clip.stem, scale, options.codec, crf)
            decoded, payload = recode(small, codec=options.codec, crf=crf, options=encoder.options(options.preset))
            finder = CropFinder(condition.title)
            with ExitStack() as stack:
                meters = open_meters(wanted, "videos", scale, stack, warn=warn)
                for index, (frame, original) in enumerate(zip(decoded, originals, strict=True), 1):
                    truth, results = view_of_frame(original), _upscaled(frame, original, groups[scale])
                    for meter in meters:
                        meter.add(truth, results)
                    if show:
                        finder.add(f"frame {index}", truth, results)
                    if progress:
                        progress(number * len(originals) + index, len(runs) * len(originals))
                kbit = payload * 8 / 1000 / _seconds(originals)
                rows += make_rows(condition, meters, wanted, LANCZOS, warn=warn, kbit=kbit)
            if show:
                show(finder.comparison())
    return rows


def _upscaled(frame: Frame, original: Frame, methods: Sequence[UpscalingMethod]) -> dict[str, View]:
    """Return a decoded frame upscaled by every method to the size of the original."""
    height, width = original.height, original.width
    results = {name: resized_view(frame, height, width, kernel) for name, kernel in BASELINES.items()}
    return results | {method.name: view_of_frame(method.upscale(frame)) for method in methods}


def summarize(rows: Sequence[Row]) -> list[GainSummary]:
    """Return the mean and the smallest gain of every method at each scale."""
    found = []
    for method, scale in dict.fromkeys((row.method, row.scale) for row in rows):
        group = [row for row in rows if (row.method, row.scale) == (method, scale)]
        least = min(group, key=lambda row: row.gain)
        mean = sum(row.gain for row in group) / len(group)
        found.append(GainSummary(method, scale, mean, least.gain, f"{least.material} at CRF {least.crf:g}"))
    return found


def _read(clip: Path, count: int, *, step: int) -> list[Frame]:
    """Return the first frames, cropped at the right and bottom to multiples of `step` pixels."""
    frames = list(frames_of(clip, count))
    width, height = (side // step * step for side in (frames[0].width, frames[0].height))
    if not width or not height:
        raise DataError(f"{clip} is {frames[0].width}x{frames[0].height}, too small to be downscaled and encoded")
    return [cropped(frame, width, height) for frame in frames]


def _downscaled(frame: Frame, scale: int) -> Frame:
    planes = (resize(p, p.shape[0] // scale, p.shape[1] // scale, kernel="lanczos") for p in frame.planes)
    return replace(frame, planes=tuple(planes), av_frame=None)


def _seconds(frames: Sequence[Frame]) -> float:
    if len(frames) == 1:
        return frames[0].duration or 1 / 25
    return seconds_of(frames[0], frames[-1].pts, len(frames))


def frames_of(clip: Path, count: int | None) -> Iterator[Frame]:
    """Decode the first `count` frames, or all if None.

    Raises DataError if there are none, if they are not 8-bit 4:2:0, or if their size changes.
    """
    first = None
    with open_source(clip) as source:
        for frame in islice((item for item in source if isinstance(item, Frame)), count):
            first = first or frame
            if frame.bits != 8 or len(frame.planes) != 3 or frame.color.subsampling != (1, 1):
                raise DataError(f"{clip} is not 8-bit 4:2:0, which the encoders need; convert it first")
            if (frame.width, frame.height) != (first.width, first.height):
                raise DataError(f"{clip} changes its frame size; split it there")
            yield frame
    if first is None:
        raise DataError(f"{clip} has no frames that can be decoded")


def seconds_of(first: Frame, last_pts: int, count: int) -> float:
    """Return the duration of two or more frames; the last one counts as long as the others on average."""
    return float((last_pts - first.pts) * first.time_base * Fraction(count, count - 1))
