"""Inputs with something wrong or odd, each made in a folder out of small whole videos."""

import io
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.video.videos import drawing, make_video

Change = Callable[[bytes], bytes]


def changed(videos: Path, folder: Path, name: str, change: Change = lambda data: data, *, to: str = "") -> Path:
    """A copy of a video, its bytes changed."""
    return written(folder / (to or name), change((videos / name).read_bytes()))


def cut(part: float) -> Change:
    """Only the first part is left."""
    return lambda data: data[: int(len(data) * part)]


def written(path: Path, data: bytes) -> Path:
    """A file of these bytes."""
    path.write_bytes(data)
    return path


def linked(path: Path, to: Path) -> Path:
    """A symbolic link."""
    path.symlink_to(to)
    return path


def noise(size: int) -> bytes:
    """Bytes of no format."""
    return random.Random(1).randbytes(size)


def sound_alone(path: Path, *, cover: bool) -> Path:
    """A song, with a picture of its record."""
    picture = io.BytesIO()
    Image.fromarray(drawing(16, 16)).save(picture, "PNG")
    with av.open(str(path), "w", format="matroska") as out:
        sound: Any = out.add_stream("aac", rate=48000)
        if cover:
            out.add_attachment("cover.png", "image/png", picture.getvalue())
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        tone.sample_rate, tone.pts, tone.time_base = 48000, 0, Fraction(1, 48000)
        out.mux(sound.encode(tone))
        out.mux(sound.encode(None))
    return path


def header_alone(path: Path) -> Path:
    """A video is announced, and not one packet follows."""
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("ffv1", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        out.start_encoding()
    return path


def joined(path: Path, *parts: Path) -> Path:
    """Videos one behind the other, as streams are cut and joined."""
    return written(path, b"".join(part.read_bytes() for part in parts))


def retimed(video: Path, path: Path, pts: Callable[[int], int]) -> Path:
    """A copy of a video with other time stamps: pts of the packet of each number, in milliseconds."""
    with av.open(str(video)) as source, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(source.streams.video[0], opaque=True)
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for index, packet in enumerate(packets):
            packet.time_base = Fraction(1, 1000)
            packet.pts = pts(index)
            packet.dts = pts(0) + index - 1000  # muxers want these to rise
            packet.stream = copy
            out.mux(packet)
    return path


def two_videos(path: Path) -> Path:
    """Two streams of video in one file, the first the larger."""
    with av.open(str(path), "w") as out:
        streams: list[Any] = [out.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream, size in zip(streams, ((64, 48), (32, 24)), strict=True):
            stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(5):
            for stream in streams:
                picture = av.VideoFrame.from_ndarray(drawing(stream.width, stream.height, index), format="rgb24")
                frame = picture.reformat(format="yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, 25)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode(None))
    return path


def appearing(videos: Path, path: Path) -> Path:
    """A transport stream in which sound begins behind a while: two recordings, the first without."""
    silent = make_video(path.with_name("silent.ts"), pts=range(60))
    joined(path, silent, videos / "video.ts")
    silent.unlink()
    return path


def huge(path: Path) -> Path:
    """One picture of 8K."""
    Image.new("YCbCr", (7680, 4320), "gray").save(path)
    return path


def gif(path: Path) -> Path:
    """A palette, and uneven delays."""
    pages = [Image.fromarray(drawing(32, 24, index)) for index in range(4)]
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=[50, 200, 30, 500])
    return path


def still(path: Path) -> Path:
    """A photo."""
    Image.fromarray(drawing(40, 30)).save(path)
    return path
