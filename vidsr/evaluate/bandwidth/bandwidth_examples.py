"""What equal bits look like: the same parts of one frame, at full size and small, beside the truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from vidsr.evaluate.bandwidth.commands import aimed_at
from vidsr.evaluate.bandwidth.encode import SendMethod, encode
from vidsr.evaluate.bandwidth.rd_curves import Curve, Floats
from vidsr.evaluate.bandwidth.results import Answer
from vidsr.evaluate.bandwidth.verdict import winner
from vidsr.evaluate.quality.compression import CODECS
from vidsr.evaluate.quality.views import colors_of
from vidsr.frames import Frame

SIDE = 280  # pixels; even, since chroma is halved


@dataclass(frozen=True, slots=True)
class Part:
    """One square of one frame in every version."""

    place: str
    pictures: tuple[tuple[NDArray[np.uint8], str], ...]
    """(height, width, 3) RGB with its caption: the truth, native, Lanczos, the models."""


def show_parts(answer: Answer, ways: Sequence[SendMethod]) -> list[Part]:
    """Encode the clip at full size and small at about equal bits, and cut squares out of its middle frame.

    ways: open, of `open_ways`. The squares are where the encode at full size lost most, and where the truth has most
    detail.
    """
    best = winner(answer)
    scale = answer.curve(best.curve).scale if best else answer.curves[1].scale
    small = [curve for curve in answer.curves if curve.scale == scale]
    point = aimed_at(answer, answer.curve(best.curve) if best else small[-1])
    index = answer.video.frames // 2
    truth = next(islice(answer.video, index, None))
    native, kbit = _sent(answer, 1, crf_for(answer.curves[0], point.kbit, CODECS[answer.encoder.codec].highest), index)
    arrived, small_kbit = _sent(answer, scale, point.crf, index)
    versions = {"truth": truth, f"native, {kbit:.0f} kbit/s": native}
    for curve in small:
        way = next(way for way in ways if way.name == curve.name)
        versions[f"{curve.name}, {small_kbit:.0f} kbit/s"] = way.enlarge(arrived)
    return [
        Part(
            f"frame {index + 1}, from line {top} and column {left}",
            tuple((colors_of(_cut(frame, top, left)), name) for name, frame in versions.items()),
        )
        for top, left in _places(truth, native)
    ]


def crf_for(curve: Curve, kbit: float, highest: float) -> float:
    """The CRF at which a curve takes about that many bits: linear in the log rate, carried on beyond its ends."""
    points = sorted(curve.points, key=lambda point: point.kbit)
    logs, crfs = np.log([point.kbit for point in points]), np.array([point.crf for point in points])
    at = int(np.clip(np.searchsorted(logs, np.log(kbit)), 1, len(points) - 1))
    slope = (crfs[at] - crfs[at - 1]) / (logs[at] - logs[at - 1])
    return float(np.clip(np.round(crfs[at] + slope * (np.log(kbit) - logs[at]), 1), 0, highest))


def _sent(answer: Answer, scale: int, crf: float, index: int) -> tuple[Frame, float]:
    """One frame of an encode as it arrives, and the kilobits a second of the whole encode."""
    channel, arriving = encode(answer.video, scale, crf, answer.encoder)
    frame = _nth(arriving, index)
    return frame, channel.payload * 8 / 1000 / answer.video.seconds


def _nth(frames: Iterable[Frame], index: int) -> Frame:
    """Go through all frames and keep one."""
    found = None
    for number, frame in enumerate(frames):
        if number == index:
            found = frame
    assert found is not None
    return found


def _places(truth: Frame, native: Frame) -> list[tuple[int, int]]:
    """The first line and column of the squares, no two the same."""
    luma = truth.planes[0].astype(np.float32)
    lost = np.abs(luma - native.planes[0])
    detail = np.abs(np.diff(luma, axis=1, append=luma[:, -1:]))
    places: list[tuple[int, int]] = []
    for weight in (lost, detail):
        means = _tile_means(weight)
        for tile in np.argsort(-means, axis=None):
            place = tuple(int(i) * SIDE for i in np.unravel_index(tile, means.shape))
            if place not in places:
                places.append((place[0], place[1]))
                break
    return places


def _tile_means(weight: NDArray[np.float32]) -> Floats:
    high, wide = (max(length // SIDE, 1) for length in weight.shape)
    within = weight[: high * SIDE, : wide * SIDE]
    rows, columns = within.shape[0] // high, within.shape[1] // wide
    tiles = within.reshape(high, rows, wide, columns)  # (tiles down, lines, tiles across, columns)
    return np.asarray(tiles.mean(axis=(1, 3), dtype=np.float64))


def _cut(frame: Frame, top: int, left: int) -> Frame:
    luma, *chroma = frame.planes
    half = slice(top // 2, (top + SIDE) // 2), slice(left // 2, (left + SIDE) // 2)
    planes = luma[top : top + SIDE, left : left + SIDE], *(plane[half] for plane in chroma)
    return replace(frame, planes=planes, av_frame=None)
