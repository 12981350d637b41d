"""The picture's way into a container: which codec, in which layout and colours, at which times."""

from fractions import Fraction
from typing import Any

import av

from vidsr.context import Code, Context
from vidsr.errors import OutputError
from vidsr.frames import Frame
from vidsr.video.convert.nv12 import nv12_av_frame, planar
from vidsr.video.convert.pixel_formats import LAYOUTS, is_transparent, layout_name
from vidsr.video.convert.resizer import Resizer, to_av_frame
from vidsr.video.convert.scale import FULL, LIMITED
from vidsr.video.copy_info import CopyInfo
from vidsr.video.metadata import stream_tags
from vidsr.video.write.container_losses import Watch
from vidsr.video.write.encoder_options import ARRANGED, encoder_options, layout_for, repeating
from vidsr.video.write.encoder_setup import Encoding, choose_codec, open_codec
from vidsr.video.write.nvenc import nvenc_for, stream_options, takes
from vidsr.video.write.output_clock import DecodingOrder, check_pause, needs_order, rate_of, tick_of, told_tick

_REORDERING = ("libx264", "libx264rgb", "libx265", "h264_nvenc", "hevc_nvenc")
_CAPTIONING = ("libx264", "libx264rgb", "libx265", "mpeg2video", "h264_nvenc", "hevc_nvenc")
_COUNTING = ("mpeg1video", "mpeg2video", "mpeg4", "h263p", "msmpeg4", "msmpeg4v2")  # their ticks must be frames


