"""Example crops at about equal bit rates: the original, full size, and lower resolutions upscaled."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from vidsr.evaluate.bandwidth.commands import target_point
from vidsr.evaluate.bandwidth.encode import DeliveryMethod, encode, kbit_per_second
from vidsr.evaluate.bandwidth.rd_curves import RdCurve
from vidsr.evaluate.bandwidth.results import BandwidthResult
from vidsr.evaluate.bandwidth.verdict import winner
from vidsr.evaluate.quality.compression import CODECS
from vidsr.evaluate.quality.crop_choice import TRUTH
from vidsr.evaluate.quality.views import rgb_of_frame
from vidsr.frames import Frame

SIDE = 280  # pixels; even, because chroma is subsampled


@dataclass(frozen=True, slots=True)
class ExampleCrop:
    """One square of one frame in every version."""

    place: str
    images: tuple[tuple[NDArray[np.uint8], str], ...]
    """(height, width, 3) RGB and caption: the original, native, Lanczos, the models."""


def make_examples(result: BandwidthResult, methods: Sequence[DeliveryMethod]) -> list[ExampleCrop]:
    """Encode the clip at full size and at the winning one, at about equal bit rates, and crop its middle frame.

    methods: as from `open_delivery_methods`. The crops are where full size has the largest error, and where the
    original has most detail.
    """
    best = winner(result)
    scale = result.curve(best.curve).scale if best else result.curves[1].scale
    small = [curve for curve in result.curves if curve.scale == scale]
    point = target_point(result, result.curve(best.curve) if best else small[-1])
    index = result.video.frames // 2
    original = next(islice(result.video, index, None))
    crf = crf_for_rate(result.curves[0], point.kbit, CODECS[result.encoder.codec].max_crf)
    native, kbit = _decoded(result, 1, crf, index)
    decoded, small_kbit = _decoded(result, scale, point.crf, index)
    versions = {TRUTH: rgb_of_frame(original), f"native, {kbit:.0f} kbit/s": rgb_of_frame(native)}
    for curve in small:
        method = next(method for method in methods if method.name == curve.name)
        versions[f"{curve.name}, {small_kbit:.0f} kbit/s"] = rgb_of_frame(method.upscale(decoded))
    return [
        ExampleCrop(
            f"frame {index + 1}, from line {top} and column {left}",
            tuple((rgb[top : top + SIDE, left : left + SIDE], name) for name, rgb in versions.items()),
        )
        for top, left in _crop_places(original, native)
    ]


def crf_for_rate(curve: RdCurve, kbit: float, max_crf: float) -> float:
    """Return the CRF at which a curve has about this bit rate: linear in its logarithm, also beyond the ends."""
    points = sorted(curve.points, key=lambda point: point.kbit)
    logs, crfs = np.log([point.kbit for point in points]), np.array([point.crf for point in points])
    at = int(np.clip(np.searchsorted(logs, np.log(kbit)), 1, len(points) - 1))
    slope = (crfs[at] - crfs[at - 1]) / (logs[at] - logs[at - 1])
    return float(np.clip(np.round(crfs[at] + slope * (np.log(kbit) - logs[at]), 1), 0, max_crf))


def _decoded(result: BandwidthResult, scale: int, crf: float, index: int) -> tuple[Frame, float]:
    """Return one decoded frame of an encode, and the bit rate of the whole encode in kbit/s."""
    channel, frames = encode(result.video, scale, crf, result.encoder)
    (frame,) = [frame for number, frame in enumerate(frames) if number == index]
    return frame, kbit_per_second(channel, result.video)


def _crop_places(original: Frame, native: Frame) -> list[tuple[int, int]]:
    """Return top and left of two different squares."""
    luma = original.planes[0].astype(np.float32)
    error = np.abs(luma - native.planes[0])
    detail = np.abs(np.diff(luma, axis=1, append=luma[:, -1:]))
    places: list[tuple[int, int]] = []
    for weight in (error, detail):
        means = _square_means(weight)
        for square in np.argsort(-means, axis=None):
            row, column = divmod(int(square), means.shape[1])
            if (row * SIDE, column * SIDE) not in places:
                places.append((row * SIDE, column * SIDE))
                break
    return places


def _square_means(weight: NDArray[np.float32]) -> NDArray[np.float64]:
    down, across = (max(length // SIDE, 1) for length in weight.shape)
    within = weight[: down * SIDE, : across * SIDE]
    rows, columns = within.shape[0] // down, within.shape[1] // across
    squares = within.reshape(down, rows, across, columns)
    return np.asarray(squares.mean(axis=(1, 3), dtype=np.float64))
