"""The inventory of a file: everything that two files are compared by."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from vidsr.color import ColorSpec
from vidsr.verify.subtitle_text import TimedText
from vidsr.video.convert.immersive import SphericalMapping, StereoLayout
from vidsr.video.read.damage import Damage

SRGB = "sRGB"
"""A colour profile that videos need not carry."""
UNTIMED = -(1 << 63)
"""The value in `times` of a packet without a time stamp."""


@dataclass(frozen=True, slots=True)
class Track:
    """A stream beside the video."""

    index: int
    kind: str
    """audio, subtitle, data, attachment, video; "cover art"."""
    codec: str
    pid: int | None
    """In MPEG-TS; None elsewhere, and where several streams share one."""
    language: str
    locale: str
    """The language as BCP 47, such as pt-BR, where that says more; else empty."""
    disposition: int
    """FFmpeg's flags."""
    tags: Mapping[str, str]
    """Without the language; keys in lower case."""
    packets: int
    payload: str
    """A digest of its bytes, without what a container adds to them."""
    tick: Fraction
    times: "array[int]"
    """Pts of every packet in ticks, or UNTIMED; of subtitles start and end in turn; of PCM the start and each gap."""
    texts: tuple[TimedText, ...]
    """Of text subtitles."""
    sound: str
    """Sample rate and number of channels of a sound."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter; seconds."""

    start: Fraction
    end: Fraction
    title: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """A file, read to its end. It takes 520 bytes a frame, some 50 MB for an hour, and eight a packet."""

    title: str
    container: str
    """FFmpeg's name of the format."""
    images: bool
    """Whether it is an image or an image sequence, without time stamps, and without colours but those of RGB."""
    animation: bool
    """Whether it is an animated image, such as a GIF, which is stored upright."""
    width: int
    height: int
    pixel_format: str
    """Pixel format."""
    color: ColorSpec
    aspect: Fraction
    """Of a pixel."""
    display_matrix: tuple[int, ...]
    """Empty for frames that are shown as they are stored."""
    tick: Fraction
    times: "array[int]"
    """Pts of every frame, in ticks."""
    thumbnails: NDArray[np.float16]
    """What every frame shows; see `thumbnail`."""
    end: Fraction | None
    """Seconds at which the last frame ends; None if unknown."""
    fields: int
    """How many frames are interlaced."""
    transparent: int
    """How many frames are transparent anywhere."""
    captions: int
    """How many frames carry closed captions."""
    caption_data: str
    """A digest of them."""
    side_data: tuple[str, ...]
    """What else is beside its frames, such as an active format description."""
    dynamic: tuple[str, ...]
    """Dynamic HDR metadata of its frames: "Dolby Vision", "HDR10+"."""
    mastering: tuple[int | str, ...]
    """HDR10's mastering display and light levels, in the units of HEVC; text for values that no encoder can write."""
    spherical: SphericalMapping | None
    """For frames that are 1 pixel wide."""
    stereo: StereoLayout | None
    program: int | None
    """The number of its programme in MPEG-TS."""
    pid: int | None
    """In MPEG-TS."""
    language: str
    locale: str
    """The language as BCP 47, such as pt-BR, where that says more; else empty."""
    disposition: int
    stream_tags: Mapping[str, str]
    """Of the video stream."""
    tags: Mapping[str, str]
    """Of the file; keys in lower case."""
    image_metadata: Mapping[str, str]
    """Colour profile and Exif of an image file."""
    chapters: tuple[Chapter, ...]
    tracks: tuple[Track, ...]
    damage: Damage
    """What could not be decoded."""


Timed = Inventory | Track
"""Anything with `times` in units of `tick`."""
