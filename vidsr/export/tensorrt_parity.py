"""Comparison of a TensorRT engine with f32 on the CPU, on the top left corner of a test image."""

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

SIDE = 64  # of the compared corner, in input pixels
MAX_LIMIT, MEAN_LIMIT = 4, 0.5
"""Levels of 8 bits: f16 differs by about 1 and 0.03, an engine that overflows by a hundred."""
P010_SHIFT = 6  # P010 keeps its 10 bits in the upper ones of 16

Planes = dict[str, NDArray[Any]]


def check_engine(engine: Engine, model: Model, pixels: FrameFormat) -> float:
    """Run an engine on a test image and return the mean difference from f32, in levels of 8 bits.

    Raises ParityFailed if the differences are too large.
    """
    scale, side = model.card.scale, SIDE + model.receptive_field
    image = _test_image(pixels, 1 if pixels.gray or (model.card.channels == 1 and not pixels.surface) else 3)
    qp = {} if model.stored_qp is None else {QP_NAME: np.full_like(model.stored_qp, 0.5)}
    output = dict(engine.submit({**(_to_nv12(image, pixels.bits) if pixels.surface else image), **qp}).result())
    if pixels.surface:
        output = _from_nv12(output[SURFACE_OUT], pixels, scale)
    corner = replace(pixels, width=min(side, pixels.width), height=min(side, pixels.height))
    expected = _reference(model, corner, image, qp)
    # Beyond SIDE the corner's edge is within the receptive field, unless it is the image's edge too.
    compared = replace(
        pixels,
        width=(corner.width if corner.width == pixels.width else SIDE) * scale,
        height=(corner.height if corner.height == pixels.height else SIDE) * scale,
    )
    largest = mean = 0.0
    for name, plane in expected.items():
        difference = _crop(output[name], compared, name).astype(float) - _crop(plane, compared, name)
        levels = np.abs(difference) / (1 << (pixels.bits - 8))
        largest, mean = max(largest, float(levels.max())), max(mean, float(levels.mean()))
    if not (largest <= MAX_LIMIT and mean <= MEAN_LIMIT):
        raise ParityFailed(
            f"the engine of {model.card.name} differs from f32 by up to {largest:.0f} levels, {mean:.2f} on average;"
            " nothing was written; use --precision f32"
        )
    return mean


def _reference(model: Model, corner: FrameFormat, image: Planes, qp: Planes) -> Planes:
    """Return the network's output for the corner in f32; a luma network's is luma only."""
    card, planar = model.card, replace(corner, surface=False)
    graph = attach(model.graph, planar, channels=card.channels, scale=card.scale, step=card.step, shuffled=True)
    names = [name for name in PLANES_IN[: card.channels] if name in image]
    planes = {name: np.ascontiguousarray(_crop(image[name], corner, name)) for name in names}
    with open_engine(graph, device="cpu", precision="f32", in_flight=1) as engine:
        return {name: array.copy() for name, array in engine.submit({**planes, **qp}).result().items()}


def _test_image(pixels: FrameFormat, count: int) -> Planes:
    """Draw waves, edges and noise in limited range, as `count` planes."""
    rng = np.random.default_rng(0)
    planes: Planes = {}
    for name in PLANES_IN[:count]:
        across, down = _subsampling(name, pixels)
        y, x = np.mgrid[0 : (pixels.height + down) >> down, 0 : (pixels.width + across) >> across]
        levels = 125 + 60 * np.sin(x / 5) * np.cos(y / 7) + 40 * ((x // 9 + y // 6) % 2) + rng.normal(0, 6, x.shape)
        codes = np.rint(np.clip(levels, 16, 235) * (1 << (pixels.bits - 8)))
        planes[name] = codes.astype(np.uint8 if pixels.bits == 8 else np.uint16)[None, None]
    return planes


def _to_nv12(planes: Planes, bits: int) -> Planes:
    """Convert planes to NV12, or to P010 at 10 bits."""
    y, u, v = (planes[name][0, 0] << (0 if bits == 8 else P010_SHIFT) for name in PLANES_IN)
    return dict(zip(SURFACE_IN, (y, np.stack([u, v], -1)), strict=True))


def _from_nv12(surface: NDArray[Any], pixels: FrameFormat, scale: int) -> Planes:
    """Convert an upscaled NV12 or P010 surface to planes."""
    height, width = pixels.height * scale, pixels.width * scale
    codes = surface[:, :width] >> (0 if pixels.bits == 8 else P010_SHIFT)
    u, v = codes[height:, ::2], codes[height:, 1::2]
    return {name: plane[None, None] for name, plane in zip(PLANES_OUT, (codes[:height], u, v), strict=True)}


def _subsampling(name: str, pixels: FrameFormat) -> tuple[int, int]:
    return (0, 0) if name in (PLANES_IN[0], PLANES_OUT[0]) else pixels.color.subsampling


def _crop(plane: NDArray[Any], pixels: FrameFormat, name: str) -> NDArray[Any]:
    """Crop a plane (1, 1, h, w) to the size of `pixels`."""
    across, down = _subsampling(name, pixels)
    return plane[:, :, : (pixels.height + down) >> down, : (pixels.width + across) >> across]
