"""How long a frame stays inside a live pipe: NUT in and out, 320x180 at 24 fps, in real time.

From the moment a frame's last byte is written to the command until the last byte of its packet is read from it.
Bar: median under 40 ms, so that a frame leaves before the next arrives.
"""

import subprocess
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from statistics import median, quantiles

import numpy as np
from common import VIDSR, parser, table
from live_pipe import coded, packet_ends, read_all, times_at
from numpy.typing import NDArray

WIDTH, HEIGHT, RATE = 320, 180, 24
START_UP_S = 4  # the model is being compiled, frames pile up and are caught up with


def pictures(count: int) -> Iterator[NDArray[np.uint8]]:
    """A moving picture."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    for i in range(count):
        yield (128 + 60 * np.sin((x + 3 * i) / 7) + 50 * np.sin((y - i) / 5)).astype(np.uint8)


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--model", default="live-x2")
    options.add_argument("--seconds", type=int, default=12)
    given = options.parse_args()
    pieces = coded(pictures(RATE * given.seconds), RATE, "nut")
    command = [*VIDSR, "upscale", "--model", given.model, "--quiet", "-", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    reads: list[tuple[int, float]] = []
    out = BytesIO()
    reader = threading.Thread(target=read_all, args=(process.stdout, reads, out))
    reader.start()
    written, start = [], time.perf_counter()
    for i, piece in enumerate(pieces):
        time.sleep(max(0.0, start + i / RATE - time.perf_counter()))
        process.stdin.write(piece)
        process.stdin.flush()
        written.append(time.perf_counter())
    process.stdin.close()
    reader.join()
    assert process.wait() == 0, f"the command ended with {process.returncode}"
    _, ends = packet_ends(out.getvalue(), RATE)
    assert len(ends) == len(written), f"{len(written)} frames in, {len(ends)} out"
    arrived = times_at(ends, reads)
    late = [1000 * (then - now) for now, then in zip(written, arrived, strict=True)]
    stateless = late[START_UP_S * RATE :]
    rows = [["first frame", f"{late[0]:.0f}", ""], ["median", f"{median(stateless):.1f}", "40"]]
    rows += [
        ["95 of 100 within", f"{quantiles(stateless, n=20)[-1]:.1f}", ""],
        ["longest", f"{max(stateless):.1f}", ""],
    ]
    table(["frame in to packet out, ms", "found", "bar"], rows)


if __name__ == "__main__":
    main()
