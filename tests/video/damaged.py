"""Videos damaged in every way that videos are: bits flipped, holes, ends cut off, packets lost, no beginning."""

import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.video.videos import drawing
from vidsr.system import keep_priority

FRAMES = 36
SIZE = (160, 120)
CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"x264-params": "keyint=9:bframes=2:mbtree=0:threads=1", "preset": "veryfast"}),
    "hevc": ("libx265", {"x265-params": "keyint=9:bframes=2:log-level=none:pools=1:frame-threads=1"}),
    "mpeg2": ("mpeg2video", {"g": "9", "bf": "2"}),
    "vp9": ("libvpx-vp9", {"g": "9", "deadline": "realtime", "cpu-used": "8"}),
}
FORMATS = {"h264": ("mp4", "mkv", "ts", "h264"), "hevc": ("mp4", "mkv", "ts"), "mpeg2": ("mp4", "mkv", "ts")}
FORMATS["vp9"] = ("mp4", "mkv")


def whole_video(path: Path, codec: str) -> Path:
    """Write a video of a noisy drawing, with a key frame every 9; as its name ends."""
    name, options = CODECS[codec]
    noise = np.random.default_rng(1)
    with keep_priority(), av.open(str(path), "w", container_options=_front(path)) as out:
        video: Any = out.add_stream(name, rate=25, options=options)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        for index in range(FRAMES):
            pixels = drawing(*SIZE, index) + noise.integers(-20, 20, (SIZE[1], SIZE[0], 1))
            frame = av.VideoFrame.from_ndarray(pixels.clip(0, 255).astype(np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def flip_bits(data: bytes) -> bytes:
    """Thirty bits changed, in the last four fifths."""
    chance, changed = random.Random(5), bytearray(data)
    for _ in range(30):
        changed[chance.randrange(len(data) // 5, len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def make_hole(data: bytes) -> bytes:
    """A twentieth in the middle made zeros."""
    start, size = len(data) // 2, len(data) // 20
    return data[:start] + bytes(size) + data[start + size :]


def cut_off(data: bytes) -> bytes:
    """Cut at three fifths."""
    return data[: len(data) * 3 // 5 + 77]


def lose_packets(data: bytes) -> bytes:
    """One transport packet in twenty left out, but for the tables in front."""
    chance = random.Random(5)
    packets = [data[i : i + 188] for i in range(0, len(data), 188)]
    return b"".join(packet for i, packet in enumerate(packets) if i < 8 or chance.random() > 0.05)


def lose_sync(data: bytes) -> bytes:
    """Half of one transport packet left out, so that all behind it stand elsewhere."""
    middle = len(data) // 376 * 188
    return data[: middle + 100] + data[middle + 188 :]


def behead(data: bytes) -> bytes:
    """An eighth left out in front, but for the tables of a transport stream."""
    if data[:1] == b"\x47":
        return data[: 188 * 3] + data[len(data) // 8 // 188 * 188 :]
    return data[len(data) // 8 :]


def without_key(path: Path, target: Path) -> Path:
    """Copy a video without its first four packets, so that it begins with pictures that refer to nothing."""
    with av.open(str(path)) as video, av.open(str(target), "w", container_options=_front(target)) as out:
        copy = out.add_stream_from_template(video.streams.video[0], opaque=True)
        for index, packet in enumerate(video.demux()):
            if packet.size and index >= 4:
                packet.stream = copy
                out.mux(packet)
    return target


def damages(extension: str) -> Iterator[Callable[[bytes], bytes]]:
    """What can be done to the bytes of a video of that format."""
    yield from (flip_bits, make_hole, cut_off)
    if extension == "ts":
        yield from (lose_packets, lose_sync)
    if extension in ("ts", "h264"):
        yield behead


def _front(path: Path) -> dict[str, str]:
    # The index in front, else a video that is cut off has none.
    return {"movflags": "faststart"} if path.suffix == ".mp4" else {}
