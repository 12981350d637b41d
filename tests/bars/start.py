"""From the command to its first frame out, 480x270 to 1920x1080, in a pipe: what a viewer waits for.

Bar: 1.5 s. The first run of all has no caches; the others find what it kept, as any later start does. They take turns
with bicubic, whose start is the interpreter's and PyAV's.
"""

import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from common import parser, table

from vidsr.bench.case_runs import first_frame_s

CLIP = Path(__file__).parents[2] / "samples" / "clip.mp4"
BAR = 1.5


def main() -> None:
    """Print the table; exit with 1 where the bar is missed."""
    options = parser(__doc__)
    options.add_argument("--model", default="live-x4")
    options.add_argument("--runs", type=int, default=7)
    given = options.parse_args()
    times: dict[str, list[float]] = {given.model: [], "bicubic": []}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        first = start(given.model)
        for _ in range(given.runs):
            for model, its in times.items():
                its.append(start(model))
    rows = [[f"{given.model}, first of all", f"{first:.2f}", "", "", ""]]
    rows += [
        [
            model,
            f"{median(its):.2f}",
            f"{min(its):.2f}",
            f"{max(its):.2f}",
            f"{BAR:.2f}" if model == given.model else "",
        ]
        for model, its in times.items()
    ]
    table(["command to first frame, s", "median", "least", "most", "bar"], rows)
    sys.exit(median(times[given.model]) > BAR)


def start(model: str) -> float:
    """Seconds of one start."""
    return first_frame_s(CLIP, ["--height", "1080", "--model", model])


if __name__ == "__main__":
    main()
