"""How long a frame stays inside a live pipe: NUT in and out, 320x180 at 24 fps, in real time.

From the moment a frame's last byte is written to the command until the last byte of its packet is read from it.
Bar: median under 40 ms, so that a frame leaves before the next arrives.
"""

import os
import subprocess
import threading
import time
from fractions import Fraction
from io import BytesIO
from statistics import median, quantiles
from typing import IO

import av
import numpy as np
from common import VIDSR, parser, table

WIDTH, HEIGHT, RATE = 320, 180, 24
START_UP_S = 4  # the model is being compiled, frames pile up and are caught up with


class Chunks:
    """A file that cannot be rewound and keeps what is written since it was last asked."""

    def __init__(self) -> None:
        self.waiting = b""

    def write(self, data: bytes) -> int:
        self.waiting += data
        return len(data)

    def take(self) -> bytes:
        data, self.waiting = self.waiting, b""
        return data


def coded_frames(count: int) -> list[bytes]:
    """A moving picture as NUT, cut after each frame; the header goes with the first."""
    chunks, pieces = Chunks(), []
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    with av.open(chunks, "w", format="nut", options={"flush_packets": "1"}) as container:
        stream = container.add_stream("libx264", rate=RATE, options={"tune": "zerolatency", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(count):
            gray = (128 + 60 * np.sin((x + 3 * i) / 7) + 50 * np.sin((y - i) / 5)).astype(np.uint8)
            picture = av.VideoFrame.from_ndarray(np.repeat(gray[..., None], 3, axis=2), format="rgb24")
            picture.pts, picture.time_base = i, Fraction(1, RATE)
            container.mux(stream.encode(picture))
            pieces.append(chunks.take())
    assert all(pieces), "the muxer held a frame back"
    return pieces


def read_all(pipe: IO[bytes], reads: list[tuple[int, float]], out: BytesIO) -> None:
    """Keep what comes and when: (bytes so far, time)."""
    while data := os.read(pipe.fileno(), 1 << 16):
        out.write(data)
        reads.append((out.tell(), time.perf_counter()))


def packet_ends(stream: bytes) -> list[int]:
    """Where in the stream the last byte of each packet stands."""
    ends, place = [], 0
    with av.open(BytesIO(stream), format="nut") as container:
        for packet in container.demux(video=0):
            if packet.size:
                place = stream.index(bytes(packet), place) + packet.size
                ends.append(place)
    return ends


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--model", default="live-x2")
    options.add_argument("--seconds", type=int, default=12)
    given = options.parse_args()
    pieces = coded_frames(RATE * given.seconds)
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
    ends = packet_ends(out.getvalue())
    assert len(ends) == len(written), f"{len(written)} frames in, {len(ends)} out"
    arrived = [next(when for size, when in reads if size >= end) for end in ends]
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
