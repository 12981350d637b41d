"""What of a film on its way is not as it was at the beginning, and how it is made to fit; each is told once."""

from collections.abc import Callable, Iterator

from vidsr.frames import Frame, Notice, VideoInfo
from vidsr.video.convert.pixel_formats import layout_name
from vidsr.video.convert.side_data import side_data


class Watch:
    """Looks at every frame that is written. A film is written as it began: in one size, layout and colour."""

    def __init__(
        self, info: VideoInfo, *, keeps_alpha: bool, keeps_captions: bool, writer: str, notice: Callable[[str], None]
    ) -> None:
        """info: of the output. writer: the encoder and its container, in words."""
        self._info, self._keeps_alpha, self._writer, self._notice = info, keeps_alpha, writer, notice
        self._known = [_kind_of_film(info)]
        self._alpha_told, self._captions_told = keeps_alpha, keeps_captions

    def look(self, frame: Frame) -> None:
        """Tell what cannot be kept of a frame."""
        kind = (frame.width, frame.height, frame.bits, len(frame.planes) == 1, frame.color)
        if kind not in self._known:
            self._known.append(kind)
            for notice in _changes(frame, self._info):
                self._notice(notice)
        # Formats may hold alpha and be opaque everywhere; then nothing is lost.
        if frame.alpha is not None and not self._alpha_told and int(frame.alpha.min()) < (1 << frame.bits) - 1:
            self._alpha_told = True
            why = f"{self._writer} holds none; .webm does, .mkv with --codec ffv1 and .mov with --codec prores_ks"
            if not self._info.alpha:
                why = "the film began without one"
            self._notice(Notice(f"the alpha channel is left out: {why}", "alpha"))
        if not self._captions_told and side_data(frame.carrier, "A53_CC") is not None:
            self._captions_told = True
            self._notice(Notice(f"the closed captions are left out: {self._writer} holds none", "captions"))


def _kind_of_film(info: VideoInfo) -> tuple[object, ...]:
    return info.width, info.height, info.bits, info.gray, info.color


def _changes(frame: Frame, info: VideoInfo) -> Iterator[Notice]:
    began = f"{info.width}x{info.height}"
    if (frame.width, frame.height) != (info.width, info.height):
        yield Notice(f"the picture changes its size on the way: {frame.width}x{frame.height} is stretched to {began}")
    layouts = [
        layout_name(bits, color.subsampling, gray=gray)
        for bits, color, gray in (
            (frame.bits, frame.color, len(frame.planes) == 1),
            (info.bits, info.color, info.gray),
        )
    ]
    if layouts[0] != layouts[1]:
        yield Notice(
            "the film changes on the way from {1} to {0}: it is written as it began".format(*layouts), "layout"
        )
    for what, now, then in (
        ("primaries", frame.color.primaries, info.color.primaries),
        ("transfer", frame.color.transfer, info.color.transfer),
    ):
        if now != then:
            sentence = f"the colours change on the way: {what} {now} (ITU-T H.273) is still told as {then}"
            yield Notice(sentence, what)
