"""360 degree video and stereo 3D: what frames state, and how containers name it."""

import struct
from dataclasses import dataclass, replace

import av

from vidsr.video.convert.side_data import side_data

_LAYOUTS = (
    "2D", "side by side", "top and bottom", "frame alternate", "checkerboard", "side by side, quincunx",
    "interleaved lines", "interleaved columns", "separate views",
)  # fmt: skip
_INVERTED = 1
_PROJECTIONS = (
    "equirectangular", "cubemap", "tiled equirectangular", "half equirectangular", "rectilinear", "fisheye",
    "parametric immersive",
)  # fmt: skip
EQUIRECTANGULAR, CUBEMAP, TILED_EQUIRECTANGULAR = 0, 1, 2
"""AVSphericalProjection, as far as containers name it."""
SIDE_BY_SIDE, TOP_AND_BOTTOM = 1, 2
"""AVStereo3DType of the layouts that an mp4 stores."""

# Matroska's names, as FFmpeg's muxer takes them, by layout: left view first, right view first.
_STEREO_MODES = {
    SIDE_BY_SIDE: ("left_right", "right_left"),
    TOP_AND_BOTTOM: ("top_bottom", "bottom_top"),
    3: ("block_lr", "block_rl"),
    4: ("checkerboard_lr", "checkerboard_rl"),
    6: ("row_interleaved_lr", "row_interleaved_rl"),
    7: ("col_interleaved_lr", "col_interleaved_rl"),
}


@dataclass(frozen=True, slots=True)
class StereoLayout:
    """How the views of stereo 3D lie in a frame."""

    layout: int
    """AVStereo3DType."""
    inverted: bool = False
    """Whether the right view comes first."""

    def __str__(self) -> str:
        name = _LAYOUTS[self.layout] if self.layout < len(_LAYOUTS) else f"layout {self.layout}"
        return f"{name}, right view first" if self.inverted else name

    @property
    def in_h264(self) -> bool:
        """Whether x264 writes it into the bitstream (frame packing arrangement), which has no inverted order there."""
        return self.layout in _STEREO_MODES and not self.inverted

    @property
    def matroska_mode(self) -> str | None:
        """Matroska's StereoMode, as FFmpeg's muxer takes it; None if it has none."""
        modes = _STEREO_MODES.get(self.layout)
        return None if modes is None else modes[self.inverted]


@dataclass(frozen=True, slots=True)
class SphericalMapping:
    """How the frames of a 360 degree video lie on a sphere."""

    projection: int
    """AVSphericalProjection."""
    pose: tuple[int, int, int] = (0, 0, 0)
    """Yaw, pitch and roll, in degrees times 65536."""
    bounds: tuple[int, int, int, int] = (0, 0, 0, 0)
    """What a tile leaves out on the left, top, right and bottom, as a fraction times 2**32."""
    padding: int = 0
    """Pixels around each face of a cubemap."""

    def __str__(self) -> str:
        known = self.projection < len(_PROJECTIONS)
        name = _PROJECTIONS[self.projection] if known else f"projection {self.projection}"
        return " ".join([name, *(f"{angle / 65536:g}" for angle in self.pose if any(self.pose))])

    def scaled(self, factor: float) -> "SphericalMapping":
        """Return the mapping of larger frames."""
        return replace(self, padding=round(self.padding * factor))


def stereo_layout(av_frame: av.VideoFrame | None) -> StereoLayout | None:
    """Return the stereo layout that a frame states; None for a plain one."""
    data = side_data(av_frame, "STEREO3D")
    layout, flags = struct.unpack_from("<iI", data) if data else (0, 0)
    return StereoLayout(layout, bool(flags & _INVERTED)) if layout else None


def spherical_mapping(av_frame: av.VideoFrame | None) -> SphericalMapping | None:
    """Return the spherical mapping that a frame states; None without one."""
    data = side_data(av_frame, "SPHERICAL")
    if data is None:
        return None
    projection, yaw, pitch, roll, left, top, right, bottom, padding = struct.unpack_from("<4i5I", data)
    return SphericalMapping(projection, (yaw, pitch, roll), (left, top, right, bottom), padding)
