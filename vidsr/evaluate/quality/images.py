"""How well models regain still pictures, by the protocol of the super-resolution literature."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidsr.color import SMPTE170M, ColorSpec, rgb_to_yuv
from vidsr.data.photos import read_photo
from vidsr.data.sources import IMAGES
from vidsr.engines import Precision
from vidsr.errors import DataError
from vidsr.evaluate.quality.compression import CODECS, Codec, codec_of
from vidsr.evaluate.quality.crop_choice import Show, Telling
from vidsr.evaluate.quality.meters import open_meters
from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS, Method, open_methods
from vidsr.evaluate.quality.metric_table import OF_PICTURES, chosen
from vidsr.evaluate.quality.scores import Notice, Row, Trial, rows_of
from vidsr.evaluate.quality.views import View, colors_of, luma_codes, recolored, view_of_rgb
from vidsr.frames import Frame
from vidsr.metrics import WINDOW, luma_of_rgb
from vidsr.resize import Kernel, resize
from vidsr.video.recode import recode

BASELINES: dict[str, Kernel] = {BICUBIC: "bicubic", LANCZOS: "lanczos"}
STUDIO = ColorSpec(SMPTE170M, full_range=False, chroma_location="center")


def protocol(codec: Codec | None = None, preset: str | None = None) -> str:
    """Say how figures come about; codec: what the small pictures go through, if anything."""
    clean = (
        "PSNR, SSIM and the like on the BT.601 studio luma of pictures rounded to 8 bits, without a border of `scale` "
        "pixels; small pictures by antialiased bicubic (a = -0.5)"
    )
    return f"{clean}, then {codec.said(preset)} at the CRF given, 4:2:0, each an intra frame" if codec else clean


def evaluate_images(
    models: Sequence[str | Path],
    folders: Sequence[Path],
    *,
    metrics: Sequence[str] = OF_PICTURES,
    compress: Sequence[float] = (),
    codec: str = "libx264",
    preset: str | None = None,
    scale: int | None = None,
    engine: str = "auto",
    precision: Precision = "auto",
    progress: Callable[[int, int], None] | None = None,
    notice: Notice = lambda sentence: None,
    show: Show | None = None,
) -> list[Row]:
    """Measure models on sets of pictures; the gain is over the protocol's bicubic.

    folders: a set of pictures each, or a folder of such sets. metrics: names of `figures.FIGURES`; what cannot be had
    is told to `notice` and left out. compress: CRFs of `codec` that the small pictures go through first; without any
    they stay clean. preset: None takes the codec's of `codecs.CODECS`. scale: see `open_entrants`.
    progress(done, all) counts pictures. show: is given the most telling part of every picture.
    Raises DataError where a folder holds no pictures, or one that cannot be read or is too small, ValueError for
    figures, codecs or CRFs that there are not.
    """
    wanted = chosen(metrics)
    codec_of(codec, compress)
    sets = [found for folder in folders for found in find_sets(folder)]
    total, done = sum(len(paths) for _, paths in sets), 0
    rows: list[Row] = []
    with open_methods(models, scale=scale, engine=engine, precision=precision) as groups:
        for name, paths in sets:
            trials = [Trial(name, factor, codec, crf) for factor in groups for crf in compress]
            trials = trials or [Trial(name, factor) for factor in groups]
            with ExitStack() as stack:
                meters = {trial: open_meters(wanted, kind="pictures", stack=stack, notice=notice) for trial in trials}
                sizes: dict[Trial, list[float]] = {trial: [] for trial in trials}
                for path in paths:
                    picture = read_photo(path, channels=3)
                    for trial in trials:
                        truth, answers, bits = _regain(path, picture, trial, groups[trial.scale], preset)
                        for meter in meters[trial]:
                            meter.add(truth, answers)
                        sizes[trial].append(bits)
                        if show:
                            _show(show, trial, path, truth, answers)
                    done += 1
                    if progress:
                        progress(done, total)
                for trial in trials:
                    sent = None if trial.crf is None else float(np.mean(sizes[trial]))
                    rows += rows_of(
                        trial, meters[trial], wanted=wanted, baseline=BICUBIC, notice=notice, bits_per_pixel=sent
                    )
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


def _regain(
    path: Path, picture: NDArray[np.uint8], trial: Trial, methods: Sequence[Method], preset: str | None
) -> tuple[View, dict[str, View], float]:
    """Shrink one picture and enlarge it by every method.

    Returns the truth and the methods' versions, without the border that does not count, and the bits that travelled
    for each pixel of the truth (0 where nothing was encoded).
    """
    scale = trial.scale
    even = 1 if trial.crf is None else 2  # 4:2:0 has no odd sizes
    height, width = (side // (scale * even) * scale * even for side in picture.shape[:2])
    if min(height, width) < WINDOW + 2 * scale:
        raise DataError(f"{path} is too small to be measured at x{scale}: {picture.shape[1]}x{picture.shape[0]}")
    picture = picture[:height, :width]
    small = resize(picture, height // scale, width // scale)
    truth, bits = view_of_rgb(picture), 0.0
    if trial.crf is None:
        answers = _from_clean(small, height, width, methods)
    else:
        assert trial.codec is not None
        CODECS[trial.codec].check(path, width // scale, height // scale)
        options = CODECS[trial.codec].options(preset)
        (frame,), payload = recode([studio_frame(small)], codec=trial.codec, crf=trial.crf, options=options)
        answers = _from_compressed(frame, height, width, methods)
        truth, bits = View(np.rint(truth.luma), truth.rgb), payload * 8 / (height * width)
    return truth.within(scale), {method: view.within(scale) for method, view in answers.items()}, bits


def _from_clean(small: NDArray[np.uint8], height: int, width: int, methods: Sequence[Method]) -> dict[str, View]:
    """Luma networks get the luma of the 8-bit RGB picture at 10 bits: the literature feeds it unrounded."""
    answers = {name: view_of_rgb(resize(small, height, width, kernel=kernel)) for name, kernel in BASELINES.items()}
    plain = answers[BICUBIC].rgb()
    gray = Frame((np.rint(luma_of_rgb(small) * 4).astype(np.uint16),), STUDIO, bits=10)
    for method in methods:
        enlarged = method.enlarge(Frame.from_rgb(small) if method.rgb else gray)
        answers[method.name] = _seen(enlarged, plain)
    return answers


def _seen(enlarged: Frame, plain: NDArray[np.uint8]) -> View:
    """A frame as it is judged; without colours of its own, it has those of the picture `plain`."""
    luma = luma_codes(enlarged)
    return View(luma, lambda: colors_of(enlarged) if len(enlarged.planes) > 1 else recolored(plain, luma))


def _from_compressed(frame: Frame, height: int, width: int, methods: Sequence[Method]) -> dict[str, View]:
    views = {name: resized_view(frame, height, width, kernel) for name, kernel in BASELINES.items()}
    for method in methods:
        enlarged = method.enlarge(frame)
        views[method.name] = _seen(enlarged, np.empty(0, np.uint8))
    return views


def resized_view(frame: Frame, height: int, width: int, kernel: Kernel) -> View:
    """A frame enlarged plane by plane; its colours only where they are asked for."""
    luma = resize(frame.planes[0], height, width, kernel=kernel)

    def colours() -> NDArray[np.uint8]:
        chroma = (resize(plane, height // 2, width // 2, kernel=kernel) for plane in frame.planes[1:])
        return colors_of(replace(frame, planes=(luma, *chroma), av_frame=None))

    return View(luma, colours)


def _show(show: Show, trial: Trial, path: Path, truth: View, answers: dict[str, View]) -> None:
    telling = Telling(trial.title, border=trial.scale)
    telling.add(path.name, truth, answers)
    show(telling.comparison())


def studio_frame(rgb: NDArray[np.uint8]) -> Frame:
    """(height, width, 3) uint8 RGB, even sizes -> 8-bit limited BT.601 4:2:0."""
    height, width = rgb.shape[:2]
    chroma = (rgb / 255) @ rgb_to_yuv(SMPTE170M)[1:].T * 224 + 128  # (height, width, 2)
    halved = np.rint(resize(chroma, height // 2, width // 2, kernel="area")).astype(np.uint8)
    planes = np.rint(luma_of_rgb(rgb)).astype(np.uint8), halved[..., 0], halved[..., 1]
    return Frame(planes, STUDIO)
