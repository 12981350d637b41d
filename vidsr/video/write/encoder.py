"""Frames encoded into the packets of one video stream."""

from collections.abc import Iterator

import av
from av.container import OutputContainer
from av.video.frame import CudaContext, PictureType

from vidsr.context import Code, Context, Notice
from vidsr.frames import Frame, VideoInfo
from vidsr.video.convert.nv12 import BITS, lies_on_gpu, nv12_av_frame, planar
from vidsr.video.convert.pixel_formats import pixel_format_name
from vidsr.video.convert.resizer import Resizer, to_av_frame
from vidsr.video.convert.side_data import LOST_SIDE_DATA, lost_side_data, side_data
from vidsr.video.write.encoder_setup import add_video_stream
from vidsr.video.write.encoding_plan import EncodingPlan
from vidsr.video.write.output_clock import OutputClock


class Encoder:
    """The encoder of one video stream of an output container, opened at once."""

    def __init__(self, container: OutputContainer, plan: EncodingPlan, context: Context) -> None:
        """Add the stream and open its encoder. Raises OutputError if the encoder refuses."""
        self._plan = plan
        self._checker = FrameChecker(plan, context)
        self._resizer = Resizer("bicubic")
        self._clock = OutputClock(plan.muxer.name, plan.time_base, context, frame_time_base=plan.frame_time_base)
        # One for all frames; each would open the GPU again.
        self._cuda = None if plan.cuda_device is None else CudaContext(device_id=plan.cuda_device, primary_ctx=True)
        self._joins = False
        self.stream = add_video_stream(container, plan)

    @property
    def last(self) -> int | None:
        """Pts of the last frame, in the time base of the plan; None before the first."""
        return self._clock.last

    def encode(self, frame: Frame | None) -> list[av.Packet]:
        """Return the packets that are complete after one more frame, or None for the end.

        A frame of another size, pixel format or colour than the video began with is converted.
        Raises OutputError if the container cannot store the time since the last frame.
        """
        if self._joins:
            return []  # nothing was encoded, and flushing then blocks some encoders forever
        packets = self.stream.encode(None if frame is None else self._av_frame(frame))
        for packet in packets:
            self._clock.restore(packet)
        if frame is None and packets:
            self._clock.finish(packets[-1])
        return packets

    def join(self, packet: av.Packet) -> av.Packet:
        """Return a packet of a segment, which another encoder with the same plan made, as the next of this stream."""
        self._joins = True
        self._clock.join(packet)
        packet.stream = self.stream
        return packet

    def _av_frame(self, frame: Frame) -> av.VideoFrame:
        self._checker.check(frame)
        av_frame = nv12_av_frame(frame, self._cuda) if self._is_encodable(frame) else self._converted(frame)
        self._clock.stamp(av_frame, frame)
        av_frame.pict_type = PictureType.NONE  # else the encoder repeats the keyframes of the input
        return av_frame

    def _is_encodable(self, frame: Frame) -> bool:
        """Return whether the encoder takes a semi-planar frame as it is, from the memory that it is in."""
        info, color = self._plan.info, frame.color
        given = frame.width, frame.height, color.matrix, color.full_range
        wanted = info.width, info.height, info.color.matrix, info.color.full_range
        fits = given == wanted and BITS.get(self._plan.pixel_format) == frame.bits
        return frame.semiplanar and fits and lies_on_gpu(frame) == (self._plan.cuda_device is not None)

    def _converted(self, frame: Frame) -> av.VideoFrame:
        info, planar_format = self._plan.info, self._plan.planar_format
        opaque_format = planar_format.replace("yuva", "yuv")
        frame = self._resizer.fit(planar(frame), info.width, info.height, opaque_format, info.color)
        av_frame = to_av_frame(frame, planar_format if self._plan.keeps_alpha else None)
        if self._plan.pixel_format != planar_format:
            av_frame = self._resizer.arrange(av_frame, self._plan.pixel_format)
        return av_frame


class FrameChecker:
    """Warns of frames that lose something because the video is encoded as it began: in one size, format and colour."""

    def __init__(self, plan: EncodingPlan, context: Context) -> None:
        self._info, self._context = plan.given, context
        self._encoder = f"{plan.encoder} in {plan.muxer.name}"
        info = plan.given
        self._known = [(info.width, info.height, info.bits, info.gray, info.color)]
        self._checks_side_data = not plan.of_images
        self._lost = set[str]()  # kinds of side data that were warned of
        self._checks_alpha, self._checks_captions = not plan.keeps_alpha, not plan.keeps_captions

    def check(self, frame: Frame) -> None:
        """Warn of what a frame loses, once for each kind of loss."""
        kind = (frame.width, frame.height, frame.bits, len(frame.planes) == 1, frame.color)
        if kind not in self._known:
            self._known.append(kind)
            for notice in _changes(frame, self._info):
                self._context.on_warning(notice)
        # A pixel format may have an alpha plane that is opaque everywhere; then nothing is lost.
        if self._checks_alpha and frame.alpha is not None and int(frame.alpha.min()) < (1 << frame.bits) - 1:
            self._checks_alpha = False
            other = "use .webm, .mkv with --codec ffv1, or .mov with --codec prores_ks"
            why = f"{self._encoder} cannot store it; {other}"
            if not self._info.alpha:
                why = "the video began without one"
            self._context.warn(f"the alpha channel is left out: {why}", Code.ALPHA)
        for name in sorted(lost_side_data(frame.av_frame) - self._lost) if self._checks_side_data else ():
            self._lost.add(name)
            what = f"{LOST_SIDE_DATA[name]}: left out, because {self._encoder.split()[0]} cannot write it"
            self._context.warn(what, Code.SIDE_DATA)
        if self._checks_captions and side_data(frame.av_frame, "A53_CC") is not None:
            self._checks_captions = False
            what = f"the closed captions are left out: {self._encoder} cannot store them"
            self._context.warn(what, Code.CAPTIONS)


def _changes(frame: Frame, info: VideoInfo) -> Iterator[Notice]:
    """Give a warning for each way in which a frame differs from the video as it began."""
    if (frame.width, frame.height) != (info.width, info.height):
        sizes = f"from {info.width}x{info.height} to {frame.width}x{frame.height}"
        yield Notice(f"the frame size changes {sizes}: the video keeps its first size")
    now = pixel_format_name(frame.bits, frame.color.subsampling, gray=len(frame.planes) == 1)
    first = pixel_format_name(info.bits, info.color.subsampling, gray=info.gray)
    if now != first:
        what = f"the pixel format changes from {first} to {now}: the video keeps its first one"
        yield Notice(what, (Code.PIXEL_FORMAT,))
    for code, value, first_value in (
        (Code.PRIMARIES, frame.color.primaries, info.color.primaries),
        (Code.TRANSFER, frame.color.transfer, info.color.transfer),
    ):
        if value != first_value:
            what = f"the colour {code} changes from {first_value} to {value} (ITU-T H.273)"
            yield Notice(f"{what}: the video keeps its first value", (code,))
