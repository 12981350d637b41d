"""RGB edges inside the network's last convolution, where a pixel shuffle follows it: matrix and halving cost nothing.

Both are linear, and so are the convolution and the repeated picture that may be added to it: instead of values of red,
green and blue it gives those of Y, U and V, and of chroma no more than the stream keeps.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vidsr.color import ColorSpec, Levels, rgb_to_yuv
from vidsr.engines.graph_format import UNSHUFFLED, UNSHUFFLED_CHROMA
from vidsr.upscaling.graph.editor import Surgery, Tail
from vidsr.upscaling.graph.rgb_edges import halved

Kernel = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Halving:
    """How the samples of one axis of a pixel's enlargement become those of chroma, by (samples of chroma, samples)."""

    own: Kernel
    before: Kernel
    """Of the pixel before; all zero where none of it counts."""

    @property
    def at_edge(self) -> Kernel:
        """The first pixel's own: its first sample is repeated before it."""
        edge = self.own.copy()
        edge[:, 0] += self.before.sum(axis=1)
        return edge


def halving(scale: int, *, halves: bool, on_luma: bool) -> Halving:
    """As `colours` does it: the mean of the two samples it lies between, or 1 2 1 of those around it."""
    if not halves:
        return Halving(np.eye(scale), np.zeros((scale, scale)))
    own, before = np.zeros((2, scale // 2, scale))
    for sample in range(scale // 2):
        if not on_luma:
            own[sample, 2 * sample : 2 * sample + 2] = 0.5
            continue
        own[sample, 2 * sample : 2 * sample + 2] = 0.5, 0.25
        place = (before, scale - 1) if sample == 0 else (own, 2 * sample - 1)
        place[0][sample, place[1]] = 0.25
    return Halving(own, before)


def takes(tail: Tail | None, color: ColorSpec, *, gray: bool) -> bool:
    """Whether chroma can be halved among the samples of a pixel and of the one to its left."""
    if tail is None or gray:
        return False
    return all(tail.scale % 2 == 0 and (axis == 3 or not on_luma) for axis, on_luma in halved(color))


def give_planes(
    surgery: Surgery, tail: Tail, luma: str, chroma: str, *, bits: int, color: ColorSpec, levels: Levels
) -> None:
    """Let a network's tail make UNSHUFFLED and UNSHUFFLED_CHROMA.

    luma: codes (1, 1, h, w); chroma: (1, 2, h, w), U and V at the size of luma, codes less the code of zero.
    """
    tail, scale = replace(tail, features=surgery.as_float(tail.features)), tail.scale
    kernel = tail.kernel.reshape(3, scale, scale, *tail.kernel.shape[1:]).astype(np.float64)
    bias = tail.bias.reshape(3, scale, scale).astype(np.float64)
    to_yuv = rgb_to_yuv(color.matrix) * [[levels.luma[1]], [levels.chroma[1]], [levels.chroma[1]]]
    kernels = np.einsum("pc,cji...->pji...", to_yuv, kernel)  # (3 planes, scale lines, scale columns, in, kh, kw)
    biases = np.einsum("pc,cji->pji", to_yuv, bias)

    zero = 0 if tail.repeats else levels.luma[0]
    codes = surgery.samples(_convolved(surgery, tail.features, kernels[0], biases[0] + zero, tail.pads))
    if tail.repeats:
        codes = surgery.add("Add", codes, surgery.samples(luma))
    surgery.samples_out(UNSHUFFLED, surgery.whole(codes, bits), bits)

    sides = {axis: on_luma for axis, on_luma in halved(color)}
    down = halving(scale, halves=2 in sides, on_luma=False).own
    across = halving(scale, halves=3 in sides, on_luma=sides.get(3, False))
    kernels, biases = (np.einsum("mj,pji...->pmi...", down, each[1:]) for each in (kernels, biases))
    codes = _halved(surgery, tail, kernels, biases + levels.chroma[0], across, chroma, bits)
    surgery.samples_out(UNSHUFFLED_CHROMA, surgery.samples(codes), bits)


def _halved(
    surgery: Surgery, tail: Tail, kernels: Kernel, biases: Kernel, across: Halving, chroma: str, bits: int
) -> str:
    """Chroma by a convolution of kernels (2, lines, scale columns, in, kh, kw): (1, 2 * lines * columns, h, w), whole.

    It is rounded at once, and what is added is added nowhere else: what OpenVINO cannot take into a convolution it
    is given in bf16.
    """

    def mixed(weights: Kernel, values: Kernel) -> Kernel:
        return np.asarray(np.einsum("ki,pmi...->pmk...", weights, values))

    def whole(features: str, kernel: Kernel, shares: Halving, pads: tuple[int, ...], chroma: str) -> str:
        codes = _convolved(surgery, features, kernel, mixed(shares.own + shares.before, biases), pads)
        if tail.repeats:
            codes = surgery.add("Add", codes, _repeated(surgery, chroma, kernels.shape[1], shares))
        return surgery.whole(codes, bits)

    top, left, bottom, right = tail.pads
    own = mixed(across.own, kernels)
    if not across.before.any():
        return whole(tail.features, own, across, tail.pads, chroma)
    # One column more to the left: what counts of the pixel before is its own kernel, moved.
    none = [(0, 0)] * (own.ndim - 1)
    wide = np.pad(own, [*none, (1, 0)]) + np.pad(mixed(across.before, kernels), [*none, (0, 1)])
    most = whole(tail.features, wide, across, (top, left + 1, bottom, right), chroma)
    # The first column has no pixel before it, and the padding of features stands for none.
    edge = Halving(across.at_edge, np.zeros_like(across.own))
    features, column = surgery.part(tail.features, 3, 0, right + 1), surgery.part(chroma, 3, 0, 1)
    first = whole(features, mixed(edge.own, kernels), edge, (top, left, bottom, 0), column)
    return surgery.add("Concat", first, surgery.part(most, 3, 1, None), axis=3)


def _repeated(surgery: Surgery, chroma: str, lines: int, across: Halving) -> str:
    """What the repeated picture adds: chroma (1, 2, h, w) -> (1, 2 * lines * columns, h, w)."""

    def spread(plane: str, weights: Kernel) -> str:
        share = surgery.constant(np.tile(weights.sum(axis=1), lines))
        last = surgery.add("Transpose", plane, perm=[0, 2, 3, 1])  # (1, h, w, 2)
        apart = surgery.add("Unsqueeze", last, surgery.constant([4], np.int64))
        return surgery.add("Mul", apart, share)  # (1, h, w, 2, lines * columns)

    total = spread(chroma, across.own)
    if across.before.any():
        pads = surgery.constant([0, 0, 0, 1, 0, 0, 0, 0], np.int64)
        moved = surgery.part(surgery.add("Pad", chroma, pads, mode="edge"), 3, 0, -1)
        total = surgery.add("Add", total, spread(moved, across.before))
    size = surgery.constant([0, 0, 0, -1], np.int64)
    return surgery.add("Transpose", surgery.add("Reshape", total, size), perm=[0, 3, 1, 2])


def _convolved(surgery: Surgery, features: str, kernel: Kernel, bias: Kernel, pads: tuple[int, ...]) -> str:
    """kernel: (..., in, kh, kw), bias: (...)."""
    weights = surgery.constant(kernel.reshape(-1, *kernel.shape[-3:]))
    return surgery.add("Conv", features, weights, surgery.constant(bias.ravel()), pads=list(pads))
