"""What is decided about an output before a file or an encoder is opened."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from av.stream import Disposition

from vidsr.context import Notice
from vidsr.frames import VideoInfo
from vidsr.options import EncodeOptions
from vidsr.video._compat import Chapter
from vidsr.video.convert.immersive import SphericalMapping, StereoLayout
from vidsr.video.convert.pixel_formats import is_transparent
from vidsr.video.convert.side_data import Mastering
from vidsr.video.write.copy.containers import Muxer
from vidsr.video.write.encoder_options import SEMI_PLANAR
from vidsr.video.write.output_clock import StartShift

_COUNTING = ("mpeg1video", "mpeg2video", "mpeg4", "h263p", "msmpeg4", "msmpeg4v2")
"""Encoders whose time base must be the duration of a frame."""
_CAPTIONS = ("libx264", "libx264rgb", "libx265", "mpeg2video", "h264_nvenc", "hevc_nvenc")
"""Encoders that write closed captions."""


@dataclass(frozen=True, slots=True)
class EncodingPlan:
    """How a video is encoded and muxed. Made by `plan_encoding`; opening does what it says and chooses nothing."""

    muxer: Muxer
    info: VideoInfo
    """Of the output."""
    given: VideoInfo
    """Of the frames to encode, which are converted if that differs."""
    options: EncodeOptions
    """As the user gave them."""
    encoder: str
    """FFmpeg's name of the encoder, such as libx264."""
    codec: str
    """FFmpeg's name of the codec, such as h264."""
    pixel_format: str
    """Of the frames that the encoder gets."""
    cuda_device: int | None
    """The GPU whose memory the frames are encoded from; None for main memory."""
    time_base: Fraction
    """Of the packets."""
    frame_rate: Fraction
    """Metadata, and for the encoder's rate control."""
    muxer_options: Mapping[str, str]
    codec_options: Mapping[str, str]
    """Those of the encoder: its quality and speed, what makes it repeatable, and the user's."""
    display_order: bool
    """Whether frames are encoded in the order of their pts, without B-frames."""
    start_shift: StartShift = field(default_factory=StartShift)
    mastering: Mastering | None = None
    """Mastering display and light levels of the input."""
    of_images: bool = False
    """Whether the input is an image or a sequence of them, of which one warning says what is lost beside the frames."""
    spherical: SphericalMapping | None = None
    stereo: StereoLayout | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Metadata of the container."""
    chapters: tuple[Chapter, ...] = ()
    stream_tags: Mapping[str, str] = field(default_factory=dict)
    """Metadata of the video stream."""
    disposition: Disposition | None = None
    pid: int | None = None
    """Of the video in MPEG-TS; None for the muxer's choice."""
    display_matrix: tuple[int, ...] = ()
    """Rotation or mirroring that players apply; empty for none."""
    warnings: tuple[Notice, ...] = ()
    """What of the video cannot be kept, and what was chosen instead of what was asked for."""

    @property
    def planar_format(self) -> str:
        """The pixel format of the same samples with every plane separate."""
        return SEMI_PLANAR.get(self.pixel_format, self.pixel_format)

    @property
    def keeps_alpha(self) -> bool:
        """Whether the encoder gets an alpha plane."""
        return is_transparent(self.planar_format)

    @property
    def keeps_captions(self) -> bool:
        """Whether the encoder writes closed captions."""
        return self.encoder in _CAPTIONS

    @property
    def keeps_timestamps(self) -> bool:
        """Whether the container stores timestamps of frames."""
        return self.muxer.name != "yuv4mpegpipe"

    @property
    def frame_time_base(self) -> Fraction | None:
        """The duration of a frame, if it must be the encoder's time base; None if that is `time_base`."""
        return 1 / self.frame_rate if self.encoder in _COUNTING or not self.keeps_timestamps else None

    @property
    def codec_tag(self) -> str | None:
        """The tag that the stream must have; None for the muxer's choice."""
        # Of the two tags of HEVC in an mp4, Apple's players know this one.
        hevc = self.encoder in ("libx265", "hevc_nvenc") and self.muxer.name in ("mp4", "mov")
        return "hvc1" if hevc else None
