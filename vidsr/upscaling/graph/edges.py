"""Attach edges to a model, in one graph: integer planes -> float -> network -> clamp, round -> integer planes.

The stored network takes images in [0, 1] only. What a stream adds (depth, range, matrix, chroma subsampling and
location, size) is attached when the model is opened for it.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vidsr.engines.graph_format import PLANES_IN, PLANES_OUT, REBUILD, UNSHUFFLED
from vidsr.upscaling.graph.editor import GraphEditor
from vidsr.upscaling.graph.frame_format import FrameFormat, command_for
from vidsr.upscaling.graph.nv12_edges import surface_in, surface_out, upscaled_chroma
from vidsr.upscaling.graph.rgb_edges import attach_rgb


def attach(
    model: onnx.ModelProto,
    wanted: FrameFormat,
    *,
    channels: int,
    scale: int = 1,
    step: int | tuple[int, int] = 1,
    shuffled: bool = False,
    guarded: bool = False,
    name: str = "MODEL",
) -> bytes:
    """Return the graph, as ONNX bytes, that upscales frames of one format.

    model: one float input (n, channels, h, w) in [0, 1], one output. channels, scale, step: as its card says; scale and
    step matter only where frames are padded to a multiple of the step, or of one for height and one for width.
    shuffled: leave the pixel shuffle that ends a luma network in the graph, as is best on a GPU. guarded: add the
    output FINITE. name: of the model, for the command that builds an engine for this graph, which its metadata keeps.
    Inputs: PLANES_IN (the first alone for a luma network or gray frames) and, if the network takes it, the QP / 51,
    (1, 1, 1, 1) float32. Outputs: PLANES_OUT likewise, or UNSHUFFLED. Of NV12 and P010: SURFACE_IN and SURFACE_OUT.
    Raises NotAModel unless the network takes and returns one image.
    """
    editor = GraphEditor(model, guarded=guarded)
    editor.note(REBUILD, command_for(name, wanted, channels=channels))
    editor.pad(wanted.height, wanted.width, step=step, scale=scale)
    if wanted.surface:
        _attach_surface(editor, wanted, channels, scale)
    elif channels == 1:
        _attach_luma(editor, wanted, shuffled)
    else:
        across, down = wanted.color.subsampling
        half = (wanted.height + down) >> down, (wanted.width + across) >> across
        sizes = [(wanted.height, wanted.width), *([] if wanted.gray else [half, half])]
        planes = [editor.plane_in(port, *size, wanted.bits) for port, size in zip(PLANES_IN, sizes, strict=False)]
        for port, codes in zip(PLANES_OUT, attach_rgb(editor, planes, wanted), strict=False):
            editor.plane_out(port, codes, wanted.bits)
    return editor.finish()


def luma_top(bits: int, full_range: bool) -> int:
    """Return the code that a luma network sees as 1, so that a level means the same at every depth."""
    return (1 << bits) - 1 if full_range else 255 << (bits - 8)


def shuffle(unshuffled: NDArray[Any], plane: NDArray[Any]) -> None:
    """Write the samples of every pixel, (1, h, w, rows * columns), into a plane (h * rows, w * columns).

    Neighbours in a row move as one number: for 2 and 4 six times as fast as the pixel shuffle in the graph.
    """
    _, height, width, _ = unshuffled.shape
    rows, columns = plane.shape[0] // height, plane.shape[1] // width
    size = plane.itemsize * columns
    word = {2: "u2", 4: "u4", 8: "u8"}.get(size, f"V{size}")
    words = unshuffled.view(word).reshape(height, width, rows).transpose(0, 2, 1)  # (h, rows, w)
    target = plane.view(word)  # (h * rows, w)
    strides = (rows * target.strides[0], *target.strides)
    np.copyto(np.lib.stride_tricks.as_strided(target, (height, rows, width), strides), words)


def plane_index(name: str) -> int:
    """Return which plane an output of the graph holds; UNSHUFFLED holds samples of every luma pixel, for `shuffle`."""
    return 0 if name == UNSHUFFLED else PLANES_OUT.index(name)


def _attach_luma(editor: GraphEditor, wanted: FrameFormat, shuffled: bool) -> None:
    bits, top = wanted.bits, luma_top(wanted.bits, wanted.color.full_range)
    codes = editor.plane_in(PLANES_IN[0], wanted.height, wanted.width, bits)
    # Taking the last pixel shuffle out of the graph saves a fifth of a small network's time on a CPU.
    unshuffled = not shuffled and editor.take_shuffle()
    repeated = editor.take_repeats() if unshuffled else 0
    # A power of two and codes of 8 bits are exact in bf16; 1 / top is not.
    scaled = repeated and bits == 8 and editor.scale_first(256 / top)
    small = editor.add("Mul", codes, editor.constant(1 / 256 if scaled else 1 / top))
    editor.feed(small)
    large = editor.image()
    if not unshuffled:
        editor.plane_out(PLANES_OUT[0], editor.add("Mul", large, editor.constant(top)), bits)
        return
    # The input is added to all samples of a pixel, clamped and rounded with them in one pass, in f32.
    large = editor.samples(large)
    if repeated and not scaled:
        large = editor.add("Add", large, editor.samples(small))
    large = editor.add("Mul", large, editor.constant(top))
    if scaled:
        large = editor.add("Add", large, editor.samples(codes))
    editor.samples_out(UNSHUFFLED, editor.rounded(large, bits), bits)


def _attach_surface(editor: GraphEditor, wanted: FrameFormat, channels: int, scale: int) -> None:
    planes = surface_in(editor, height=wanted.height, width=wanted.width, bits=wanted.bits)
    if channels == 1:
        top = luma_top(wanted.bits, wanted.color.full_range)
        editor.feed(editor.add("Mul", planes[0], editor.constant(1 / top)))
        luma = editor.add("Mul", editor.image(), editor.constant(top))
        chroma = (upscaled_chroma(editor, plane, scale, wanted.color, wanted.bits) for plane in planes[1:])
        upscaled = [luma, *chroma]
    else:
        upscaled = attach_rgb(editor, planes, wanted)
    surface_out(editor, upscaled, height=wanted.height * scale, width=wanted.width * scale, bits=wanted.bits)
