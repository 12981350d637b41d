"""The edges of a network for NV12 or P010, so that frames stay in the memory of a GPU.

The graph takes Y (height, width), and interleaved U and V (height / 2, width / 2, 2). It returns both in one array, as
encoders want them: Y above UV, (1.5 height, pitch), of which the first `width` columns are used.
"""

import numpy as np
from numpy.typing import NDArray

from vidsr.color import ColorSpec
from vidsr.upscaling.graph.editor import GraphEditor
from vidsr.upscaling.graph.rgb_edges import on_luma

SURFACE_IN = ("in.surface.y", "in.surface.uv")
SURFACE_OUT = "out.surface"
PITCH_BYTES = 256  # lines are padded to a multiple of it, as FFmpeg does for CUDA
_SHIFT = 6  # P010 holds 10-bit codes in the upper bits of 16
_SHARPNESS = -0.6  # swscale's bicubic: Keys' cubic with this slope


def surface_in(editor: GraphEditor, *, height: int, width: int, bits: int) -> list[str]:
    """Add the inputs; return the codes of Y, U and V as float, each (1, 1, h, w)."""

    def codes(name: str, shape: list[int]) -> str:
        held = editor.codes_in(name, shape, bits)
        return held if bits == 8 else editor.add("Mul", held, editor.constant(2.0**-_SHIFT))

    luma = _shaped(editor, codes(SURFACE_IN[0], [height, width]), 1, 1, height, width)
    small = height // 2, width // 2
    both = editor.add("Transpose", codes(SURFACE_IN[1], [*small, 2]), perm=[2, 0, 1])
    ends = [editor.constant([end], np.int64) for end in range(3)]
    chroma = (editor.add("Slice", both, ends[plane], ends[plane + 1], ends[0]) for plane in range(2))
    return [luma, *(_shaped(editor, plane, 1, 1, *small) for plane in chroma)]


def surface_out(editor: GraphEditor, planes: list[str], *, height: int, width: int, bits: int) -> None:
    """Round the codes of Y, U and V, shaped as `surface_in` returns them but upscaled, into the output."""
    y, u, v = planes
    beside = editor.add("Transpose", editor.add("Concat", u, v, axis=1), perm=[0, 2, 3, 1])
    luma, chroma = _shaped(editor, y, height, width), _shaped(editor, beside, height // 2, width)
    both = editor.add("Concat", luma, chroma, axis=0)
    pitch = PITCH_BYTES if bits == 8 else PITCH_BYTES // 2
    filled = editor.add("Pad", both, editor.constant([0, 0, 0, -width % pitch], np.int64))
    editor.codes_out(SURFACE_OUT, filled, bits, shift=0 if bits == 8 else _SHIFT)


def upscaled_chroma(editor: GraphEditor, codes: str, scale: int, color: ColorSpec, bits: int) -> str:
    """Upscale one plane of chroma as swscale's bicubic does from where its samples lie: (1, 1, h * s, w * s)."""
    down, across = (_taps(scale, on_luma=on_luma(color.chroma_location, axis)) for axis in (2, 3))
    weights = np.einsum("iy,jx->ijyx", down, across).reshape(scale**2, 1, 5, 5)
    middle, pads = editor.constant(1 << (bits - 1)), editor.constant([0, 0, 2, 2] * 2, np.int64)
    around_zero = editor.add("Sub", codes, middle)  # where half precision is finest
    padded = editor.add("Pad", around_zero, pads, mode="edge")
    phases = editor.add("Conv", padded, editor.constant(weights))
    return editor.add("Add", editor.add("DepthToSpace", phases, blocksize=scale, mode="CRD"), middle)


def _shaped(editor: GraphEditor, value: str, *shape: int) -> str:
    return editor.add("Reshape", value, editor.constant(shape, np.int64))


def _taps(scale: int, *, on_luma: bool) -> NDArray[np.float64]:
    """Return the weights of five samples around each, for each of the `scale` it becomes: (scale, 5), rows of sum 1.

    Luma pixels are upscaled about their centre; chroma samples that lie on them move along.
    """
    phase = np.arange(scale)
    place = (phase / scale + (1 - scale) / (4 * scale)) if on_luma else (phase + 0.5) / scale - 0.5
    weights = _cubic(np.abs(place[:, None] - np.arange(-2, 3)))
    taps: NDArray[np.float64] = weights / weights.sum(1, keepdims=True)
    return taps


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate Keys' kernel (Cubic Convolution Interpolation for Digital Image Processing, 1981)."""
    d, a = distance, _SHARPNESS
    near, far = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))
