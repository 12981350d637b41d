"""The pictures of a sequence, one after the other, in place of a container's."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from vidsr.context import Context
from vidsr.errors import InputError, NotAVideo
from vidsr.frames import Carried
from vidsr.video.read.demuxer import Demuxer
from vidsr.video.read.open_input import open_input
from vidsr.video.read.streams import set_up_decoder, video_stream_of
from vidsr.video.sequence import Sequence
from vidsr.video.timing import Clip


class Gallery(Demuxer):
    """Reads one file a frame: its number is its time, so that a missing one leaves a gap."""

    def __init__(
        self,
        container: Any,
        stream: Any,
        clip: Clip,
        *,
        title: str,
        rate: Fraction | None,
        strict: bool,
        pictures: Sequence,
        context: Context,
    ) -> None:
        """container, stream: of the first picture. rate: frames a second; None: 25."""
        rate = rate or Fraction(25)
        super().__init__(container, stream, clip, title=title, live=False, rate=rate, strict=strict, context=context)
        self._files, self._first = pictures.files, pictures.first
        self._length = (list(pictures.files)[-1] - pictures.first + 1) / rate

    def seconds(self) -> Fraction | None:
        """How long the piece is."""
        left = max(self._length - (self.clip.start or 0), Fraction(0))
        return left if self.clip.length is None else min(left, self.clip.length)

    def variable(self) -> bool:
        """Whether a picture is missing."""
        return self._length * (self.rate or 1) != len(self._files)

    def _decoded(self) -> Iterator[av.VideoFrame | Carried]:
        for number, file in self._files.items():
            pts = number - self._first
            if not self.clip.holds(pts * self.time_base):
                continue
            try:
                picture = self._picture_in(file)
            except (InputError, av.error.FFmpegError, EOFError):
                self.note("lost_frames", pts)
                continue
            if picture.is_corrupt:
                self.note("corrupt_frames", pts)
            picture.pts, picture.duration, picture.time_base = pts, 1, self.time_base
            yield picture

    def _picture_in(self, file: Path) -> av.VideoFrame:
        with open_input(file, format=None, live=False, stop=None).container as container:
            stream = video_stream_of(container, str(file))
            set_up_decoder(stream)
            self.codec = stream.codec_context.codec.canonical_name
            for picture in container.decode(stream):
                return picture  # type: ignore[no-any-return]
        raise NotAVideo(f"{file} holds no picture")
