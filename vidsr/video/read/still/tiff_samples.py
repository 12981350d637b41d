"""Samples of TIFF files with more than 8 bits, which Pillow reduces to 8: integers and floats, strips and tiles.

Each strip or tile is wrapped into a TIFF of bytes, so that Pillow's libtiff decompresses it.
"""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import ImageFileDirectory_v2, TiffImageFile

from vidsr.system import fits

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES = 256, 257, 258, 259, 262, 273, 277
_ROWS, _LENGTHS, _PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT = 278, 279, 284, 317, 322, 323
_TILE_OFFSETS, _TILE_LENGTHS, _EXTRA, _FORMAT = 324, 325, 338, 339
_MIN_IS_WHITE, _RGB = 0, 2
_RAW_TAGS = (33421, 50706)  # CFARepeatPatternDim, DNGVersion
_RAW_PHOTOMETRIC = (32803, 34892)


class UnsupportedTiff(ValueError):
    """What is stored in a way that is not read here; says what."""


@dataclass(frozen=True, slots=True)
class TiffSamples:
    """The first page of a file: (height, width, samples), in [0, 1] if they are integers."""

    samples: NDArray[np.float32]
    is_float: bool
    """Whether they are linear light, by convention."""
    has_alpha: bool
    """Whether the last sample is alpha."""
    associated: bool
    """Whether colours are multiplied by alpha."""


def tiff_tags(data: bytes) -> dict[int, Any]:
    """Return the tags of the first page. Raises SyntaxError, as Pillow does."""
    is_big = data[2:4] in (b"+\0", b"\0+")
    # Pillow knows a BigTIFF by its third byte, which in one of big-endian order is the fourth.
    header = b"II+\0" + data[4:16] if is_big else data[:8]
    directory: Any = ImageFileDirectory_v2(header, prefix=data[:2])
    file = io.BytesIO(data)
    file.seek(directory.next)
    directory.load(file)
    return dict(directory)


def is_camera_raw(tags: dict[int, Any]) -> bool:
    """Return whether the file holds the raw samples of a camera, beside which a thumbnail is the first page."""
    return any(tag in tags for tag in _RAW_TAGS) or tags.get(_PHOTOMETRIC) in _RAW_PHOTOMETRIC


def is_deep(tags: dict[int, Any]) -> bool:
    """Return whether samples have more than 8 bits, and are colours or gray as such."""
    return max(tags.get(_BITS, (1,))) > 8 and tags.get(_PHOTOMETRIC, 1) in (0, 1, 2)


def read_tiff_samples(data: bytes, tags: dict[int, Any]) -> TiffSamples:
    """Return the samples of the first page. Raises UnsupportedTiff."""
    width, height, count = tags[_WIDTH], tags[_HEIGHT], tags.get(_SAMPLES, 1)
    if not fits(width, height * count):
        raise UnsupportedTiff(f"{width}x{height} pixels")
    dtype = _dtype(data, tags)
    across, down = tags.get(_TILE_WIDTH, width), tags.get(_TILE_HEIGHT, min(tags.get(_ROWS, height), height))
    offsets, lengths = (_numbers(tags, *names) for names in ((_OFFSETS, _TILE_OFFSETS), (_LENGTHS, _TILE_LENGTHS)))
    separate = tags.get(_PLANAR, 1) == 2 and count > 1
    columns, rows = -(-width // across), -(-height // down)
    planes = count if separate else 1
    if not across or not down or len(offsets) != columns * rows * planes or len(lengths) != len(offsets):
        raise UnsupportedTiff(f"{len(offsets)} strips or tiles")
    each = 1 if separate else count
    result = np.empty((height, width, count), dtype.newbyteorder("="))
    for index, (offset, length) in enumerate(zip(offsets, lengths, strict=True)):
        plane, place = divmod(index, columns * rows)
        top, left = place // columns * down, place % columns * across
        high = down if _TILE_WIDTH in tags else min(down, height - top)
        part = _part(data[offset : offset + length], tags, (high, across, each), dtype)
        target = result[top : top + high, left : left + across, plane : plane + 1 if separate else count]
        target[:] = part[: target.shape[0], : target.shape[1]]
    return _as_stated(result, tags)


def _as_stated(result: NDArray[Any], tags: dict[int, Any]) -> TiffSamples:
    is_float = result.dtype.kind == "f"
    samples = result.astype(np.float32)
    if not is_float:
        samples /= np.float32((1 << max(tags[_BITS])) - 1)
    if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE:
        samples = 1 - samples
    colors = 3 if tags.get(_PHOTOMETRIC) == _RGB else 1
    extra = tuple(tags.get(_EXTRA, ()))[:1]
    has_alpha = extra in ((1,), (2,)) and samples.shape[2] > colors
    return TiffSamples(samples[..., : colors + has_alpha], is_float, has_alpha, extra == (1,))


def _dtype(data: bytes, tags: dict[int, Any]) -> np.dtype[Any]:
    bits, kinds = set(tags[_BITS]), set(tags.get(_FORMAT, (1,)))
    if len(bits) > 1 or len(kinds) > 1 or not kinds <= {1, 3} or bits & {24} or min(bits) % 8:
        raise UnsupportedTiff(f"samples of {'/'.join(map(str, sorted(bits)))} bits, of format {min(kinds)}")
    kind = "u" if kinds == {1} else "f"
    return np.dtype(f"{'<' if data[:2] == b'II' else '>'}{kind}{min(bits) // 8}")


def _part(content: bytes, tags: dict[int, Any], shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    high, wide, count = shape
    line = wide * count * dtype.itemsize
    lines = _decompressed(content, tags.get(_COMPRESSION, 1), line, high)
    predictor = tags.get(_PREDICTOR, 1)
    if predictor == 3:  # Adobe's technical note 3: differences of bytes, the most significant of all samples first
        summed = np.cumsum(lines.reshape(high, -1, count), axis=1, dtype=np.uint8).reshape(high, dtype.itemsize, -1)
        ordered = np.ascontiguousarray(summed.transpose(0, 2, 1))
        return ordered.view(dtype.newbyteorder(">")).reshape(shape)
    part = lines.reshape(-1).view(dtype).reshape(shape)
    return np.cumsum(part, axis=1, dtype=dtype.newbyteorder("=")) if predictor == 2 else part


def _decompressed(content: bytes, compression: int, line: int, lines: int) -> NDArray[np.uint8]:
    if compression == 1:
        if len(content) < line * lines:
            raise UnsupportedTiff("less data than its size needs")
        return np.frombuffer(content, np.uint8, line * lines).reshape(lines, line)
    directory: Any = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    values = {
        _WIDTH: line, _HEIGHT: lines, _BITS: 8, _COMPRESSION: compression, _PHOTOMETRIC: 1, _OFFSETS: 0, _SAMPLES: 1,
        _ROWS: lines, _LENGTHS: len(content),
    }  # fmt: skip
    for tag, value in values.items():
        directory[tag] = value
    wrapped = b"II*\0\x08\0\0\0" + directory.tobytes(8) + content  # Pillow counts the offset of data from there
    try:
        with TiffImageFile(io.BytesIO(wrapped)) as image:
            return np.asarray(image).reshape(lines, line)
    except (OSError, SyntaxError, KeyError) as exc:
        raise UnsupportedTiff(f"compression {compression}") from exc


def _numbers(tags: dict[int, Any], strips: int, tiles: int) -> tuple[int, ...]:
    given = tags.get(tiles if _TILE_WIDTH in tags else strips, ())
    return tuple(given) if isinstance(given, tuple | list) else (given,)
