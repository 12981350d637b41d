"""How well models regain still pictures, by the protocol of the super-resolution literature."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.sources import IMAGES
from vidsr.engines import Precision
from vidsr.errors import DataError
from vidsr.evaluate.entrants import BICUBIC, LANCZOS, Entrant, Row, Scores, open_entrants, rows_of
from vidsr.frames import SMPTE170M, ColorSpec, Frame, rgb_to_yuv
from vidsr.metrics import WINDOW, luma_of_rgb, psnr, ssim
from vidsr.resize import Kernel, resize
from vidsr.video.recode import recode

PROTOCOL = (
    "PSNR and SSIM on the BT.601 studio luma of pictures rounded to 8 bits, without a border of `scale` pixels; "
    "small pictures by antialiased bicubic (a = -0.5)"
)
COMPRESSED = ", then x264 medium at the CRF given, 4:2:0, each an intra frame"

BASELINES: dict[str, Kernel] = {BICUBIC: "bicubic", LANCZOS: "lanczos"}
STUDIO = ColorSpec(SMPTE170M, full_range=False, siting="center")


@dataclass(frozen=True, slots=True)
class _Trial:
    """One picture, shrunk: what is to be regained, and what there is to regain it from."""

    truth: NDArray[np.float64]
    """(height, width) luma codes."""
    resized: dict[str, NDArray[np.float64]]
    """What the protocol's resizes make of it."""
    luma: Frame
    """For networks that see luma."""
    rgb: Frame
    """For networks that see colours."""


def evaluate_images(
    models: Sequence[str | Path],
    folders: Sequence[Path],
    *,
    compress: Sequence[float] = (),
    scale: int | None = None,
    engine: str = "auto",
    precision: Precision = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:
    """Measure models on sets of pictures; the gain is over the protocol's bicubic.

    folders: a set of pictures each, or a folder of such sets. compress: CRFs of x264 that the small pictures go
    through first; without any they stay clean. scale: see `open_entrants`. progress(done, all) counts pictures.
    Raises DataError where a folder holds no pictures, or one that cannot be read or is too small.
    """
    sets = [found for folder in folders for found in find_sets(folder)]
    total, done = sum(len(paths) for _, paths in sets), 0
    rows: list[Row] = []
    with open_entrants(models, scale=scale, engine=engine, precision=precision) as groups:
        trials: list[tuple[int, float | None]] = [(factor, crf) for factor in groups for crf in compress]
        trials = trials or [(factor, None) for factor in groups]
        for name, paths in sets:
            scores: dict[tuple[int, float | None], Scores] = {trial: defaultdict(list) for trial in trials}
            for path in paths:
                picture = read_picture(path)
                for factor, crf in trials:
                    for method, score in _try_picture(path, picture, factor, crf, groups[factor]):
                        scores[factor, crf][method].append(score)
                done += 1
                if progress:
                    progress(done, total)
            for (factor, crf), score_lists in scores.items():
                rows += rows_of(name, factor, crf, score_lists, baseline=BICUBIC)
    return rows


def find_sets(folder: Path) -> list[tuple[str, list[Path]]]:
    """Give the name and the pictures of a folder, or of each folder in it where it holds none itself."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of pictures")
    found = []
    for place in [folder, *sorted(folder.iterdir())]:
        paths = sorted(p for p in place.iterdir() if p.suffix.lower() in IMAGES) if place.is_dir() else []
        if paths and place == folder:
            return [(folder.resolve().name, paths)]
        if paths:
            found.append((place.name, paths))
    if not found:
        raise DataError(f"{folder} holds no pictures; looked for {', '.join(IMAGES)}")
    return found


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Give a picture as (height, width, 3) uint8 RGB. Raises DataError where it cannot be read."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError) as exc:  # what Pillow raises for files it cannot make sense of
        raise DataError(f"{path} cannot be read as a picture ({exc})") from exc


def _try_picture(
    path: Path, picture: NDArray[np.uint8], scale: int, crf: float | None, entrants: Sequence[Entrant]
) -> Iterator[tuple[str, tuple[float, float]]]:
    even = 1 if crf is None else 2  # 4:2:0 has no odd sizes
    height, width = (side // (scale * even) * scale * even for side in picture.shape[:2])
    if min(height, width) < WINDOW + 2 * scale:
        raise DataError(f"{path} is too small to be measured at x{scale}: {picture.shape[1]}x{picture.shape[0]}")
    picture = picture[:height, :width]
    small = resize(picture, height // scale, width // scale)
    trial = _clean(picture, small) if crf is None else _compressed(picture, small, crf)
    answers = dict(trial.resized)
    for entrant in entrants:
        answers[entrant.name] = luma_codes(entrant.enlarge(trial.rgb if entrant.rgb else trial.luma))
    for method, luma in answers.items():
        yield method, (psnr(luma, trial.truth, border=scale), ssim(luma, trial.truth, border=scale))


def _clean(picture: NDArray[np.uint8], small: NDArray[np.uint8]) -> _Trial:
    """Luma networks get the luma of the 8-bit RGB picture at 10 bits: the literature feeds it unrounded."""
    size = picture.shape[:2]
    resized = {name: luma_of_rgb(resize(small, *size, kernel=kernel)) for name, kernel in BASELINES.items()}
    luma = Frame((np.rint(luma_of_rgb(small) * 4).astype(np.uint16),), STUDIO, bits=10)
    return _Trial(luma_of_rgb(picture), resized, luma, Frame.from_rgb(small))


def _compressed(picture: NDArray[np.uint8], small: NDArray[np.uint8], crf: float) -> _Trial:
    (frame,), _ = recode([studio_frame(small)], crf=crf)
    size = picture.shape[:2]
    resized = {name: resize(frame.planes[0], *size, kernel=kernel) for name, kernel in BASELINES.items()}
    return _Trial(np.rint(luma_of_rgb(picture)), resized, frame, frame)


def studio_frame(rgb: NDArray[np.uint8]) -> Frame:
    """(height, width, 3) uint8 RGB, even sizes -> 8-bit limited BT.601 4:2:0."""
    height, width = rgb.shape[:2]
    chroma = (rgb / 255) @ rgb_to_yuv(SMPTE170M)[1:].T * 224 + 128  # (height, width, 2)
    halved = np.rint(resize(chroma, height // 2, width // 2, kernel="area")).astype(np.uint8)
    planes = np.rint(luma_of_rgb(rgb)).astype(np.uint8), halved[..., 0], halved[..., 1]
    return Frame(planes, STUDIO)


def luma_codes(frame: Frame) -> NDArray[Any]:
    """Give the luma of a frame rounded to 8 bits: its codes; of a full-range frame the luma of its 8-bit RGB."""
    if frame.color.full_range:
        return luma_of_rgb(np.rint(frame.to_rgb() * 255).astype(np.uint8))
    return np.asarray(np.rint(frame.planes[0] / (1 << (frame.bits - 8))))
