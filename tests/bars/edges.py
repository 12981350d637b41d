"""What 8-bit RGB edges cost: planes to float, the matrix, and back, around a network of 32 channels x 4 on RGB.

480x270 to 1920x1080 in OpenVINO, one frame in flight, in turns: the network alone, float in and out, and the same with
its edges, 4:2:0 planes in and out. Bar: the edges are at most 15 % of the time of both.
"""

import sys
import time
from statistics import median

import numpy as np
import onnx
from common import parser, table
from graphs import HEIGHT, WIDTH, plain

from tests.networks import attached
from vidsr import ColorSpec
from vidsr.color import SMPTE170M
from vidsr.engines import open_engine
from vidsr.engines.graph_format import PLANES_IN

WARM_UP = 3
BAR = 0.15


def main() -> None:
    """Print the table; exit with 1 where the bar is missed."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=40)
    options.add_argument("--precision", default="auto")
    given = options.parse_args()
    alone, edged = measure(given.runs, given.precision)
    share = 1 - alone / edged
    rows = [["network alone", f"{alone:.1f}", "", ""], ["with its edges", f"{edged:.1f}", f"{share:.1%}", f"{BAR:.0%}"]]
    table(["RGB 32 channels x 4", "median ms", "share of the edges", "bar"], rows)
    sys.exit(share > BAR)


def measure(runs: int, precision: str) -> tuple[float, float]:
    """Milliseconds of the network alone, and with its edges."""
    rng = np.random.default_rng(1)
    network = plain(32, 4)
    color = ColorSpec(SMPTE170M, full_range=False)
    graph = attached(onnx.ModelProto.FromString(network), channels=3, height=HEIGHT, width=WIDTH, bits=8, color=color)
    sides = [(HEIGHT, WIDTH), *[(HEIGHT // 2, WIDTH // 2)] * 2]
    planes = [rng.integers(16, 236, (1, 1, *side)).astype(np.uint8) for side in sides]
    inputs = [{"x": rng.random((1, 3, HEIGHT, WIDTH)).astype(np.float32)}, dict(zip(PLANES_IN, planes, strict=True))]
    times: list[list[float]] = [[], []]
    how = {"engine": "openvino", "precision": precision, "in_flight": 1}
    with open_engine(network, **how) as alone, open_engine(graph, **how) as edged:
        for _ in range(runs + WARM_UP):
            for engine, arrays, its in zip((alone, edged), inputs, times, strict=True):
                start = time.perf_counter()
                engine.submit(arrays).result()
                its.append(1000 * (time.perf_counter() - start))
    return median(times[0][WARM_UP:]), median(times[1][WARM_UP:])


if __name__ == "__main__":
    main()
