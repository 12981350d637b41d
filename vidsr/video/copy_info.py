"""What an output copies from its input, besides packets and frames."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import av
from av.stream import Stream

from vidsr.frames import Frame, VideoInfo
from vidsr.video._compat import Chapter


@dataclass(frozen=True, slots=True)
class TsProgram:
    """A programme of MPEG-TS (or a variant of HLS)."""

    number: int
    tags: Mapping[str, str]
    """Name and provider of the service."""
    streams: tuple[int, ...]
    """Indices of its streams."""


@dataclass(frozen=True)
class CopyInfo:
    """Streams, tags, chapters, side data and timing of an input: filled by `read/`, used by `write/`.

    The streams belong to the open input, which must stay open until the output is closed.
    """

    name: object
    """Path, address or file object of the input; the output must not be the same."""
    info: VideoInfo
    first: Frame
    """The first frame; its `av_frame` has the side data of the video."""
    video_stream: av.VideoStream
    streams: tuple[Stream, ...] = ()
    """The streams whose packets are copied, and the attachments, which have no packets."""
    cover_art: Mapping[int, bytes] = field(default_factory=dict)
    """The image in each stream of cover art, by the index of the stream."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Metadata of the container."""
    programs: tuple[TsProgram, ...] = ()
    """Programmes of MPEG-TS, variants of HLS."""
    languages: Mapping[int, str] = field(default_factory=dict)
    """Languages that ISO 639-2 cannot name, such as pt-BR, as BCP 47, by the index of the stream."""
    chapters: tuple[Chapter, ...] = ()
    display_matrix: tuple[int, ...] = ()
    """Rotation or mirroring that players apply; empty for none."""
    image: bytes | None = None
    """The image file, or the first of a sequence; None if the input is a video file."""
    image_files: Mapping[int, Path] = field(default_factory=dict)
    """The files of an image sequence, by number; empty for any other input."""
    is_variable: Callable[[], bool] = lambda: False
    """Return whether the frame rate is variable; may read ahead in the file."""
    frame_number: Callable[[int], int] = lambda pts: pts + 1
    """Return the number of the image at a pts, in the time base of `info`."""
    lost_packet: Callable[[av.Packet], None] = lambda packet: None
    """Count a packet that is too damaged to be muxed as damage of the input. Raises Damaged if the input is strict."""

    @property
    def program(self) -> TsProgram | None:
        """The programme of the video; None if the format has none."""
        return next((program for program in self.programs if self.video_stream.index in program.streams), None)
