"""The live networks against the bar's reference network: milliseconds a frame, alone with their edges.

Reference: conv 3x3 1→16, four conv 3x3 16→16, conv 3x3 16→s², ReLU between, + repeated input, pixel shuffle.
OpenVINO, one frame in flight, luma alone; the networks take turns in one run. Bar: live-x4 takes no longer than the
reference. Beside their GFLOP/s stands what a 64→64 3x3 convolution reaches at 480x270, the best of 5.
"""

import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from common import parser, table
from onnx import TensorProto, helper, numpy_helper

from vidsr import ColorSpec, Frame
from vidsr.bench.matmul_peak import matrix_peak
from vidsr.engines import settle
from vidsr.options import UpscaleOptions
from vidsr.upscaling.model_file import Model, load_model
from vidsr.upscaling.session import Session, SessionOptions
from vidsr.zoo import find

SHELF = ["live-x4", "live-x2", "live-x3"]
SIZES = {4: (480, 270), 2: (640, 360), 3: (640, 360)}  # of the input, by scale
WARM_UP = 5


def reference(scale: int, path: Path) -> Path:
    """Write the reference network, with random weights, as a plain luma ONNX."""
    rng = np.random.default_rng(0)
    widths = [1, 16, 16, 16, 16, 16, scale**2]
    nodes, weights, here = [], [], "x"
    for i, (before, after) in enumerate(pairwise(widths)):
        kernel = rng.normal(0, 0.5 / (3 * before**0.5), (after, before, 3, 3)).astype(np.float32)
        weights += [
            numpy_helper.from_array(kernel, f"w{i}"),
            numpy_helper.from_array(np.zeros(after, np.float32), f"b{i}"),
        ]
        nodes.append(helper.make_node("Conv", [here, f"w{i}", f"b{i}"], [f"c{i}"], pads=[1, 1, 1, 1]))
        here = f"c{i}"
        if i < len(widths) - 2:
            nodes.append(helper.make_node("Relu", [here], [f"r{i}"]))
            here = f"r{i}"
    nodes.append(helper.make_node("Concat", ["x"] * scale**2, ["repeated"], axis=1))
    nodes.append(helper.make_node("Add", [here, "repeated"], ["sum"]))
    nodes.append(helper.make_node("DepthToSpace", ["sum"], ["y"], blocksize=scale, mode="CRD"))
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, f"h{name}", f"w{name}"]) for name in ("x", "y")
    )
    graph = helper.make_graph(nodes, "reference", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def main() -> None:
    """Print the table; exit with 1 where live-x4 misses the bar."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=50)
    options.add_argument("--precision", default="auto")
    options.add_argument("--model", action="append", help="a name or a path; default: the shelf's live networks")
    given = options.parse_args()
    rows, missed = [], False
    setup = settle(engine="openvino", precision=given.precision)
    peak = matrix_peak(setup)
    with tempfile.TemporaryDirectory() as folder:
        for name in given.model or SHELF:
            network = load_model(find(name))
            scale = network.card.scale
            size = SIZES.get(scale, (640, 360))
            plain = reference(scale, Path(folder) / f"reference{scale}.onnx")
            networks = {"reference": (load_model(plain), macs(plain)), Path(name).stem: (network, network.card.macs)}
            times = measure({name: each for name, (each, _) in networks.items()}, *size, given.runs, given.precision)
            base = median(times["reference"])
            for each, its in times.items():
                ratio = median(its) / base
                bar = "1.00" if each == "live-x4" else ""
                missed |= bool(bar) and ratio > 1
                gflops = 2e-6 * networks[each][1] * size[0] * size[1] / median(its)
                spread = [f"{value:.2f}" for value in (median(its), min(its))]
                shares = [f"{gflops:.0f}", f"{gflops / peak:.0%}"]
                rows.append([each, f"{size[0]}x{size[1]}", *spread, f"{ratio:.2f}", bar, *shares])
    table(["network", "input", "median ms", "least ms", "of the reference", "bar", "GFLOP/s", "of 64→64"], rows)
    print(f"64→64 3x3 convolution at 480x270, {setup.precision}: {peak:.0f} GFLOP/s")
    sys.exit(missed)


def measure(networks: dict[str, Model], width: int, height: int, runs: int, precision: str) -> dict[str, list[float]]:
    """Time the networks in turns, from the luma plane into the enlarged one: milliseconds of each run."""
    rng = np.random.default_rng(1)
    frame = Frame((rng.integers(16, 236, (height, width)).astype(np.uint8),), ColorSpec(1, full_range=False))
    options = SessionOptions(UpscaleOptions(engine="openvino", precision=precision, in_flight=1))
    times: dict[str, list[float]] = {name: [] for name in networks}
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(closing(Session(each, frame, options))) for name, each in networks.items()
        }
        for _ in range(runs + WARM_UP):
            for name, session in sessions.items():
                scale = networks[name].card.scale
                canvas = replace(frame, planes=(np.zeros((height * scale, width * scale), np.uint8),))
                start = time.perf_counter()
                session.submit(frame).write(canvas)
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: its[WARM_UP:] for name, its in times.items()}


def macs(path: Path) -> int:
    """Multiply-adds of a network's convolutions for an input pixel."""
    stored = onnx.load(path).graph.initializer
    return sum(int(np.prod(each.dims)) for each in stored if len(each.dims) == 4)


if __name__ == "__main__":
    main()
