"""What flows from source to sink: Frame and Carried, and the VideoInfo that describes a video."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from vidsr.color import SMPTE170M, ColorSpec, levels_of, rgb_to_yuv

if TYPE_CHECKING:
    from PIL.Image import Image

Plane = NDArray[np.uint8] | NDArray[np.uint16]

_IMAGE = ColorSpec(SMPTE170M, full_range=True, subsampling=(0, 0), chroma_location="center")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as decoded: planes, colour and time. Immutable; the planes are not to be written to."""

    planes: tuple[Plane, ...]
    """Y, U and V, or Y alone for gray: arrays (height, width), uint8 at 8 bits, else uint16.

    Or two planes, semi-planar 4:2:0 as GPUs decode and encode it (NV12, P010): Y, and interleaved U and V
    (height / 2, width / 2, 2), with 10 bits in the upper bits of 16. These may be in the memory of a GPU, as objects
    that support DLPack.
    """
    color: ColorSpec
    bits: int = 8
    pts: int = 0
    """Presentation time in ticks of `time_base`."""
    duration_ticks: int = 0
    """Duration in ticks of `time_base`; 0 if unknown."""
    time_base: Fraction = Fraction(1, 25)
    qp: float | None = None
    """Mean QP of the codec, on H.264's scale of 0 to 51; None if unknown.

    A frame that repeats the one before has its QP: nothing was coded, so the damage is the same.
    """
    alpha: Plane | None = None
    """Opacity, from 0 to the highest code at `bits`, in the shape and dtype of luma; None if opaque."""
    av_frame: Any = None
    """The av.VideoFrame with the memory of the planes, and with side data for the output; None without one."""

    def __repr__(self) -> str:
        return f"Frame({self.width}x{self.height} {self.bits} bits, pts {self.pts} of {self.time_base}, {self.color})"

    @property
    def time(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    @property
    def duration(self) -> float:
        """Duration in seconds; 0 if unknown."""
        return float(self.duration_ticks * self.time_base)

    @property
    def semiplanar(self) -> bool:
        """Whether U and V share a plane (NV12, P010)."""
        return len(self.planes) == 2

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.planes[0].shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.planes[0].shape[1])

    @classmethod
    def from_rgb(
        cls,
        rgb: NDArray[Any],
        *,
        pts: int = 0,
        duration_ticks: int = 0,
        time_base: Fraction = Fraction(1, 25),
        color: ColorSpec = _IMAGE,
        bits: int = 10,
    ) -> Self:
        """Return an RGB image as a frame: YCbCr 4:4:4, by default at 10 bits, which keeps every 8-bit colour.

        rgb: (height, width, 3), uint8, or float in [0, 1]. color: of the frame, 4:4:4; by default full-range BT.601.
        """
        if rgb.ndim != 3 or rgb.shape[2] != 3:
            raise ValueError(f"expected an RGB image (height, width, 3); got {rgb.shape}")
        planes = tuple(np.empty(rgb.shape[:2], np.uint16) for _ in range(3))
        levels = levels_of(color, bits)
        zero, span = (np.array([y, c, c]) for y, c in zip(levels.luma, levels.chroma, strict=True))
        for lines in bands(rgb.shape[0]):
            unit = rgb[lines].astype(np.float32) / (255 if rgb.dtype == np.uint8 else 1)
            yuv = unit @ rgb_to_yuv(color.matrix).T  # (lines, width, 3), chroma around 0
            codes = np.rint(yuv * span + zero).clip(0, (1 << bits) - 1)
            for index, plane in enumerate(planes):
                plane[lines] = codes[..., index]
        return cls(planes, color, bits, pts, duration_ticks, time_base)

    def to_rgb(self) -> NDArray[np.float32]:
        """Return the frame as RGB: (height, width, 3) float32 in [0, 1]; subsampled chroma is repeated."""
        levels = levels_of(self.color, self.bits)
        luma = (self.planes[0].astype(np.float32) - levels.luma[0]) / levels.luma[1]
        if len(self.planes) == 1:
            return np.repeat(luma[..., None], 3, axis=2).clip(0, 1)
        right, down = (1 << shift for shift in self.color.subsampling)
        size = (slice(self.height), slice(self.width))
        chroma = [
            ((plane.astype(np.float32) - levels.chroma[0]) / levels.chroma[1]).repeat(down, 0).repeat(right, 1)[size]
            for plane in self.planes[1:3]
        ]
        yuv = np.stack([luma, *chroma], axis=2)
        rgb: NDArray[np.float32] = yuv @ np.linalg.inv(rgb_to_yuv(self.color.matrix)).T.astype(np.float32)
        return rgb.clip(0, 1)

    def to_ndarray(self, format: Literal["rgb24", "gray", "yuv420p"] = "rgb24") -> NDArray[np.uint8]:
        """Return the frame as uint8: rgb24 (height, width, 3), gray (height, width), yuv420p (height * 3 / 2, width).

        gray is full-range luma. yuv420p keeps matrix and range, and needs even sides. Raises ValueError.
        """
        if format == "rgb24":
            return np.rint(self.to_rgb() * 255).astype(np.uint8)
        if format == "gray":
            levels = levels_of(self.color, self.bits)
            unit: NDArray[Any] = (self.planes[0] - np.float32(levels.luma[0])) / levels.luma[1]
            gray: NDArray[np.uint8] = np.rint(unit.clip(0, 1) * 255).astype(np.uint8)
            return gray
        if format != "yuv420p":
            raise ValueError(f"expected one of rgb24, gray, yuv420p; got {format!r}")
        if self.width % 2 or self.height % 2:
            raise ValueError(f"yuv420p needs even sides; got {self.width}x{self.height}")
        half = (self.height // 2, self.width // 2)
        planes: list[NDArray[Any]] = [self.planes[0]]
        for plane in self.planes[1:3]:  # the mean of the samples that fall into one
            across, down = plane.shape[1] // half[1], plane.shape[0] // half[0]
            planes.append(plane.reshape(half[0], down, half[1], across).mean((1, 3)))
        planes += [np.full(half, 128 << (self.bits - 8))] * (3 - len(planes))
        codes: NDArray[np.float64] = np.concatenate([plane.ravel() for plane in planes]) / (1 << (self.bits - 8))
        return np.rint(codes).clip(0, 255).astype(np.uint8).reshape(-1, self.width)

    def to_image(self) -> "Image":
        """Return the frame as a Pillow image, RGB."""
        from PIL import Image

        return Image.fromarray(self.to_ndarray("rgb24"))

    def shows(self, other: "Frame") -> bool:
        """Return whether another frame has the same samples, depth and colour; times may differ.

        False for planes in the memory of a GPU, which are not compared.
        """
        if not all(isinstance(plane, np.ndarray) for plane in (*self.planes, *other.planes)):
            return False
        if (self.color, self.bits, len(self.planes)) != (other.color, other.bits, len(other.planes)):
            return False
        if (self.alpha is None) != (other.alpha is None):
            return False
        if self.alpha is not None and other.alpha is not None and not _equal(self.alpha, other.alpha):
            return False
        return all(_equal(plane, before) for plane, before in zip(self.planes, other.planes, strict=True))

    def at(self, pts: int, duration_ticks: int | None = None) -> Self:
        """Return the frame with another time."""
        return replace(self, pts=pts, duration_ticks=self.duration_ticks if duration_ticks is None else duration_ticks)


@dataclass(frozen=True, slots=True)
class Carried:
    """A packet of another stream (audio, subtitles, data), copied from source to sink."""

    stream: int
    """Index of its stream in the input."""
    packet: Any
    """An av.Packet."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Properties of a video, from its container and its first frame."""

    width: int
    height: int
    bits: int
    color: ColorSpec
    time_base: Fraction
    rate: Fraction | None
    """Frame rate as the container states; never used to calculate times."""
    frames: int | None
    """Number of frames as the container states, if it does."""
    duration: Fraction | None
    """Seconds, as the container states, if it does."""
    aspect: Fraction = Fraction(1)
    """Sample aspect ratio: width of a pixel divided by its height."""
    gray: bool = False
    alpha: bool = False
    """Whether frames may be transparent."""
    rgb: bool = False
    """Whether the samples were RGB before they became a Frame."""
    codec: str = ""
    still: bool = False
    """Whether it is a single image rather than a video."""

    @property
    def frame_bytes(self) -> int:
        """Bytes of the planes of one frame."""
        across, down = self.color.subsampling
        chroma = 0.0 if self.gray else 2 / (1 << across << down)
        return round(self.width * self.height * (1 + chroma + self.alpha)) * (2 if self.bits > 8 else 1)

    @property
    def square(self) -> bool:
        """Whether pixels are square, within 1/255, to which containers round the aspect ratio."""
        return abs(self.aspect - 1) <= Fraction(1, 255)


def bands(height: int, lines: int = 128) -> Iterator[slice]:
    """Yield bands of lines, for calculations that take much more memory than the frame itself."""
    for top in range(0, height, lines):
        yield slice(top, min(top + lines, height))


def _equal(plane: Plane, other: Plane) -> bool:
    # A few lines in the middle first: they differ in most frames that move.
    middle = slice(plane.shape[0] // 2, plane.shape[0] // 2 + 8)
    return np.array_equal(plane[middle], other[middle]) and np.array_equal(plane, other)
