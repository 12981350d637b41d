"""How fast this machine computes convolutions: the upper limit for a network."""

import time
from itertools import pairwise
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from vidsr.engines import Setup, open_engine

WIDTH, HEIGHT, CHANNELS = 480, 270, 64
BEST_OF = 5
LEAST_S = 0.02  # in shorter runs, starting the run takes too large a share
LAYERS = (8, 32, 128, 512)


def matrix_peak(setup: Setup) -> float:
    """Measure the GFLOP/s of a stack of 3x3 convolutions from 64 to 64 channels at 480x270; best of 5 runs.

    It has as many layers as a run of LEAST_S needs, and one channel at both ends, so that little data is transferred.
    """
    picture = np.zeros((1, 1, HEIGHT, WIDTH), np.float32)
    for layers in LAYERS:
        graph, macs = convolutions(layers, WIDTH, HEIGHT)
        best = _best_s(graph, picture, setup)
        if best > LEAST_S:
            break
    return 2e-9 * macs * WIDTH * HEIGHT / best


def convolutions(layers: int, width: int, height: int) -> tuple[bytes, int]:
    """Return a graph of `layers` convolutions 64→64 between 1→64 and 64→1, and its multiply-adds per pixel."""
    rng = np.random.default_rng(0)
    counts = [1, *[CHANNELS] * (layers + 1), 1]
    kinds = {(before, after): f"w{before}x{after}" for before, after in pairwise(counts)}
    weights = [
        numpy_helper.from_array(rng.normal(0, (9 * before) ** -0.5, (after, before, 3, 3)).astype(np.float32), name)
        for (before, after), name in kinds.items()
    ]
    names = [f"x{i}" for i in range(len(counts))]
    nodes = [
        helper.make_node("Conv", [names[i], kinds[counts[i], counts[i + 1]]], [names[i + 1]], pads=[1, 1, 1, 1])
        for i in range(len(counts) - 1)
    ]
    shape = [1, 1, height, width]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in (names[0], names[-1])]
    graph = helper.make_graph(nodes, "convolutions", ports[:1], ports[1:], weights)
    model: Any = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    macs = sum(9 * before * after for before, after in pairwise(counts))
    return model.SerializeToString(), macs


def _best_s(graph: bytes, picture: Any, setup: Setup) -> float:
    """Return the seconds of the fastest of BEST_OF runs, after one that does not count."""
    times = []
    with open_engine(graph, engine=setup.engine, device=setup.device, precision=setup.precision, in_flight=1) as engine:
        for _ in range(1 + BEST_OF):
            start = time.perf_counter()
            engine.submit({"x0": picture}).result()
            times.append(time.perf_counter() - start)
    return min(times[1:])
