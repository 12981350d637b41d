"""A video as a live source sends it, frame by frame, and when each frame comes out of a pipe again."""

import os
import time
from collections.abc import Iterable
from fractions import Fraction
from io import BytesIO
from typing import IO, Any

import av
import numpy as np
from numpy.typing import NDArray


class Chunks:
    """A file that cannot be rewound and keeps what is written since it was last asked."""

    def __init__(self) -> None:
        self.waiting = b""

    def write(self, data: bytes) -> int:
        """Keep some bytes."""
        self.waiting += data
        return len(data)

    def take(self) -> bytes:
        """Return what was kept."""
        data, self.waiting = self.waiting, b""
        return data


def coded(lumas: Iterable[NDArray[np.uint8]], rate: int, format: str, *, gop: int | None = None) -> list[bytes]:
    """A gray video of these pictures, cut after each frame; the header goes with the first. gop: frames, at most."""
    chunks, pieces = Chunks(), list[bytes]()
    stream: Any = None
    with av.open(chunks, "w", format=format, options={"flush_packets": "1"}) as container:
        for number, luma in enumerate(lumas):
            if stream is None:
                options = {"tune": "zerolatency", "preset": "veryfast"}
                stream = container.add_stream("libx264", rate=rate, options=options)
                stream.height, stream.width, stream.pix_fmt = *luma.shape, "yuv420p"
                if gop is not None:
                    stream.codec_context.gop_size = gop
            picture = av.VideoFrame.from_ndarray(luma, format="gray").reformat(format="yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(picture))
            pieces.append(chunks.take())
    assert all(pieces), "the muxer held a frame back"
    return pieces


def read_all(pipe: IO[bytes], reads: list[tuple[int, float]], out: BytesIO) -> None:
    """Keep what comes and when: (bytes so far, time)."""
    while data := os.read(pipe.fileno(), 1 << 16):
        out.write(data)
        reads.append((out.tell(), time.perf_counter()))


def packet_ends(stream: bytes, rate: int) -> tuple[list[int], list[int]]:
    """Number of each frame of a NUT, by its time, and where in the stream the last byte of its packet stands."""
    numbers, ends, place = list[int](), list[int](), 0
    with av.open(BytesIO(stream), format="nut") as container:
        for packet in container.demux(video=0):
            if packet.size:
                place = stream.index(bytes(packet), place) + packet.size
                ends.append(place)
                numbers.append(round(packet.pts * packet.time_base * rate))
    return numbers, ends


def times_at(ends: list[int], reads: list[tuple[int, float]]) -> list[float]:
    """When each of these bytes had been read."""
    times, index = list[float](), 0
    for end in ends:
        while reads[index][0] < end:
            index += 1
        times.append(reads[index][1])
    return times
