"""Quality of models on still images, by the protocol of the super-resolution literature."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidsr.color import SMPTE170M, ColorSpec, rgb_to_yuv
from vidsr.context import ignore
from vidsr.data.photos import read_photo
from vidsr.data.sources import IMAGES
from vidsr.errors import DataError
from vidsr.evaluate.quality.compression import find_codec
from vidsr.evaluate.quality.crop_choice import CropFinder, Show
from vidsr.evaluate.quality.meters import Meter, open_meters
from vidsr.evaluate.quality.methods import BASELINES, BICUBIC, UpscalingMethod, open_methods
from vidsr.evaluate.quality.metric_table import IMAGE_METRICS, select_metrics
from vidsr.evaluate.quality.scores import Condition, Progress, Row, Warn, make_rows
from vidsr.evaluate.quality.views import View, luma_codes, resized_view, rgb_of_frame, view_of_rgb, with_luma
from vidsr.frames import Frame
from vidsr.metrics import WINDOW, luma_of_rgb
from vidsr.options import EvaluateOptions
from vidsr.resize import resize
from vidsr.video.convert.recode import recode

LIMITED = ColorSpec(SMPTE170M, full_range=False, chroma_location="center")


def image_protocol(options: EvaluateOptions) -> str:
    """Describe how images are measured."""
    clean = (
        "PSNR, SSIM and the like on limited-range BT.601 luma of images rounded to 8 bits, without a border of `scale` "
        "pixels; downscaled by antialiased bicubic (a = -0.5)"
    )
    encoder = find_codec(options.codec).label(options.preset)
    return (
        f"{clean}, then encoded by {encoder} at the CRF given, 4:2:0, each as an intra frame" if options.crfs else clean
    )


def evaluate_images(
    models: Sequence[str | Path],
    folders: Sequence[Path],
    options: EvaluateOptions | None = None,
    *,
    progress: Progress | None = None,
    warn: Warn = ignore,
    show: Show | None = None,
) -> list[Row]:
    """Measure models on image sets; gains are over the protocol's bicubic.

    folders: image sets, or folders of image sets. progress(done, total) counts images. warn: called for each metric
    that is left out because it is not available. show: called with the most informative crop of every image.
    Raises DataError if a folder has no images, or one cannot be read or is too small, and ValueError for unknown
    metrics, codecs and CRFs.
    """
    options = options or EvaluateOptions()
    wanted = select_metrics(IMAGE_METRICS if options.metrics is None else options.metrics)
    crfs = options.crfs or ()
    find_codec(options.codec, crfs)
    sets = [found for folder in folders for found in find_sets(folder)]
    total, done = sum(len(paths) for _, paths in sets), 0
    rows: list[Row] = []
    with open_methods(models, options) as groups:
        for name, paths in sets:
            conditions = [Condition(name, scale, options.codec, crf) for scale in groups for crf in crfs]
            conditions = conditions or [Condition(name, scale) for scale in groups]
            with ExitStack() as stack:
                runs = [
                    _Run(
                        condition,
                        groups[condition.scale],
                        open_meters(wanted, "images", condition.scale, stack, warn=warn),
                        options,
                    )
                    for condition in conditions
                ]
                for path in paths:
                    image = read_photo(path, channels=3)
                    for run in runs:
                        run.add(path, image, show)
                    done += 1
                    if progress:
                        progress(done, total)
                for run in runs:
                    rows += run.rows(wanted, warn)
    return rows


def find_sets(folder: Path) -> list[tuple[str, list[Path]]]:
    """Return the name and images of a folder, or of each folder in it if it has no images itself."""
    if not folder.is_dir():
        raise DataError(f"expected a folder of images; got {folder}")
    found = []
    for place in [folder, *sorted(folder.iterdir())]:
        paths = sorted(p for p in place.iterdir() if p.suffix.lower() in IMAGES) if place.is_dir() else []
        if paths and place == folder:
            return [(folder.resolve().name, paths)]
        if paths:
            found.append((place.name, paths))
    if not found:
        raise DataError(f"{folder} contains no images ({', '.join(IMAGES)})")
    return found


class _Run:
    """Measures one image set under one condition."""

    def __init__(
        self, condition: Condition, methods: Sequence[UpscalingMethod], meters: list[Meter], options: EvaluateOptions
    ) -> None:
        self._condition, self._methods, self._meters, self._options = condition, methods, meters, options
        self._bits_per_pixel: list[float] = []

    def add(self, path: Path, image: NDArray[np.uint8], show: Show | None) -> None:
        """Downscale one image, upscale it by every method and measure the results."""
        scale = self._condition.scale
        even = 1 if self._condition.crf is None else 2  # 4:2:0 has no odd sides
        height, width = (side // (scale * even) * scale * even for side in image.shape[:2])
        if min(height, width) < WINDOW + 2 * scale:
            raise DataError(f"{path} is {image.shape[1]}x{image.shape[0]}, too small to be measured at x{scale}")
        truth = view_of_rgb(image[:height, :width])
        low_resolution = resize(image[:height, :width], height // scale, width // scale)
        if self._condition.crf is None:
            results = _from_clean(low_resolution, height, width, self._methods)
        else:
            frame, bits = self._encoded(path, low_resolution)
            self._bits_per_pixel.append(bits / (height * width))
            results = {name: resized_view(frame, height, width, kernel) for name, kernel in BASELINES.items()}
            results |= {method.name: _view(method.upscale(frame)) for method in self._methods}
            truth = View(np.rint(truth.luma), truth.rgb)
        truth = truth.without_border(scale)
        results = {name: view.without_border(scale) for name, view in results.items()}
        for meter in self._meters:
            meter.add(truth, results)
        if show:
            finder = CropFinder(self._condition.title, border=scale)
            finder.add(path.name, truth, results)
            show(finder.comparison())

    def rows(self, wanted: Sequence[str], warn: Warn) -> list[Row]:
        """Return one row for each method."""
        bits = float(np.mean(self._bits_per_pixel)) if self._bits_per_pixel else None
        return make_rows(self._condition, self._meters, wanted, BICUBIC, warn=warn, bits_per_pixel=bits)

    def _encoded(self, path: Path, image: NDArray[np.uint8]) -> tuple[Frame, int]:
        """Return an image after encoding and decoding, and the encoded bits."""
        encoder = find_codec(self._options.codec)
        encoder.check_size(path, image.shape[1], image.shape[0])
        options = encoder.options(self._options.preset)
        frames = [limited_frame(image)]
        (frame,), payload = recode(frames, codec=self._options.codec, crf=self._condition.crf, options=options)
        return frame, payload * 8


def _from_clean(
    image: NDArray[np.uint8], height: int, width: int, methods: Sequence[UpscalingMethod]
) -> dict[str, View]:
    """Upscale an RGB image. Luma networks get its luma at 10 bits, because the literature does not round it to 8."""
    results = {name: view_of_rgb(resize(image, height, width, kernel=kernel)) for name, kernel in BASELINES.items()}
    bicubic = results[BICUBIC].rgb()
    gray = Frame((np.rint(luma_of_rgb(image) * 4).astype(np.uint16),), LIMITED, bits=10)
    for method in methods:
        upscaled = method.upscale(Frame.from_rgb(image) if method.rgb else gray)
        results[method.name] = _view(upscaled, bicubic)
    return results


def _view(frame: Frame, colors: NDArray[np.uint8] | None = None) -> View:
    """Return a frame as it is measured; a gray one gets its chroma from `colors`."""
    luma = luma_codes(frame)
    if colors is None or len(frame.planes) > 1:
        return View(luma, lambda: rgb_of_frame(frame))
    return View(luma, lambda: with_luma(colors, luma))


def limited_frame(rgb: NDArray[np.uint8]) -> Frame:
    """Return an RGB image (height, width, 3) of even sides as an 8-bit limited-range BT.601 4:2:0 frame."""
    height, width = rgb.shape[:2]
    chroma = (rgb / 255) @ rgb_to_yuv(SMPTE170M)[1:].T * 224 + 128  # (height, width, 2)
    halved = np.rint(resize(chroma, height // 2, width // 2, kernel="area")).astype(np.uint8)
    planes = np.rint(luma_of_rgb(rgb)).astype(np.uint8), halved[..., 0], halved[..., 1]
    return Frame(planes, LIMITED)
