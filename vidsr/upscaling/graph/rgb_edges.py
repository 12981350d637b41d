"""The edges of an RGB network: planes -> R'G'B' in float, by the matrix and range of the stream, and back."""

from collections.abc import Iterator

import numpy as np

from vidsr.color import ChromaLocation, ColorSpec, Levels, levels_of, rgb_to_yuv
from vidsr.upscaling.graph.editor import GraphEditor
from vidsr.upscaling.graph.frame_format import FrameFormat

END = np.iinfo(np.int32).max


def attach_rgb(editor: GraphEditor, codes: list[str], wanted: FrameFormat) -> list[str]:
    """Feed a network of three channels with planes, Y alone or Y, U and V; return the upscaled planes.

    Both are codes as float, (1, 1, h, w); the result is not rounded yet.
    """
    levels = levels_of(wanted.color, wanted.bits)
    _feed_rgb(editor, codes, wanted, levels)
    rgb = editor.image()
    to_yuv = rgb_to_yuv(wanted.color.matrix)
    upscaled = []
    for plane in range(len(codes)):
        weighted = editor.add("Mul", rgb, editor.constant(to_yuv[plane].reshape(1, 3, 1, 1)))
        value = editor.add("ReduceSum", weighted, editor.constant([1], np.int64), keepdims=1)
        if plane:
            value = _subsampled(editor, value, wanted.color)
        zero, span = levels.chroma if plane else levels.luma
        upscaled.append(editor.add("Add", editor.add("Mul", value, editor.constant(span)), editor.constant(zero)))
    return upscaled


def _feed_rgb(editor: GraphEditor, codes: list[str], wanted: FrameFormat, levels: Levels) -> None:
    to_rgb = np.linalg.inv(rgb_to_yuv(wanted.color.matrix))
    zero, span = levels.luma
    y = editor.add("Sub", codes[0], editor.constant(zero))
    rgb = editor.add("Mul", y, editor.constant(np.full((1, 3, 1, 1), 1 / span)))
    if len(codes) > 1:
        zero, span = levels.chroma
        both = editor.add("Sub", editor.add("Concat", *codes[1:], axis=1), editor.constant(zero))
        both = _interpolated(editor, both, wanted)
        for plane in (1, 2):
            share = editor.constant(to_rgb[:, plane].reshape(1, 3, 1, 1) / span)
            rgb = editor.add("Add", rgb, editor.add("Mul", editor.part(both, 1, plane - 1, plane), share))
    editor.feed(rgb)


def halved(color: ColorSpec) -> Iterator[tuple[int, bool]]:
    """Yield the axes of (1, 1, h, w) on which chroma is halved, and whether it lies on every other luma sample."""
    across, down = color.subsampling
    if down:
        yield 2, on_luma(color.chroma_location, 2)
    if across:
        yield 3, on_luma(color.chroma_location, 3)


def on_luma(chroma_location: ChromaLocation, axis: int) -> bool:
    """Return whether chroma lies on every other luma sample down (axis 2) or across (3), not between two."""
    return chroma_location == "topleft" or (chroma_location == "left" and axis == 3)


def _interpolated(editor: GraphEditor, chroma: str, wanted: FrameFormat) -> str:
    """Return chroma at the size of luma, by linear interpolation from where its samples lie."""
    for axis, on_luma in halved(wanted.color):
        chroma = editor.add(
            "Resize",
            chroma,
            "",
            editor.constant([2 if axis == each else 1 for each in range(4)]),
            mode="linear",
            coordinate_transformation_mode="asymmetric" if on_luma else "half_pixel",
        )
    sides = zip((wanted.width, wanted.height), wanted.color.subsampling, strict=True)
    if all(length % (1 << times) == 0 for length, times in sides):
        return chroma  # nothing to cut off, and the graph is the same for every such size
    ends, axes = editor.constant([wanted.height, wanted.width], np.int64), editor.constant([2, 3], np.int64)
    return editor.add("Slice", chroma, editor.constant([0, 0], np.int64), ends, axes)


def _subsampled(editor: GraphEditor, chroma: str, color: ColorSpec) -> str:
    """Return chroma at half the size: the mean of the two samples it lies between, or 1 2 1 of those around it."""
    for axis, on_luma in halved(color):
        pads = np.zeros((2, 4), np.int64)
        pads[:, axis] = 1
        padded = editor.add("Pad", chroma, editor.constant(pads.ravel(), np.int64), mode="edge")
        # padded[0::2], [1::2], [2::2]: the luma samples before, at and after each chroma sample's even one
        before, at, after = (_every_other(editor, padded, axis, start) for start in range(3))
        if on_luma:
            chroma = editor.add("Mul", editor.add("Add", before, after), editor.constant(0.25))
            chroma = editor.add("Add", chroma, editor.add("Mul", at, editor.constant(0.5)))
        else:
            chroma = editor.add("Mul", editor.add("Add", at, after), editor.constant(0.5))
    return chroma


def _every_other(editor: GraphEditor, padded: str, axis: int, start: int) -> str:
    """Return padded[start::2] on one axis of n + 2 samples, one for each chroma sample of n."""
    end = start - 2 or END
    starts, ends, axes, steps = (editor.constant([each], np.int64) for each in (start, end, axis, 2))
    return editor.add("Slice", padded, starts, ends, axes, steps)
