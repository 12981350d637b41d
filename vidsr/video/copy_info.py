"""What an output copies from its input, beside the packets and frames themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from vidsr.frames import Frame, VideoInfo


@dataclass(frozen=True)
class CopyInfo:
    """Filled by `read/`, taken by `write/`: streams, tags, chapters, side data and timing of an input.

    The streams belong to the open input, which must stay open until the output is closed.
    """

    name: object
    """Path, address or file that was opened; an output must not be the same."""
    info: VideoInfo
    first: Frame
    """First frame; `av_frame` has the side data of the video."""
    video_stream: av.VideoStream
    streams: tuple[Any, ...] = ()
    """The av streams whose packets are copied, and the attachments, which have no packets."""
    cover_art: Mapping[int, bytes] = field(default_factory=dict)
    """Cover art by the index of its stream."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Metadata of the container."""
    chapters: tuple[dict[str, Any], ...] = ()
    display_matrix: tuple[int, ...] = ()
    """Rotation or mirroring that players apply; empty for none."""
    image: bytes | None = None
    """The image file, or the first of a sequence; None for a video container."""
    image_files: Mapping[int, Path] = field(default_factory=dict)
    """The files of an image sequence by number; empty for anything else."""
    is_variable: Callable[[], bool] = lambda: False
    """Return whether the gaps between frames differ; reads ahead in the file where it has to."""
    frame_number: Callable[[int], int] = lambda pts: pts + 1
    """Return the number of the image shown at a time in ticks."""
    lost_packet: Callable[[Any], None] = lambda packet: None
    """Count a packet that no output takes as damage. Raises Damaged where strict."""
