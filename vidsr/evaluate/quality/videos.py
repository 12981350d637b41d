"""How well models regain film that was shrunk and compressed: what travels is compressed video."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

from vidsr.engines import Precision
from vidsr.errors import DataError
from vidsr.evaluate.quality.compression import Codec, codec_of
from vidsr.evaluate.quality.crop_choice import Show, Telling
from vidsr.evaluate.quality.images import BASELINES, resized_view
from vidsr.evaluate.quality.meters import open_meters
from vidsr.evaluate.quality.methods import LANCZOS, Method, open_methods
from vidsr.evaluate.quality.metric_table import OF_CLIPS, chosen
from vidsr.evaluate.quality.scores import Notice, Row, Trial, rows_of
from vidsr.evaluate.quality.views import View, view_of_frame
from vidsr.frames import Frame
from vidsr.resize import resize
from vidsr.video.read.source import open_source
from vidsr.video.recode import recode

CRFS = (18.0, 23.0, 28.0, 33.0)
FRAMES = 24


def protocol(codec: Codec, preset: str | None = None) -> str:
    """Say how figures come about."""
    return (
        "PSNR-Y of whole frames against the film, mean over frames; shrunk by Lanczos (antialiased, the film's own "
        f"planes), then {codec.said(preset)} at the CRF given; kbit/s of packets, container not counted"
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """What a model gains over Lanczos on all clips and CRFs together."""

    method: str
    scale: int
    mean: float
    """dB over Lanczos, mean over clips and CRFs."""
    least: float
    """dB over Lanczos where it is least."""
    where: str
    """The clip and the CRF of that."""


def evaluate_videos(
    models: Sequence[str | Path],
    clips: Sequence[Path],
    *,
    metrics: Sequence[str] = OF_CLIPS,
    frames: int = FRAMES,
    compress: Sequence[float] = CRFS,
    codec: str = "libx264",
    preset: str | None = None,
    scale: int | None = None,
    engine: str = "auto",
    precision: Precision = "auto",
    progress: Callable[[int, int], None] | None = None,
    notice: Notice = lambda sentence: None,
    show: Show | None = None,
) -> list[Row]:
    """Measure models on the first frames of clips, shrunk and sent through a codec; the gain is over Lanczos.

    metrics: names of `figures.FIGURES`; what cannot be had is told to `notice` and left out. frames: of each clip.
    compress: CRFs of `codec`. preset: None takes the codec's of `codecs.CODECS`. scale: see `open_entrants`.
    progress(done, all) counts frames, once for each scale and CRF. show: is given the most telling part of the frames
    of every clip at each scale and CRF.
    Raises DataError where a clip has no pictures, is not 8-bit 4:2:0, changes its size or is too small, ValueError for
    figures, codecs or CRFs that there are not.
    """
    wanted = chosen(metrics)
    encoder = codec_of(codec, compress)
    rows: list[Row] = []
    with open_methods(models, scale=scale, engine=engine, precision=precision) as groups:
        pairs = [(clip, factor) for clip in clips for factor in groups]
        for index, (clip, factor) in enumerate(pairs):
            video = _read(clip, frames, step=2 * factor)
            small = [_shrink(frame, factor) for frame in video]
            encoder.check(clip, small[0].width, small[0].height)
            for turn, crf in enumerate(compress):
                trial = Trial(clip.stem, factor, codec, crf)
                decoded, payload = recode(small, codec=codec, crf=crf, options=encoder.options(preset))
                telling = Telling(trial.title)
                with ExitStack() as stack:
                    meters = open_meters(wanted, kind="clips", stack=stack, notice=notice)
                    for number, (frame, truth) in enumerate(zip(decoded, video, strict=True)):
                        answers = _enlarged(frame, truth, groups[factor])
                        for meter in meters:
                            meter.add(view_of_frame(truth), answers)
                        if show:
                            telling.add(f"frame {number + 1}", view_of_frame(truth), answers)
                        if progress:
                            past = (index * len(compress) + turn) * len(video)
                            progress(past + number + 1, len(pairs) * len(compress) * len(video))
                    kbit = payload * 8 / 1000 / _seconds(video)
                    rows += rows_of(trial, meters, wanted=wanted, baseline=LANCZOS, notice=notice, kbit=kbit)
                if show:
                    show(telling.comparison())
    return rows


def _enlarged(frame: Frame, truth: Frame, methods: Sequence[Method]) -> dict[str, View]:
    views = {name: resized_view(frame, truth.height, truth.width, kernel) for name, kernel in BASELINES.items()}
    return views | {method.name: view_of_frame(method.enlarge(frame)) for method in methods}


def summaries(rows: Sequence[Row]) -> list[Summary]:
    """Sum every method's gains up, at each scale."""
    found = []
    for method, scale in dict.fromkeys((row.method, row.scale) for row in rows):
        its = [row for row in rows if (row.method, row.scale) == (method, scale)]
        least = min(its, key=lambda row: row.gain)
        mean = sum(row.gain for row in its) / len(its)
        found.append(Summary(method, scale, mean, least.gain, f"{least.material} at CRF {least.crf:g}"))
    return found


def _read(clip: Path, count: int, *, step: int) -> list[Frame]:
    """The first frames, cut right and below to a multiple of `step` pixels."""
    whole = list(frames_of(clip, count))
    width, height = (side // step * step for side in (whole[0].width, whole[0].height))
    if not width or not height:
        raise DataError(f"{clip} is {whole[0].width}x{whole[0].height}, too small to be shrunk and sent as 4:2:0")
    return [cut(frame, width, height) for frame in whole]


def _shrink(frame: Frame, factor: int) -> Frame:
    planes = (resize(p, p.shape[0] // factor, p.shape[1] // factor, kernel="lanczos") for p in frame.planes)
    return replace(frame, planes=tuple(planes))


def _seconds(video: Sequence[Frame]) -> float:
    if len(video) == 1:
        return video[0].duration or 1 / 25
    return seconds_of(video[0], video[-1].pts, len(video))


def frames_of(clip: Path, count: int | None) -> Iterator[Frame]:
    """Decode the first `count` frames, None for all.

    Raises DataError where there are none, where they are not 8-bit 4:2:0, or where their size changes.
    """
    first = None
    with open_source(clip) as source:
        for frame in islice((item for item in source if isinstance(item, Frame)), count):
            first = first or frame
            if frame.bits != 8 or len(frame.planes) != 3 or frame.color.subsampling != (1, 1):
                raise DataError(f"{clip} is not 8-bit 4:2:0, which is what the encoders are given; convert it first")
            if (frame.width, frame.height) != (first.width, first.height):
                raise DataError(f"{clip} changes its size on the way; cut it where it does")
            yield frame
    if first is None:
        raise DataError(f"{clip} has no pictures that could be decoded")


def seconds_of(first: Frame, last_pts: int, count: int) -> float:
    """How long two or more frames last: from the first to the last, which lasts as long as the others on average."""
    return float((last_pts - first.pts) * first.time_base * Fraction(count, count - 1))


def cut(frame: Frame, width: int, height: int) -> Frame:
    """Cut a frame right and below. width, height: even."""
    if (frame.width, frame.height) == (width, height):
        return frame
    luma, *chroma = frame.planes
    planes = luma[:height, :width], *(plane[: height // 2, : width // 2] for plane in chroma)
    return replace(frame, planes=planes, av_frame=None)
