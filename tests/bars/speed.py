"""The live networks against the bar's reference network: milliseconds a frame, alone with their edges.

Reference: conv 3x3 1→16, four conv 3x3 16→16, conv 3x3 16→s², ReLU between, + repeated input, pixel shuffle.
OpenVINO, one frame in flight, luma alone; the networks take turns in one run. Bar: at most 1.4 times the reference.
"""

import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import onnx
from common import parser, table
from onnx import TensorProto, helper, numpy_helper

from vidsr import ColorSpec, Frame, open_upscaler

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
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=50)
    options.add_argument("--precision", default="bf16")
    options.add_argument("--model", action="append", help="a name or a path; default: the shelf's live networks")
    given = options.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.model or SHELF:
            with open_upscaler(name) as upscaler:
                scale = upscaler.output_size(480, 270)[0] // 480
            models = {"reference": reference(scale, Path(folder) / f"reference{scale}.onnx"), Path(name).stem: name}
            rows += measure(models, *SIZES.get(scale, (640, 360)), given.runs, given.precision)
    table(["network", "input", "median ms", "least ms", "of the reference", "bar"], rows)


def measure(models: dict[str, str | Path], width: int, height: int, runs: int, precision: str) -> list[list[str]]:
    """Time the networks in turns; the first is what the others are held against."""
    luma = np.random.default_rng(1).integers(16, 236, (height, width)).astype(np.uint8)
    frame = Frame((luma,), ColorSpec(1, full_range=False))
    times: dict[str, list[float]] = {name: [] for name in models}
    with ExitStack() as stack:
        upscalers = {
            name: stack.enter_context(open_upscaler(path, engine="openvino", precision=precision, in_flight=1))
            for name, path in models.items()
        }
        for _ in range(runs + WARM_UP):
            for name, upscaler in upscalers.items():
                start = time.perf_counter()
                upscaler.submit(frame).result()
                times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: median(its[WARM_UP:]) for name, its in times.items()}
    base = next(iter(medians.values()))
    return [
        [
            name,
            f"{width}x{height}",
            f"{ms:.2f}",
            f"{min(times[name]):.2f}",
            f"{ms / base:.2f}",
            "" if ms is base else "1.40",
        ]
        for name, ms in medians.items()
    ]


if __name__ == "__main__":
    main()
