"""The edges of an RGB network: planes -> R'G'B' in float by the stream's matrix and range, and back."""

from collections.abc import Iterator

import numpy as np

from vidsr.color import ChromaLocation, ColorSpec, Levels, levels_of, rgb_to_yuv
from vidsr.upscaling.graph.editor import Surgery

END = np.iinfo(np.int32).max


def attach_colours(
    surgery: Surgery, codes: list[str], *, height: int, width: int, bits: int, color: ColorSpec
) -> list[str]:
    """Feed a network of three channels with planes, Y alone or Y, U and V; gives the enlarged ones.

    Both are codes as float, (1, 1, lines, columns), which are yet to be rounded.
    """
    levels = levels_of(color, bits)
    feed_colours(surgery, codes, height=height, width=width, color=color, levels=levels)
    rgb = surgery.picture()
    to_yuv = rgb_to_yuv(color.matrix)
    enlarged = []
    for plane in range(len(codes)):
        weighted = surgery.add("Mul", rgb, surgery.constant(to_yuv[plane].reshape(1, 3, 1, 1)))
        value = surgery.add("ReduceSum", weighted, surgery.constant([1], np.int64), keepdims=1)
        if plane:
            value = _reduced(surgery, value, color)
        zero, span = levels.chroma if plane else levels.luma
        enlarged.append(surgery.add("Add", surgery.add("Mul", value, surgery.constant(span)), surgery.constant(zero)))
    return enlarged


def feed_colours(
    surgery: Surgery, codes: list[str], *, height: int, width: int, color: ColorSpec, levels: Levels
) -> str:
    """Feed a network of three channels; gives chroma less its zero at luma's size, (1, 2, h, w); "" for gray."""
    to_rgb = np.linalg.inv(rgb_to_yuv(color.matrix))
    zero, span = levels.luma
    y = surgery.add("Sub", codes[0], surgery.constant(zero))
    rgb = surgery.add("Mul", y, surgery.constant(np.full((1, 3, 1, 1), 1 / span)))
    if len(codes) == 1:
        surgery.feed(rgb)
        return ""
    zero, span = levels.chroma
    both = surgery.add("Sub", surgery.add("Concat", *codes[1:], axis=1), surgery.constant(zero))
    both = _enlarged(surgery, both, height, width, color)
    for plane in (1, 2):
        share = surgery.constant(to_rgb[:, plane].reshape(1, 3, 1, 1) / span)
        rgb = surgery.add("Add", rgb, surgery.add("Mul", surgery.part(both, 1, plane - 1, plane), share))
    surgery.feed(rgb)
    return both


def halved(color: ColorSpec) -> Iterator[tuple[int, bool]]:
    """The axes of (1, 1, h, w) on which chroma is halved, and whether its samples lie on every other luma sample."""
    across, down = color.subsampling
    if down:
        yield 2, on_luma(color.chroma_location, 2)
    if across:
        yield 3, on_luma(color.chroma_location, 3)


def on_luma(chroma_location: ChromaLocation, axis: int) -> bool:
    """Whether chroma samples lie on every other luma sample down (axis 2) or across (3), rather than between two."""
    return chroma_location == "topleft" or (chroma_location == "left" and axis == 3)


def _enlarged(surgery: Surgery, chroma: str, height: int, width: int, color: ColorSpec) -> str:
    """Chroma at the size of luma, by linear interpolation from where its samples lie."""
    for axis, on_luma in halved(color):
        chroma = surgery.add(
            "Resize",
            chroma,
            "",
            surgery.constant([2 if axis == each else 1 for each in range(4)]),
            mode="linear",
            coordinate_transformation_mode="asymmetric" if on_luma else "half_pixel",
        )
    if all(length % (1 << times) == 0 for length, times in zip((width, height), color.subsampling, strict=True)):
        return chroma  # nothing to cut off, so that the graph is the same for every such size
    ends, axes = surgery.constant([height, width], np.int64), surgery.constant([2, 3], np.int64)
    return surgery.add("Slice", chroma, surgery.constant([0, 0], np.int64), ends, axes)


def _reduced(surgery: Surgery, chroma: str, color: ColorSpec) -> str:
    """Chroma at half the size of luma: the mean of the two samples it lies between, or 1 2 1 of those around it."""
    for axis, on_luma in halved(color):
        pads = np.zeros((2, 4), np.int64)
        pads[:, axis] = 1
        padded = surgery.add("Pad", chroma, surgery.constant(pads.ravel(), np.int64), mode="edge")
        # padded[0::2], [1::2], [2::2]: the luma samples before, at and after each chroma sample's even one
        before, at, after = (_every_other(surgery, padded, axis, start) for start in range(3))
        if on_luma:
            chroma = surgery.add("Mul", surgery.add("Add", before, after), surgery.constant(0.25))
            chroma = surgery.add("Add", chroma, surgery.add("Mul", at, surgery.constant(0.5)))
        else:
            chroma = surgery.add("Mul", surgery.add("Add", at, after), surgery.constant(0.5))
    return chroma


def _every_other(surgery: Surgery, padded: str, axis: int, start: int) -> str:
    """padded[start::2] on one axis, of which n + 2 are there, as far as the chroma of n reaches."""
    end = start - 2 or END
    starts, ends, axes, steps = (surgery.constant([each], np.int64) for each in (start, end, axis, 2))
    return surgery.add("Slice", padded, starts, ends, axes, steps)
