"""A model's edges: integer planes -> float -> the plain network -> clamp, round -> integer planes, in one graph.

The stored network knows pictures in [0, 1] only. What a stream adds (depth, range, matrix, chroma subsampling and
siting, size) is attached when it is opened.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vidsr.color import ColorSpec, levels_of
from vidsr.engines.graph_format import PLANES_IN, PLANES_OUT, REBUILD, UNSHUFFLED, UNSHUFFLED_CHROMA
from vidsr.upscaling.graph.editor import Surgery
from vidsr.upscaling.graph.nv12_edges import enlarged_chroma, surface_in, surface_out
from vidsr.upscaling.graph.picture_format import Pixels, command_for
from vidsr.upscaling.graph.rgb_edges import attach_colours, feed_colours
from vidsr.upscaling.graph.tails import give_planes, takes


def attach(
    model: onnx.ModelProto,
    *,
    channels: int,
    height: int,
    width: int,
    bits: int,
    color: ColorSpec,
    gray: bool = False,
    shuffled: bool = False,
    watched: bool = False,
    model_name: str = "MODEL",
    scale: int = 1,
    step: int = 1,
) -> bytes:
    """Make the graph that enlarges the planes of one stream.

    model: one float input (n, channels, h, w) in [0, 1], one output. height, width: of the luma plane. shuffled: leave
    the pixel shuffle that ends a luma network where it is, as is best on a GPU. watched: give FINITE too. model_name:
    for the command that builds an engine for the graph, which its metadata keeps. scale, step: as the card says; the
    scale counts where pictures must be filled up to the step.
    Returns ONNX bytes: inputs PLANES_IN (the first alone for a luma network or a gray picture) and, where the network
    knows it, `quantiser` (1, 1, 1, 1) float32, QP / 51; outputs PLANES_OUT likewise, or UNSHUFFLED (and
    UNSHUFFLED_CHROMA).
    Raises NotAModel where the network is none for pictures.
    """
    surgery = Surgery(model, watched=watched)
    pixels = Pixels(width, height, bits, color, gray)
    surgery.note(REBUILD, command_for(model_name, pixels, channels=channels))
    filled = surgery.fill(height, width, step=step, scale=scale)
    if channels == 1:
        _attach_luma(surgery, height, width, bits, luma_top(bits, color.full_range), shuffled)
        return surgery.done()
    across, down = color.subsampling
    sizes = [(height, width)] + ([] if gray else 2 * [((height + down) >> down, (width + across) >> across)])
    planes = [surgery.plane_in(name, *size, bits) for name, size in zip(PLANES_IN, sizes, strict=False)]
    tail = None if shuffled or watched or filled else surgery.tail()
    if tail is not None and takes(tail, color, gray=gray):
        levels = levels_of(color, bits)
        chroma = feed_colours(surgery, planes, height=height, width=width, color=color, levels=levels)
        give_planes(surgery, tail, planes[0], chroma, bits=bits, color=color, levels=levels)
        return surgery.done()
    enlarged = attach_colours(surgery, planes, height=height, width=width, bits=bits, color=color)
    for name, codes in zip(PLANES_OUT, enlarged, strict=False):
        surgery.plane_out(name, codes, bits)
    return surgery.done()


def attach_surface(
    model: onnx.ModelProto,
    *,
    channels: int,
    scale: int,
    height: int,
    width: int,
    bits: int,
    color: ColorSpec,
    watched: bool = False,
    model_name: str = "MODEL",
    step: int = 1,
) -> bytes:
    """The same for pictures as GPUs hold them, chroma enlarged as well: inputs SURFACE_IN, output SURFACE_OUT.

    scale: of the network. height, width: of the luma plane, even; chroma is 4:2:0.
    """
    surgery = Surgery(model, watched=watched)
    surgery.note(REBUILD, command_for(model_name, Pixels(width, height, bits, color, surface=True), channels=channels))
    surgery.fill(height, width, step=step, scale=scale)
    planes = surface_in(surgery, height=height, width=width, bits=bits)
    if channels == 1:
        top = luma_top(bits, color.full_range)
        surgery.feed(surgery.add("Mul", planes[0], surgery.constant(1 / top)))
        luma = surgery.add("Mul", surgery.picture(), surgery.constant(top))
        enlarged = [luma, *(enlarged_chroma(surgery, plane, scale, color, bits) for plane in planes[1:])]
    else:
        enlarged = attach_colours(surgery, planes, height=height, width=width, bits=bits, color=color)
    surface_out(surgery, enlarged, height=height * scale, width=width * scale, bits=bits)
    return surgery.done()


def luma_top(bits: int, full_range: bool) -> int:
    """The code that a luma network sees as 1, so that a level means the same at every depth."""
    return (1 << bits) - 1 if full_range else 255 << (bits - 8)


def shuffle(unshuffled: NDArray[Any], plane: NDArray[Any]) -> None:
    """Write the samples of every pixel, (1, h, w, lines * columns), into a plane (h * lines, w * columns).

    The neighbours on a line move as one number: for 2 and 4 six times as fast as the pixel shuffle in the graph.
    """
    _, height, width, _ = unshuffled.shape
    lines, columns = plane.shape[0] // height, plane.shape[1] // width
    size = plane.itemsize * columns
    word = {2: "u2", 4: "u4", 8: "u8"}.get(size, f"V{size}")
    words = unshuffled.view(word).reshape(height, width, lines).transpose(0, 2, 1)  # (h, lines, w)
    target = plane.view(word)  # (h * lines, w)
    strides = (lines * target.strides[0], *target.strides)
    np.copyto(np.lib.stride_tricks.as_strided(target, (height, lines, width), strides), words)


def planes_of(name: str, codes: NDArray[Any]) -> dict[int, NDArray[Any]]:
    """What a graph's output holds, by plane: samples of every pixel for `shuffle`, or a plane (1, 1, h, w) itself."""
    if name == UNSHUFFLED:
        return {0: codes}
    if name == UNSHUFFLED_CHROMA:
        half = codes.shape[3] // 2
        return {1: codes[..., :half], 2: codes[..., half:]}
    return {PLANES_OUT.index(name): codes}


def _attach_luma(surgery: Surgery, height: int, width: int, bits: int, top: int, shuffled: bool) -> None:
    codes = surgery.plane_in(PLANES_IN[0], height, width, bits)
    # Taking the last pixel shuffle out of the graph saves a fifth of a small network's time on a CPU.
    unshuffled = not shuffled and surgery.take_shuffle()
    repeated = surgery.take_repeats() if unshuffled else 0
    # A power of two and codes of 8 bits are exact in bf16; 1 / top is not.
    scaled = repeated and bits == 8 and surgery.scale_first(256 / top)
    small = surgery.add("Mul", codes, surgery.constant(1 / 256 if scaled else 1 / top))
    surgery.feed(small)
    large = surgery.picture()
    if not unshuffled:
        surgery.plane_out(PLANES_OUT[0], surgery.add("Mul", large, surgery.constant(top)), bits)
        return
    # The picture is added to all samples of a pixel, clamped and rounded with them in one pass, in f32.
    large = surgery.samples(large)
    if repeated and not scaled:
        large = surgery.add("Add", large, surgery.samples(small))
    large = surgery.add("Mul", large, surgery.constant(top))
    if scaled:
        large = surgery.add("Add", large, surgery.samples(codes))
    surgery.samples_out(UNSHUFFLED, surgery.whole(large, bits), bits)
