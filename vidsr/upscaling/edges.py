"""A model's edges: integer planes -> float -> the plain network -> clamp, round -> integer planes, in one graph.

The stored network knows pictures in [0, 1] only. What a stream adds (depth, range, matrix, chroma subsampling and
siting, size) is attached when it is opened.
"""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from vidsr.engines.names import REBUILD
from vidsr.frames import ColorSpec
from vidsr.upscaling.colours import attach_colours
from vidsr.upscaling.pixels import Pixels, command_for
from vidsr.upscaling.surface import enlarged_chroma, surface_in, surface_out
from vidsr.upscaling.surgery import PLANES_IN, PLANES_OUT, UNSHUFFLED, Surgery


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
) -> bytes:
    """Make the graph that enlarges the planes of one stream.

    model: one float input (n, channels, h, w) in [0, 1], one output. height, width: of the luma plane. shuffled: leave
    the pixel shuffle that ends a luma network where it is, as is best on a GPU. watched: give FINITE too. model_name:
    for the command that builds an engine for the graph, which its metadata keeps.
    Returns ONNX bytes: inputs PLANES_IN (the first alone for a luma network or a gray picture) and, where the network
    knows it, `quantiser` (1, 1, 1, 1) float32, QP / 51; outputs PLANES_OUT likewise, or UNSHUFFLED.
    Raises NotAModel where the network is none for pictures.
    """
    surgery = Surgery(model, watched=watched)
    pixels = Pixels(width, height, bits, color, gray)
    surgery.note(REBUILD, command_for(model_name, pixels, channels=channels))
    if channels == 1:
        _attach_luma(surgery, height, width, bits, luma_top(bits, color.full_range), shuffled)
        return surgery.done()
    across, down = color.subsampling
    sizes = [(height, width)] + ([] if gray else 2 * [((height + down) >> down, (width + across) >> across)])
    planes = [surgery.plane_in(name, *size, bits) for name, size in zip(PLANES_IN, sizes, strict=False)]
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
) -> bytes:
    """The same for pictures as GPUs hold them, chroma enlarged as well: inputs SURFACE_IN, output SURFACE_OUT.

    scale: of the network. height, width: of the luma plane, even; chroma is 4:2:0.
    """
    surgery = Surgery(model, watched=watched)
    surgery.note(REBUILD, command_for(model_name, Pixels(width, height, bits, color, surface=True), channels=channels))
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
    """Write UNSHUFFLED (1, h, w, s²) into a plane (h * s, w * s).

    The s neighbours on a line move as one number: for s = 2 and 4 six times as fast as the pixel shuffle in the graph.
    """
    _, height, width, square = unshuffled.shape
    side = round(square**0.5)
    size = plane.itemsize * side
    word = {2: "u2", 4: "u4", 8: "u8"}.get(size, f"V{size}")
    words = unshuffled.view(word).reshape(height, width, side).transpose(0, 2, 1)  # (h, s, w)
    target = plane.view(word)  # (h * s, w)
    strides = (side * target.strides[0], *target.strides)
    np.copyto(np.lib.stride_tricks.as_strided(target, (height, side, width), strides), words)


def _attach_luma(surgery: Surgery, height: int, width: int, bits: int, top: int, shuffled: bool) -> None:
    codes = surgery.plane_in(PLANES_IN[0], height, width, bits)
    surgery.feed(surgery.add("Mul", codes, surgery.constant(1 / top)))
    # Taking the last pixel shuffle out of the graph saves a fifth of a small network's time on a CPU.
    unshuffled = not shuffled and surgery.take_shuffle()
    large = surgery.add_codes(codes, top) if unshuffled else None
    large = large or surgery.add("Mul", surgery.picture(), surgery.constant(top))
    surgery.plane_out(UNSHUFFLED if unshuffled else PLANES_OUT[0], large, bits, lines_last=unshuffled)
