"""Does an engine compute what its network does? Held against f32 on the CPU, where its pictures begin."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.card import QP_NAME
from vidsr.engines import Engine, open_engine
from vidsr.engines.graph_format import PLANES_IN, PLANES_OUT
from vidsr.errors import ParityFailed
from vidsr.upscaling.graph.edges import attach
from vidsr.upscaling.graph.frame_format import FrameFormat
from vidsr.upscaling.graph.nv12_edges import SURFACE_IN, SURFACE_OUT
from vidsr.upscaling.model_file import Model

SIDE = 64  # of what is compared, in input pixels
MOST, MEAN = 4, 0.5
"""Levels of 8 bits, the most and the mean: f16 is off by 1 and 0.03 here and there, one that overflows by a hundred."""
P010 = 6  # bits by which it holds codes higher

Planes = dict[str, NDArray[Any]]


def check_engine(engine: Engine, network: Model, pixels: FrameFormat) -> float:
    """Run an engine on a busy picture of its size and hold a corner of it against f32; give the mean difference.

    Both are in levels of 8 bits. Raises ParityFailed where they are too large.
    """
    scale, seen = network.card.scale, SIDE + network.receptive_field
    whole = _pictures(pixels, 1 if pixels.gray or (network.card.channels == 1 and not pixels.surface) else 3)
    known = {} if network.stored_qp is None else {QP_NAME: np.full_like(network.stored_qp, 0.5)}
    given = _held_together(whole, pixels.bits) if pixels.surface else whole
    ours = dict(engine.submit({**given, **known}).result())
    if pixels.surface:
        ours = _taken_apart(ours[SURFACE_OUT], pixels, scale)
    corner = replace(pixels, width=min(seen, pixels.width), height=min(seen, pixels.height))
    expected = _exact(network, corner, whole, known)
    # Where the corner was cut, the network saw something else there.
    kept = replace(
        pixels,
        width=(corner.width if corner.width == pixels.width else SIDE) * scale,
        height=(corner.height if corner.height == pixels.height else SIDE) * scale,
    )
    worst = mean = 0.0
    for name, plane in expected.items():
        off = np.abs(_cut(ours[name], kept, name).astype(float) - _cut(plane, kept, name)) / (1 << (pixels.bits - 8))
        worst, mean = max(worst, float(off.max())), max(mean, float(off.mean()))
    if not (worst <= MOST and mean <= MEAN):
        raise ParityFailed(
            f"the engine of {network.card.name} is off by up to {worst:.0f} levels, {mean:.2f} in the mean; nothing "
            "was written; build it with --no-fp16"
        )
    return mean


def _exact(network: Model, corner: FrameFormat, whole: Planes, known: Planes) -> Planes:
    """What f32 makes of the corner: luma alone by a luma network."""
    card = network.card
    plain = replace(corner, surface=False)
    graph = attach(network.graph, plain, channels=card.channels, scale=card.scale, step=card.step, shuffled=True)
    names = PLANES_IN[: network.card.channels]
    pieces = {name: np.ascontiguousarray(_cut(whole[name], corner, name)) for name in names if name in whole}
    with open_engine(graph, device="cpu", precision="f32", in_flight=1) as engine:
        return {name: array.copy() for name, array in engine.submit({**pieces, **known}).result().items()}


def _pictures(pixels: FrameFormat, count: int) -> Planes:
    """Waves, edges and noise, in the codes that film has."""
    rng = np.random.default_rng(0)
    planes: Planes = {}
    for name in PLANES_IN[:count]:
        across, down = _halvings(name, pixels)
        y, x = np.mgrid[0 : (pixels.height + down) >> down, 0 : (pixels.width + across) >> across]
        picture = 125 + 60 * np.sin(x / 5) * np.cos(y / 7) + 40 * ((x // 9 + y // 6) % 2) + rng.normal(0, 6, x.shape)
        codes = np.rint(np.clip(picture, 16, 235) * (1 << (pixels.bits - 8)))
        planes[name] = codes.astype(np.uint8 if pixels.bits == 8 else np.uint16)[None, None]
    return planes


def _held_together(planes: Planes, bits: int) -> Planes:
    """Planes as NV12 or P010 holds them."""
    y, u, v = (planes[name][0, 0] << (0 if bits == 8 else P010) for name in PLANES_IN)
    return dict(zip(SURFACE_IN, (y, np.stack([u, v], -1)), strict=True))


def _taken_apart(surface: NDArray[Any], pixels: FrameFormat, scale: int) -> Planes:
    """The way back, for an enlarged picture."""
    height, width = pixels.height * scale, pixels.width * scale
    codes = surface[:, :width] >> (0 if pixels.bits == 8 else P010)
    u, v = codes[height:, ::2], codes[height:, 1::2]
    return {name: plane[None, None] for name, plane in zip(PLANES_OUT, (codes[:height], u, v), strict=True)}


def _halvings(name: str, pixels: FrameFormat) -> tuple[int, int]:
    return (0, 0) if name in (PLANES_IN[0], PLANES_OUT[0]) else pixels.color.subsampling


def _cut(plane: NDArray[Any], kept: FrameFormat, name: str) -> NDArray[Any]:
    """A plane (1, 1, h, w) as far as a width and height of luma reach."""
    across, down = _halvings(name, kept)
    return plane[:, :, : (kept.height + down) >> down, : (kept.width + across) >> across]
