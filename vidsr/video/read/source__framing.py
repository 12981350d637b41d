"""A decoder's pictures as Frames: what they leave untold is told, what is measured is measured once."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
from av.video.reformatter import VideoReformatter

from vidsr.frames import Carried, Frame, Notice
from vidsr.video.convert.deinterlace__filtering import Filter
from vidsr.video.convert.from_av import frame_of
from vidsr.video.convert.qp import mean_quantiser
from vidsr.video.convert.scale import FULL, siting_of
from vidsr.video.convert.side_data import NAMED, without_side_data
from vidsr.video.read.demuxer import Demuxer
from vidsr.video.read.source__remarks import remarks_on

_STUDIO = ("h264", "hevc", "vvc", "av1")  # codecs by whose rules untagged material has limited range
_SILENT = ("hevc", "vvc")  # whose 4:2:2 sits on the left; their decoders tell where chroma sits of 4:2:0 only
_PATIENCE = 3  # pictures of a new size in a row before damaged input is believed to have changed it


class Framer:
    """Makes Frames of the pictures of one film. Not for two threads at once."""

    def __init__(
        self,
        demuxer: Demuxer,
        *,
        time_base: Fraction,
        source_quality: float | None,
        notice: Callable[[Notice], None],
        semiplanar: bool = False,
    ) -> None:
        """time_base: of the pictures' time stamps. source_quality: QP of every frame; None: as the decoder tells.

        semiplanar: see `frame_of`.
        """
        self._semiplanar = semiplanar
        self._demuxer, self._time_base, self._quality, self._notice = demuxer, time_base, source_quality, notice
        self._scaler = VideoReformatter()
        self._left = Filter("setparams", chroma_location="left")
        self._siting: Any = None
        self._layout = ""
        self._before: Frame | None = None

    def frames(self, items: Iterable[av.VideoFrame | Carried]) -> Iterator[Frame | Carried]:
        """Frames instead of pictures; those of damaged input that claim another size for a moment are lost."""
        odd: list[Frame] = []  # pictures of another size, held until they are believed
        size: tuple[int, int] | None = None
        for item in items:
            if isinstance(item, Carried):
                yield item
                continue
            frame = self._frame(item)
            here = (frame.width, frame.height)
            if size in (None, here) or not self._demuxer.damage.total or len(odd) + 1 >= _PATIENCE:
                yield from odd
                yield frame
                size, odd = here, []
            elif odd and (odd[-1].width, odd[-1].height) != here:
                self._lose(odd)
                odd = [frame]
            else:
                odd.append(frame)
        self._lose(odd)

    def _lose(self, frames: list[Frame]) -> None:
        for frame in frames:
            time = frame.pts * frame.time_base - self._demuxer.clip.shift
            self._demuxer.note("lost_frames", round(time / self._demuxer.time_base))

    def _frame(self, picture: av.VideoFrame) -> Frame:
        codec, kind = self._demuxer.codec, picture.sw_format or picture.format
        layout = kind.name
        if codec in NAMED:
            picture = without_side_data(picture)
        if codec in _SILENT and layout.startswith("yuv422"):
            picture = self._left(picture)  # else swscale would take it for centred
        if not picture.color_range and len(kind.components) < 3 and codec not in _STUDIO:
            picture.color_range = FULL  # gray, untagged: a photo's
        if layout != self._layout:
            self._layout, self._siting = layout, None if picture.format.is_rgb else siting_of(picture)
            for notice in remarks_on(picture):
                self._notice(notice)
        quantiser = mean_quantiser(picture) if self._quality is None else self._quality
        if quantiser is None:
            quantiser = self._demuxer.estimator.value
        frame = frame_of(
            picture, siting=self._siting, quantiser=quantiser, scaler=self._scaler, semiplanar=self._semiplanar
        )
        before, self._before = self._before, replace(frame, time_base=self._time_base)
        if before is not None and before.quantiser != quantiser and frame.shows(before):
            self._before = replace(self._before, quantiser=before.quantiser)
        return self._before