class Encoder:
    """One video stream of an output container. Opens its codec at once, so that it fails before anything is written."""

    def __init__(self, container: Any, plan: Encoding, copy: CopyInfo | None, *, context: Context) -> None:
        self._info, info = plan.info, plan.info
        codec = choose_codec(container, plan, context)
        self._format = layout_for(codec, info, plan.encoder_options, muxer=plan.muxer.name)
        first = None if copy is None or "pix_fmt" in plan.encoder_options else copy.first
        self._nvenc = nvenc_for(first, codec.name, self._format)
        self._format = self._nvenc.format if self._nvenc else self._format
        self._layout = ARRANGED.get(self._format, self._format)
        self._transparent = is_transparent(self._layout)
        self._muxer = plan.muxer.name
        writer = f"{codec.name} in {self._muxer}"
        self._watch = Watch(
            info,
            keeps_alpha=self._transparent,
            keeps_captions=codec.name in _CAPTIONING,
            writer=writer,
            context=context,
        )
        self._resizer = Resizer("bicubic")
        self._durations: dict[int, int] = {}
        self.last: int | None = None
        """Pts of the last frame, in ticks; None before the first."""
        self._timeless = plan.muxer.name == "yuv4mpegpipe"
        self._counts = self._timeless or codec.name in _COUNTING
        self._times: list[int] = []  # pts of each frame on its way, where the codec counts
        self._taken = 0
        self._joining = False
        self._last_dts: int | None = None  # of the packets joined
        self.tick = tick_of(plan.muxer.name, codec.name, info.time_base)
        """Seconds in a tick of its packets."""
        self._order = DecodingOrder(self.tick)
        self._context = context
        self._told = self.tick / told_tick(self._muxer, self.tick)
        self._crowded = self._timeless  # whether it was said that frames come too close together to be told apart
        gray = info.gray and not self._transparent
        wanted = layout_name(info.bits, info.color.subsampling, gray=gray, alpha=self._transparent)
        chosen = "pix_fmt" in plan.encoder_options or (info.gray and LAYOUTS[self._layout][0] == info.bits)
        if self._layout != wanted and not chosen:
            what = f"{codec.name} takes no {wanted}: the film is encoded as {self._layout}, the nearest it takes"
            context.warn(what, Code.PIXEL_FORMAT)
        elif self._layout != wanted and "pix_fmt" in plan.encoder_options:
            context.warn(f"the film is encoded as {self._layout}, as asked for, not as {wanted}", Code.PIXEL_FORMAT)
        if self._timeless and (copy is None or copy.is_variable()):
            what = "y4m holds no time stamps: frames that came unevenly are written as if they had not"
            context.warn(what, Code.PTS, Code.DURATION)
        if plan.options.repeatable and self._transparent and codec.name.startswith("libvpx"):
            raise OutputError(
                f"{codec.name} puts transparency beside its packets, where segments cannot keep it; leave --resume "
                "out, or give --encoder-option pix_fmt=yuv420p"
            )
        if plan.options.repeatable and repeating(codec.name, plan.encoder_options) is None:
            context.warn(
                f"{codec.name} may not repeat itself: a film that was resumed may differ from one that was not"
            )
        self.stream = container.add_stream(codec.name, rate=rate_of(codec, info.rate), **stream_options(self._nvenc))
        self._set_up(plan, copy)
        open_codec(self.stream.codec_context, plan)

    def encode(self, frame: Frame | None) -> list[Any]:
        """The packets that a frame, or None for the end, sets free; resized where the film changed on its way."""
        if self._joining:
            return []  # there was nothing to encode, and some encoders wait forever for what they have begun
        packets = self.stream.encode(None if frame is None else self._picture(frame))
        for packet in packets:
            if self._counts and not self._timeless:
                packet.time_base = self.tick
                packet.pts = packet.dts = self._times.pop(0)
            else:
                packet.dts = self._order.dts(packet.pts, packet.dts)
            length = self._durations.pop(packet.pts, 0)
            if length:
                packet.duration = length  # not every encoder hands it on
        return list(packets)

    def join(self, packet: Any) -> Any:
        """A packet of a segment, made by another encoder of the same settings, as the next of this stream.

        Where segments meet, decoding times may overlap: a B-frame's run-up reaches back before its segment.
        """
        self._joining = True
        if self._last_dts is not None:
            packet.dts = max(packet.dts, self._last_dts + 1)
        self._last_dts = packet.dts
        if self.last is not None and packet.is_keyframe:
            check_pause(self._muxer, self.last, packet.pts, self.tick)
        self.last = packet.pts if self.last is None else max(packet.pts, self.last)
        packet.stream = self.stream
        return packet

    def _set_up(self, plan: Encoding, copy: CopyInfo | None) -> None:
        info, stream, context = plan.info, self.stream, self.stream.codec_context
        name = context.name
        context.width, context.height, context.pix_fmt = info.width, info.height, self._format
        if self._counts:
            context.time_base = 1 / Fraction(context.framerate.numerator, context.framerate.denominator)
        else:  # for exact time stamps the encoder counts in the input's own ticks where it can
            context.time_base = self.tick
        stream.time_base = context.time_base if self._timeless else self.tick
        context.flags |= av.codec.context.Flags.frame_duration
        context.sample_aspect_ratio = info.aspect
        context.color_range = FULL if info.color.full_range else LIMITED
        context.colorspace = info.color.matrix
        context.color_primaries, context.color_trc = info.color.primaries, info.color.transfer
        # PyAV asks for slice threads, which x264 takes as an order to cut every picture; only live streams want that.
        context.thread_type = "SLICE" if plan.options.live else "AUTO"
        first = None if copy is None else copy.first.av_frame
        options = encoder_options(
            name, crf=plan.options.crf, preset=plan.options.preset, live=plan.options.live, user=plan.encoder_options,
            picture=first, transparent=self._transparent,
        )  # fmt: skip
        if plan.options.repeatable:
            options |= repeating(name, plan.encoder_options) or {}
        if LAYOUTS[self._layout][1] != (0, 0):
            options["chroma_sample_location"] = info.color.chroma_location
        if name == "ffv1" and min(info.width, info.height) < 16:
            options.setdefault("slices", "1")  # it finds no number of its own for some tiny sizes
        context.options = options
        if (
            name in _REORDERING
            and "bf" not in plan.encoder_options
            and needs_order(plan.muxer.name, copy is None or copy.is_variable())
        ):
            context.max_b_frames = 0
        if plan.muxer.name in ("mp4", "mov") and name in ("libx265", "hevc_nvenc"):
            context.codec_tag = "hvc1"  # the one that Apple's players know
        if copy is not None:
            stream.metadata.update(stream_tags(copy.video_stream))
            stream.disposition = copy.video_stream.disposition
        if copy is not None and copy.display_matrix:
            stream.set_display_matrix(copy.display_matrix)

    def _picture(self, frame: Frame) -> av.VideoFrame:
        info = self._info
        self._watch.look(frame)
        if frame.semiplanar and takes(self._format, info, frame, self._nvenc):
            return self._timed(nv12_av_frame(frame, self._nvenc.context if self._nvenc else None), frame)
        frame = planar(frame)
        frame = self._resizer.fit(frame, info.width, info.height, self._layout.replace("yuva", "yuv"), info.color)
        picture = to_av_frame(frame, self._layout if self._transparent else None)
        if self._format != self._layout:
            picture = self._resizer.arrange(picture, self._format)
        return self._timed(picture, frame)

    def _timed(self, picture: av.VideoFrame, frame: Frame) -> av.VideoFrame:
        """Put a picture in its place in time."""
        ratio = frame.time_base / self.tick
        pts, length = round(frame.pts * ratio), round(frame.duration_ticks * ratio)
        if self.last is not None:
            self._look_for_crowds(pts)
            pts = max(pts, self.last + 1)
            check_pause(self._muxer, self.last, pts, self.tick)
        self.last = pts
        self._order.sent(pts)
        if length and not self._timeless:
            self._durations[pts] = length
        picture.pts, picture.duration, picture.time_base = pts, length, self.tick
        if self._counts:
            if not self._timeless:
                self._times.append(pts)
            picture.pts, picture.duration, picture.time_base = self._taken, 1, self.stream.codec_context.time_base
            self._taken += 1
        picture.pict_type = av.video.frame.PictureType.NONE  # else the encoder repeats the input's key pictures
        return picture

    def _look_for_crowds(self, pts: int) -> None:
        assert self.last is not None
        if not self._crowded and round(pts * self._told) <= round(self.last * self._told):
            self._crowded = True
            step = float(self.tick / self._told)
            what = f"some frames come less than {step:.2g} s apart, which {self._muxer} cannot tell; use .nut"
            self._context.warn(what, Code.PTS, Code.DURATION)
