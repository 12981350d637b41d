"""Small videos with sound, made on the spot."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 48000


def video(
    path: Path,
    *,
    times: Sequence[int] = range(0, 480, 40),
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    layout: str = "yuv420p",
    sound: bool = True,
    format: str | None = None,
) -> Path:
    """A moving slope with a tone; times: pts of the frames in milliseconds."""
    with av.open(str(path), "w", format=format) as out:
        video: Any = out.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = *size, layout
        video.codec_context.time_base = video.time_base = Fraction(1, 1000)
        video.codec_context.max_b_frames = 0
        audio: Any = out.add_stream("aac", rate=RATE) if sound else None
        for index, time in enumerate(times):
            picture = av.VideoFrame.from_ndarray(drawn(size, index), format="gray").reformat(format=layout)
            picture.pts, picture.time_base = time, Fraction(1, 1000)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        if audio is not None:
            for start in range(0, RATE * (max(times) + 40) // 1000, 1024):
                tone = np.sin(np.arange(start, start + 1024) / 20).astype(np.float32)[None]
                frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
                frame.pts, frame.sample_rate, frame.time_base = start, RATE, Fraction(1, RATE)
                out.mux(audio.encode(frame))
            out.mux(audio.encode(None))
    return path


def drawn(size: tuple[int, int], index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One picture of the video: (h, w) uint8."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    return (((rows * 3 + columns * 2 + index * 5) % 200) + 20).astype(np.uint8)


def times_of(path: Path) -> list[Fraction]:
    """Seconds at which the frames of a video are shown."""
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        return [Fraction(frame.pts) * Fraction(frame.time_base) for frame in frames if frame.pts is not None]


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of the video."""
    with av.open(str(path)) as container:
        return container.streams.video[0].width, container.streams.video[0].height


def sound_of(path: Path) -> list[bytes]:
    """Its packets of sound."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]
