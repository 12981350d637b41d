"""Small HEIF files: tiles that x265 has encoded, in the boxes of ISO/IEC 23008-12."""

import re
import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def box(kind: bytes, *content: bytes) -> bytes:
    """A box."""
    data = b"".join(content)
    return struct.pack(">I", 8 + len(data)) + kind + data


def full(kind: bytes, *content: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *content)


def encoded(image: Image) -> tuple[bytes, bytes]:
    """An image, (height, width, 3) or gray, as hvcC and data."""
    encoder: Any = av.CodecContext.create("libx265", "w")
    encoder.height, encoder.width, encoder.pix_fmt = image.shape[0], image.shape[1], "yuv420p"
    encoder.time_base, encoder.options = Fraction(1), {"x265-params": "log-level=none:qp=4"}
    av_frame = av.VideoFrame.from_ndarray(image, format="rgb24" if image.ndim == 3 else "gray")
    av_frame = av_frame.reformat(format="yuv420p", dst_colorspace="ITU601", dst_color_range="JPEG")
    av_frame.pts, av_frame.time_base = 0, Fraction(1)
    stream = b"".join(bytes(packet) for given in (av_frame, None) for packet in encoder.encode(given))
    units = [unit for unit in re.split(b"\0*\0\0\1", stream) if unit]
    headers = {kind: unit for unit in units if (kind := unit[0] >> 1 & 63) in (32, 33, 34)}  # VPS, SPS, PPS
    arrays = b"".join(struct.pack(">BHH", kind, 1, len(unit)) + unit for kind, unit in headers.items())
    config = b"\1" + bytes(20) + bytes((3, len(headers))) + arrays
    return config, b"".join(struct.pack(">I", len(u)) + u for u in units if u[0] >> 1 & 63 < 32)


class HeifMaker:
    """Collects items with their properties and references, and writes the file."""

    def __init__(self) -> None:
        self.items: list[tuple[bytes, bytes, list[bytes], bool]] = []
        self.references: list[bytes] = []

    def image(self, image: Image, *more: bytes, hidden: bool = False) -> int:
        """Add a coded image; more: properties."""
        config, data = encoded(image)
        properties = [box(b"hvcC", config), self.ispe(image.shape[1], image.shape[0]), *more]
        return self.item(b"hvc1", data, properties, hidden=hidden)

    def grid(self, tiles: Sequence[int], columns: int, width: int, height: int, *more: bytes) -> int:
        """Add a grid of tiles."""
        data = struct.pack(">BBBBHH", 0, 0, len(tiles) // columns - 1, columns - 1, width, height)
        number = self.item(b"grid", data, [self.ispe(width, height), *more])
        self.refer(b"dimg", number, *tiles)
        return number

    def item(self, kind: bytes, data: bytes, properties: list[bytes], *, hidden: bool = False) -> int:
        """Add an item and return its number."""
        self.items.append((kind, data, properties, hidden))
        return len(self.items)

    def refer(self, kind: bytes, number: int, *to: int) -> None:
        """Add references from one item to others."""
        self.references.append(box(kind, struct.pack(f">HH{len(to)}H", number, len(to), *to)))

    @staticmethod
    def ispe(width: int, height: int) -> bytes:
        """The size of an image."""
        return full(b"ispe", struct.pack(">II", width, height))

    @staticmethod
    def nclx(primaries: int, transfer: int, matrix: int = 6) -> bytes:
        """Colours, of full range."""
        return box(b"colr", b"nclx", struct.pack(">HHHB", primaries, transfer, matrix, 128))

    def file(self, primary: int, brand: bytes = b"heic") -> bytes:
        """Return the file."""
        known = list(dict.fromkeys(each for _, _, properties, _ in self.items for each in properties))
        uses = b"".join(
            struct.pack(">HB", number, len(properties)) + bytes(1 + known.index(each) for each in properties)
            for number, (_, _, properties, _) in enumerate(self.items, 1)
        )
        infos = [
            full(b"infe", struct.pack(">HH", number, 0), kind + b"\0", version=2, flags=int(hidden))
            for number, (kind, _, _, hidden) in enumerate(self.items, 1)
        ]
        head = box(b"ftyp", brand, b"\0\0\0\0mif1", brand)

        def meta(start: int) -> bytes:
            places, at = b"", start
            for number, (_, data, _, _) in enumerate(self.items, 1):
                places += struct.pack(">HHHII", number, 0, 1, at, len(data))
                at += len(data)
            return full(
                b"meta",
                full(b"hdlr", b"\0\0\0\0pict", bytes(13)),
                full(b"pitm", struct.pack(">H", primary)),
                full(b"iinf", struct.pack(">H", len(infos)), *infos),
                full(b"iref", *self.references) if self.references else b"",
                box(b"iprp", box(b"ipco", *known), full(b"ipma", struct.pack(">I", len(self.items)), uses)),
                full(b"iloc", b"\x44\0", struct.pack(">H", len(self.items)), places),
            )

        start = len(head) + len(meta(0)) + 8
        return head + meta(start) + box(b"mdat", *(data for _, data, _, _ in self.items))


ALPHA = full(b"auxC", b"urn:mpeg:hevc:2015:auxid:1\0")
