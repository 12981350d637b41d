"""What a film holds: all that two files are held against each other by."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from vidsr.color import ColorSpec
from vidsr.video.read.damage import Damage

SRGB = "sRGB"
"""A colour profile that a film need not tell."""
UNTIMED = -(1 << 63)
"""Stands in `times` for a packet without a time stamp."""


@dataclass(frozen=True, slots=True)
class Track:
    """A stream beside the film."""

    index: int
    kind: str
    """audio, subtitle, data, attachment, video; "cover art"."""
    codec: str
    language: str
    disposition: int
    """FFmpeg's flags."""
    tags: Mapping[str, str]
    """Without the language; keys in lower case."""
    packets: int
    payload: str
    """A digest of all its bytes, without what a container adds to them."""
    tick: Fraction
    times: "array[int]"
    """Pts of every packet in ticks, or UNTIMED; of subtitles begin and end in turn."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter; seconds."""

    start: Fraction
    end: Fraction
    title: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """A film read to its end. Memory: eight bytes a frame and a packet, some 4 MB for an hour."""

    title: str
    container: str
    """FFmpeg's name of the format."""
    pictures: bool
    """Whether it is pictures in files of their own, which tell no times, and no colours but those of RGB."""
    width: int
    height: int
    layout: str
    """FFmpeg's name for how samples are laid out."""
    color: ColorSpec
    aspect: Fraction
    """Of a pixel."""
    turn: tuple[int, ...]
    """The display matrix; empty where pictures are shown as they are."""
    tick: Fraction
    times: "array[int]"
    """Pts of every frame, in ticks."""
    end: Fraction | None
    """Seconds at which the last frame goes; None where that is not told."""
    fields: int
    """How many frames are interlaced."""
    transparent: int
    """How many frames can be seen through anywhere."""
    captions: int
    """How many frames carry closed captions."""
    dynamic: tuple[str, ...]
    """Which metadata tell how bright each picture is: "Dolby Vision", "HDR10+"."""
    mastering: tuple[int, ...]
    """HDR10's mastering display and light levels, in the units of HEVC."""
    language: str
    disposition: int
    stream_tags: Mapping[str, str]
    """Of the film's own stream."""
    tags: Mapping[str, str]
    """Of the file; keys in lower case."""
    beside: Mapping[str, str]
    """What an image file says beside its picture: colour profile and Exif."""
    chapters: tuple[Chapter, ...]
    tracks: tuple[Track, ...]
    damage: Damage
    """What could not be read, or not well."""
