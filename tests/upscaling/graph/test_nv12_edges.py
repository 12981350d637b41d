"""NV12 and P010 in and out of a network: the same picture as by the way through planes, chroma included."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.networks import attached, network, runnable
from vidsr.color import BT709, ChromaLocation, ColorSpec
from vidsr.engines import open_engine
from vidsr.engines.graph_format import PLANES_IN
from vidsr.frames import Frame
from vidsr.upscaling.graph.nv12_edges import PITCH_BYTES, SURFACE_IN, SURFACE_OUT
from vidsr.video.convert.resizer import Resizer

HEIGHT, WIDTH = 34, 46


def planes(bits: int = 8, seed: int = 0) -> list[NDArray[Any]]:
    """Y, U and V of a picture with soft colours and sharp ones, which overshoot no code: swscale clips on its way."""
    rng = np.random.default_rng(seed)
    kind, top = (np.uint8, 255) if bits == 8 else (np.uint16, 1023)
    y = rng.integers(0, top + 1, (HEIGHT, WIDTH))
    u = np.linspace(0, top, HEIGHT // 2)[:, None] + np.zeros(WIDTH // 2)
    v = rng.integers(top // 4, 3 * top // 4, (HEIGHT // 2, WIDTH // 2))
    return [plane.astype(kind) for plane in (y, u, v)]


def packed(y: NDArray[Any], u: NDArray[Any], v: NDArray[Any], bits: int) -> dict[str, NDArray[Any]]:
    shift = 0 if bits == 8 else 6
    return dict(zip(SURFACE_IN, (y << shift, np.stack([u, v], 2) << shift), strict=True))


def unpacked(surface: NDArray[Any], scale: int, bits: int) -> list[NDArray[Any]]:
    assert surface.shape[1] * surface.itemsize % PITCH_BYTES == 0
    height, width = scale * HEIGHT, scale * WIDTH
    codes = surface[:, :width] >> (0 if bits == 8 else 6)
    uv = codes[height:].reshape(height // 2, width // 2, 2)
    return [codes[:height], uv[..., 0], uv[..., 1]]


@pytest.mark.parametrize("name", runnable())
@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("scale", [2, 3])
@pytest.mark.parametrize("chroma_location", ["left", "center", "topleft"])
def test_luma_goes_through_the_network_and_chroma_as_swscale_would_have_it(
    name: str, bits: int, scale: int, chroma_location: ChromaLocation
) -> None:
    color = ColorSpec(BT709, full_range=False, chroma_location=chroma_location)
    model = network(scale=scale, residual=0)
    graph = attached(model, surface=True, channels=1, scale=scale, height=HEIGHT, width=WIDTH, bits=bits, color=color)
    given = planes(bits)
    with open_engine(graph, engine=name, precision="f32") as engine:
        surface = engine.submit(packed(*given, bits)).result()[SURFACE_OUT].copy()
    y, u, v = unpacked(surface, scale, bits)
    np.testing.assert_array_equal(y, given[0].repeat(scale, 0).repeat(scale, 1))
    expected = Resizer("bicubic", accurate=True).resize(Frame(tuple(given), color, bits), scale * WIDTH, scale * HEIGHT)
    for made, plane in zip((u, v), expected.planes[1:], strict=True):
        difference = np.abs(made.astype(int) - plane)
        edge = 2 * scale
        assert difference[edge:-edge, edge:-edge].max() <= 1
        assert difference.max() <= 4 << (bits - 8)  # swscale shifts the taps that reach beyond the picture


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("unshuffle", [1, 4])
def test_an_rgb_network_gives_what_it_gives_by_planes(bits: int, unshuffle: int) -> None:
    color, given = ColorSpec(BT709, full_range=False), planes(bits)
    model = network(channels=3, scale=2, unshuffle=unshuffle)
    shape: dict[str, Any] = {"channels": 3, "height": HEIGHT, "width": WIDTH, "bits": bits, "color": color}
    shape["step"] = unshuffle
    assert HEIGHT % 4 or WIDTH % 4
    with open_engine(attached(model, **shape, scale=2, shuffled=True), precision="f32") as engine:
        inputs = {name: plane[None, None] for name, plane in zip(PLANES_IN, given, strict=True)}
        expected = [codes[0, 0].copy() for codes in engine.submit(inputs).result().values()]
    with open_engine(attached(model, surface=True, scale=2, **shape), precision="f32") as engine:
        made = unpacked(engine.submit(packed(*given, bits)).result()[SURFACE_OUT], 2, bits)
    for one, other in zip(made, expected, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
        assert (one != other).mean() < 0.001
