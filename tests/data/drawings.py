"""Photos and videos that tests draw themselves."""

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image


def draw_photo(path: Path, *, height: int = 240, width: int = 320, seed: int = 0) -> Path:
    """Save a picture of coloured blocks under a gradient, with detail everywhere."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.integers(0, 200, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
    slope = np.linspace(0, 55, width)[None, :, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((blocks + slope).astype(np.uint8)).save(path)
    return path


def texture(*shape: int, seed: int = 0) -> Any:
    """Blocks of 4 pixels, each of its own level: (height, width) or (height, width, channels) uint8."""
    height, width, *channels = shape
    levels = np.random.default_rng(seed).integers(40, 216, (-(-height // 4), -(-width // 4), *channels), np.uint8)
    return levels.repeat(4, 0).repeat(4, 1)[:height, :width]


def draw_video(
    path: Path, frames: Iterable[Any], *, codec: str = "ffv1", layout: str = "yuv420p", **context: Any
) -> Path:
    """Save frames, each (height, width) luma without colour or a tuple of planes, as they are with the default codec.

    context: attributes of the encoder, as color_range=2.
    """
    with av.open(str(path), "w") as out:
        stream: Any = None
        for frame in frames:
            planes = frame if isinstance(frame, tuple) else (frame,)
            height, width = planes[0].shape
            if stream is None:
                stream = out.add_stream(codec, rate=25, options=context.pop("options", {}))
                stream.width, stream.height, stream.pix_fmt = width, height, layout
                for name, value in context.items():
                    setattr(stream.codec_context, name, value)
            picture = av.VideoFrame(width, height, layout)
            for i, target in enumerate(picture.planes):
                kind = np.uint16 if "10" in layout else np.uint8
                lines: Any = np.frombuffer(target, kind).reshape(target.height, -1)[:, : target.width]  # type: ignore
                lines[:] = planes[i] if i < len(planes) else 128 * (4 if "10" in layout else 1)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


def write_png16(path: Path, samples: Any) -> Path:
    """Save (height, width) or (height, width, 3) uint16 as PNG, which Pillow cannot for colours."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")

    height, width = samples.shape[:2]
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([16, 2 if samples.ndim == 3 else 0, 0, 0, 0])
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in samples)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return path
