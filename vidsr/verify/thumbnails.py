"""Compare what the frames show: each reduced to a few cells, which upscaling and encoding hardly change."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vidsr.color import ColorSpec, levels_of, rgb_to_yuv
from vidsr.context import Code
from vidsr.frames import Frame, Plane
from vidsr.verify.findings import Finding
from vidsr.verify.inventory import Inventory
from vidsr.verify.timestamp_checks import frame_pairs
from vidsr.video.convert.image_metadata import rotated

CELLS = 8
"""Cells in each direction."""
SHAPE = (CELLS, CELLS, 4)
"""Rows, columns; R, G, B and opacity, in [0, 1]."""
_LEAST_PIXELS = 8  # in a cell in each direction; smaller cells would show how the picture was resized
_NEAR = 16 / 255  # by which encoding and resizing may change a cell; a wrong matrix changes saturated colours by 27
_NEAR_RGB = 22 / 255  # where subsampled chroma becomes RGB, in which saturated edges are clipped
_NEARER, _NOISE = 2, 0.5 / 255  # a frame is in a wrong place if it is so many times nearer to its neighbour's picture
_CHUNK = 4096  # frames


def thumbnail(frame: Frame) -> bytes:
    """Return the cells of a frame: SHAPE, float16. Cells cover equal areas, whatever the size of the frame."""
    levels = levels_of(frame.color, frame.bits)
    luma = (_cells(frame.planes[0]) - levels.luma[0]) / levels.luma[1]
    shift = _chroma_shift(frame.color)
    chroma = [(_cells(plane, shift) - levels.chroma[0]) / levels.chroma[1] for plane in frame.planes[1:3]]
    gray = [np.zeros_like(luma)] * (2 - len(chroma))
    yuv = np.stack([luma, *chroma, *gray], axis=2)
    rgb = yuv @ np.linalg.inv(rgb_to_yuv(frame.color.matrix)).T
    opacity: NDArray[np.floating] = np.ones_like(luma)
    if frame.alpha is not None:  # the mean of what is seen: formats change the colours of what is transparent
        seen = frame.alpha.astype(np.float32) / np.float32((1 << frame.bits) - 1)
        opacity = _cells(seen)
        weighted = (_cells(channel * seen) for channel in np.moveaxis(frame.to_rgb(), 2, 0))
        rgb = np.stack([cells / np.maximum(opacity, 1e-3) for cells in weighted], axis=2).astype(np.float64)
    return np.concatenate([rgb, opacity[..., None]], axis=2).astype(np.float16).tobytes()


def turned(thumbnails: NDArray[np.float16], display_matrix: tuple[int, ...]) -> NDArray[np.float16]:
    """Return thumbnails as they look after a player applied the display matrix."""
    return np.moveaxis(rotated(np.moveaxis(thumbnails, 0, 2), display_matrix), 2, 0)


def picture_finding(before: Inventory, after: Inventory, shift: Fraction) -> Finding:
    """Return the finding that frames of the same time show the same picture, or not.

    Other findings are about the tags of the colours. If they differ, the pictures may be the same with the tags of each
    file, as after a conversion, or with those of the input, as if the tags were lost.
    """
    pairs = np.array(frame_pairs(before, after, shift), np.int64).reshape(-1, 2)
    cells = 1 if before.fields else min(_cells_of(before.width), _cells_of(before.height))  # two fields have two times
    readings = [after.thumbnails]
    if (before.color.matrix, before.color.full_range) != (after.color.matrix, after.color.full_range):
        readings.append(_retagged(after.thumbnails, after.color, before.color))
    is_small = min(before.width, before.height) < 2 * cells * _LEAST_PIXELS
    becomes_rgb = before.color.subsampling != (0, 0) == after.color.subsampling
    near = _NEAR_RGB if becomes_rgb else _NEAR
    results = [_compared(before.thumbnails, thumbnails, pairs, cells, near, is_small) for thumbnails in readings]
    unlike, misplaced, worst = min(results, key=lambda result: (len({*result[0], *result[1]}), result[2]))
    kinds = (("differs", unlike), ("is in a wrong place", misplaced))
    found = [f"frame {numbers[0]} {what}" for what, numbers in kinds if numbers]
    text = f"{len({*unlike, *misplaced})}: {', '.join(found)}" if found else f"at most {worst * 255:.0f} of 255 off"
    return Finding(Code.PICTURE, f"{len(before.times)} frames", text, not found)


def _compared(
    old: NDArray[np.float16],
    new: NDArray[np.float16],
    pairs: NDArray[np.int64],
    cells: int,
    near: float,
    is_small: bool,
) -> tuple[list[int], list[int], float]:
    # The frames that differ, those in a wrong place, and the largest difference.
    unlike, misplaced, worst = list[int](), list[int](), 0.0
    for start in range(0, len(pairs), _CHUNK):
        numbers, others = pairs[start : start + _CHUNK].T
        apart = np.abs(_gaps(old[numbers], new[others], cells)).max((1, 2, 3))
        if is_small:  # where an encoder may fail in one cell; not in the four around it
            apart = np.maximum(apart / 2, np.abs(_gaps(old[numbers], new[others], max(cells // 2, 1))).max((1, 2, 3)))
        worst = max(worst, float(apart.max()))
        unlike += numbers[apart > near].tolist()
        misplaced += numbers[_misplaced(old[numbers], new[others])].tolist() if cells == CELLS else []
    return unlike, misplaced, worst


def _retagged(thumbnails: NDArray[np.float16], color: ColorSpec, other: ColorSpec) -> NDArray[np.float16]:
    # The same codes under other tags.
    yuv = thumbnails[..., :3].astype(np.float32) @ rgb_to_yuv(color.matrix).T
    levels, others = levels_of(color, 8), levels_of(other, 8)
    (black, luma), (middle, chroma) = others.luma, others.chroma
    y = (yuv[..., :1] * levels.luma[1] + levels.luma[0] - black) / luma
    c = (yuv[..., 1:] * levels.chroma[1] + levels.chroma[0] - middle) / chroma
    rgb = np.concatenate([y, c], axis=3) @ np.linalg.inv(rgb_to_yuv(other.matrix)).T
    return np.concatenate([rgb, thumbnails[..., 3:]], axis=3).astype(np.float16)


def _cells(plane: Plane | NDArray[np.float32], shift: tuple[float, float] = (0, 0)) -> NDArray[np.float32]:
    rows, columns = (_shares(side, by) for side, by in zip(plane.shape, shift, strict=True))
    mean: NDArray[np.float32] = rows @ plane.astype(np.float32) @ columns.T
    return mean


def _chroma_shift(color: ColorSpec) -> tuple[float, float]:
    # By how many of its samples chroma lies before the middle of the pixels that it belongs to: down, right.
    right, down = ((1 - 1 / (1 << halvings)) / 2 for halvings in color.subsampling)
    on_luma = color.chroma_location
    return (down if on_luma == "topleft" else 0.0, 0.0 if on_luma == "center" else right)


def _shares(side: int, shift: float) -> NDArray[np.float32]:
    # (CELLS, side): how much of a cell each pixel fills; a pixel may lie in two cells. shift: of the cells, in pixels.
    edges = np.arange(CELLS + 1)[:, None] * side / CELLS
    edges[1:-1] += shift
    filled = np.diff(np.clip(edges - np.arange(side), 0, 1), axis=0)
    shares: NDArray[np.float32] = (filled / filled.sum(1, keepdims=True)).astype(np.float32)
    return shares


def _cells_of(side: int) -> int:
    return next((cells for cells in (8, 4, 2) if side >= cells * _LEAST_PIXELS), 1)


def _gaps(old: NDArray[np.float16], new: NDArray[np.float16], cells: int) -> NDArray[np.float32]:
    # (frames, cells, cells, 4): differences; colours count as far as they are opaque.
    step = CELLS // cells
    gaps = old.astype(np.float32) - new.astype(np.float32)
    gaps[..., :3] *= np.minimum(old[..., 3:], new[..., 3:])
    merged: NDArray[np.float32] = gaps.reshape(len(gaps), cells, step, cells, step, 4).mean((2, 4))
    return merged


def _misplaced(old: NDArray[np.float16], new: NDArray[np.float16]) -> NDArray[np.bool_]:
    # Whether a frame of the output shows rather the picture before or behind.
    def apart(step: int) -> NDArray[np.float32]:
        neighbours = np.arange(len(old)) + step
        gaps = _gaps(old[neighbours.clip(0, len(old) - 1)], new, CELLS)
        rms: NDArray[np.float32] = np.sqrt((gaps**2).mean((1, 2, 3)))
        return rms

    own = apart(0)
    return (own > _NEARER * apart(-1) + _NOISE) | (own > _NEARER * apart(1) + _NOISE)
