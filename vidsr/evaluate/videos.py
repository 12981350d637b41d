"""How well models regain film that was shrunk and compressed: what travels is compressed video."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from vidsr.engines import Precision
from vidsr.errors import DataError
from vidsr.evaluate.entrants import LANCZOS, Row, Scores, open_entrants, rows_of
from vidsr.evaluate.images import BASELINES
from vidsr.frames import Frame
from vidsr.metrics import psnr
from vidsr.resize import resize
from vidsr.video.recode import recode
from vidsr.video.source import open_source

PROTOCOL = (
    "PSNR-Y of whole frames against the film, mean over frames; shrunk by Lanczos (antialiased, the film's own planes)"
    ", then x264 medium at the CRF given"
)
CRFS = (18.0, 23.0, 28.0, 33.0)


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
    frames: int = 24,
    compress: Sequence[float] = CRFS,
    scale: int | None = None,
    engine: str = "auto",
    precision: Precision = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Measure models on the first frames of clips, shrunk and sent through x264; the gain is over Lanczos.

    frames: of each clip. compress: CRFs. scale: see `open_entrants`. progress(done, all) counts clips at a scale and
    CRF. Raises DataError where a clip has no pictures or is not 8-bit 4:2:0.
    """
    rows: list[Row] = []
    with open_entrants(models, scale=scale, engine=engine, precision=precision) as groups:
        trials = [(clip, factor) for clip in clips for factor in groups]
        done, total = 0, len(trials) * len(compress)
        for clip, factor in trials:
            film = [_crop(frame, 2 * factor) for frame in read_frames(clip, frames)]
            small = [_shrink(frame, factor) for frame in film]
            for crf in compress:
                decoded, payload = recode(small, crf=crf)
                scores: Scores = {}
                for name, kernel in BASELINES.items():
                    enlarged = (resize(f.planes[0], film[0].height, film[0].width, kernel=kernel) for f in decoded)
                    scores[name] = _score(film, enlarged)
                for entrant in groups[factor]:
                    scores[entrant.name] = _score(film, (entrant.enlarge(f).planes[0] for f in decoded))
                kbit = payload * 8 / 1000 / _seconds(film)
                rows += rows_of(clip.stem, factor, crf, scores, baseline=LANCZOS, kbit=kbit)
                done += 1
                if progress:
                    progress(done, total)
    return rows


def summaries(rows: Sequence[Row]) -> list[Summary]:
    """Sum every method's gains up, at each scale."""
    found = []
    for method, scale in dict.fromkeys((row.method, row.scale) for row in rows):
        its = [row for row in rows if (row.method, row.scale) == (method, scale)]
        least = min(its, key=lambda row: row.gain)
        mean = sum(row.gain for row in its) / len(its)
        found.append(Summary(method, scale, mean, least.gain, f"{least.material} at CRF {least.crf:g}"))
    return found


def read_frames(clip: Path, count: int) -> list[Frame]:
    """Decode the first `count` frames. Raises DataError where there are none or they are not 8-bit 4:2:0."""
    with open_source(clip) as source:
        frames = list(islice((item for item in source if isinstance(item, Frame)), count))
    if not frames:
        raise DataError(f"{clip} has no pictures that could be decoded")
    first = frames[0]
    if first.bits != 8 or len(first.planes) != 3 or first.color.subsampling != (1, 1):
        raise DataError(f"{clip} is not 8-bit 4:2:0, which is what is sent through x264 here; convert it first")
    return frames


def _crop(frame: Frame, step: int) -> Frame:
    """Cut right and below, to a multiple of `step` pixels."""
    height, width = (side // step * step for side in (frame.height, frame.width))
    if not height or not width:
        raise DataError(f"frames of {frame.width}x{frame.height} are too small to be shrunk and sent as 4:2:0")
    luma, *chroma = frame.planes
    return replace(
        frame, planes=(luma[:height, :width], *(plane[: height // 2, : width // 2] for plane in chroma)), carrier=None
    )


def _shrink(frame: Frame, factor: int) -> Frame:
    planes = (resize(p, p.shape[0] // factor, p.shape[1] // factor, kernel="lanczos") for p in frame.planes)
    return replace(frame, planes=tuple(planes))


def _score(film: Sequence[Frame], enlarged: Iterable[NDArray[Any]]) -> list[tuple[float, float | None]]:
    return [(psnr(luma, frame.planes[0]), None) for frame, luma in zip(film, enlarged, strict=True)]


def _seconds(film: Sequence[Frame]) -> float:
    """How long the frames last: from the first to the last, and the last as long as the others on average."""
    if len(film) == 1:
        return float(film[0].duration * film[0].time_base) or 1 / 25
    span = (film[-1].pts - film[0].pts) * film[0].time_base
    return float(span * Fraction(len(film), len(film) - 1))
