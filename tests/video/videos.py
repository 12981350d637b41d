"""Videos made by the tests, and what a test asks of one."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from vidsr.context import Code, Context, Notice
from vidsr.frames import Frame, VideoInfo
from vidsr.options import EncodeOptions, ReadOptions
from vidsr.system import keep_priority
from vidsr.video.convert.resizer import Resizer
from vidsr.video.metadata import video_tags
from vidsr.video.read.source import open_source
from vidsr.video.timing import rational
from vidsr.video.write.sink import open_sink

ATTACHED = av.stream.Disposition.attached_pic


def drawing(width: int, height: int, index: int = 0) -> NDArray[np.uint8]:
    """A picture with soft and hard edges that moves with `index`: (height, width, 3) uint8."""
    y, x = np.mgrid[:height, :width]
    red = 128 + 90 * np.sin((x + 3 * index) / 9)
    green = 128 + 90 * np.cos((y - 2 * index) / 7)
    blue = np.where((x // 16 + y // 16 + index) % 2, 200, 60)
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def make_video(
    path: Path,
    *,
    size: tuple[int, int] = (64, 48),
    pts: Sequence[int] = tuple(range(12)),
    time_base: Fraction = Fraction(1, 25),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    sound: str | None = None,
    format: str | None = None,
    options: dict[str, str] | None = None,
    last: int = 1,
    b_frames: int = 0,
    order: Sequence[int] | None = None,
    tone: int = 440,
    decorate: Callable[[Any, Any], None] = lambda container, stream: None,
) -> Path:
    """Write a video of one drawing a time stamp, with a tone where `sound` names an audio codec.

    order: the numbers of the drawings, if not 0, 1, 2, …; tone: its frequency in Hz.
    """
    with keep_priority(), av.open(str(path), "w", format=format, container_options=options or {}) as out:
        video = out.add_stream(codec, rate=Fraction(1) / time_base)
        video.width, video.height, video.pix_fmt = *size, pixel_format
        video.codec_context.time_base = video.time_base = time_base
        video.codec_context.flags |= av.codec.context.Flags.frame_duration
        video.codec_context.max_b_frames = b_frames
        audio = out.add_stream(sound, rate=48000) if sound else None
        decorate(out, video)
        for index, time in enumerate(pts):
            drawn = drawing(*size, order[index] if order else index)
            frame = av.VideoFrame.from_ndarray(drawn, format="rgb24").reformat(format=pixel_format)
            following = pts[index + 1] if index + 1 < len(pts) else time + last
            frame.pts, frame.time_base, frame.duration = time, time_base, following - time
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio is not None:
            seconds = float((pts[-1] + last) * time_base)
            for packet in _tone(audio, seconds, tone):
                out.mux(packet)
    return path


def _tone(stream: Any, seconds: float, frequency: int) -> Iterable[Any]:
    size, rate = 1024, 48000
    layout = stream.codec_context.format.name
    for start in range(0, int(seconds * rate), size):
        wave = np.sin(np.arange(start, start + size) * 2 * np.pi * frequency / rate).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        resampled = av.AudioResampler(format=layout, layout="stereo", rate=rate).resample(frame)
        for part in resampled:
            part.pts, part.time_base = start, Fraction(1, rate)
            yield from stream.encode(part)
    yield from stream.encode(None)


def resize_video(
    source: Any,
    target: Any,
    *,
    factor: int = 2,
    kernel: Any = "bicubic",
    start: Any = None,
    duration: Any = None,
    **options: Any,
) -> list[Notice]:
    """Send a video through source, swscale and sink; return the warnings."""
    notices: list[Notice] = []
    context = Context(notices.append)
    read = ReadOptions(start=start, duration=duration, input_format=options.pop("input_format", None))
    with open_source(source, read, context=context) as video:
        info = replace(video.info, width=video.info.width * factor, height=video.info.height * factor)
        resizer = Resizer(kernel)
        with open_sink(target, info, EncodeOptions(**options), copy=video.copy_info(), context=context) as sink:
            for item in video:
                sink.write(
                    resizer.resize(item, item.width * factor, item.height * factor) if isinstance(item, Frame) else item
                )
    return notices


def codes_of(notices: Iterable[Notice]) -> list[Code]:
    """The codes of some warnings, in order."""
    return [code for notice in notices for code in notice.codes]


def messages_of(notices: Iterable[Notice]) -> list[str]:
    """The sentences of some warnings, for golden messages."""
    return [notice.message for notice in notices]


@dataclass
class Facts:
    """What must stay the same in a video."""

    times: list[Fraction] = field(default_factory=list)
    """Seconds at which each frame is shown."""
    durations: list[Fraction] = field(default_factory=list)
    end: Fraction = Fraction(0)
    """Seconds at which the last frame goes: in an mp4 the end of the track, for packets there tell decoding gaps."""
    tick: Fraction = Fraction(0)
    sound: dict[int, str] = field(default_factory=dict)
    """Digest of the payload of each audio stream, in order."""
    sound_starts: list[Fraction] = field(default_factory=list)
    sound_ends: list[Fraction] = field(default_factory=list)
    """When the last packet of each audio stream begins."""
    sound_tick: Fraction = Fraction(0)
    chapters: list[tuple[Fraction, Fraction, str]] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    languages: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    aspect: Fraction = Fraction(1)


def facts_of(path: Path | str) -> Facts:
    """Read a video the slow way, with nothing of ours but the rule for frames without a time stamp."""
    facts = Facts()
    digests: dict[int, Any] = {}
    with av.open(f"file:{path}") as container:
        video = next(s for s in container.streams.video if not s.disposition & ATTACHED)
        video.codec_context.thread_type = "SLICE"
        facts.tick = rational(video.time_base) or Fraction(1, 90000)
        step = 1 / (rational(video.guessed_rate) or Fraction(25)) / facts.tick
        sounds = [s for s in container.streams if s.type == "audio"]
        starts: dict[int, Fraction] = {}
        ends: dict[int, Fraction] = {}
        for packet in container.demux():
            stream = packet.stream
            if stream.index == video.index:
                try:
                    frames = packet.decode()
                except (av.error.FFmpegError, EOFError):
                    continue
                for frame in frames:
                    expected = facts.times[-1] / facts.tick + step if facts.times else 0
                    facts.times.append((frame.pts if frame.pts is not None else expected) * facts.tick)
                    facts.durations.append((frame.duration or 0) * facts.tick)
                    facts.size = frame.width, frame.height
            elif packet.size and stream.type == "audio":
                digests.setdefault(stream.index, hashlib.md5()).update(_without_adts(bytes(packet), stream))
                if packet.pts is not None:
                    facts.sound_tick = rational(packet.time_base) or facts.sound_tick
                    ends[stream.index] = packet.pts * facts.sound_tick
                    starts.setdefault(stream.index, ends[stream.index])
        facts.end = facts.times[-1] + facts.durations[-1]
        if container.format.name.startswith("mov") and video.duration:
            facts.end = ((video.start_time or 0) + video.duration) * facts.tick
        facts.sound = {i: digests[s.index].hexdigest() for i, s in enumerate(sounds) if s.index in digests}
        facts.sound_starts = [starts[s.index] for s in sounds if s.index in starts]
        facts.sound_ends = [ends[s.index] for s in sounds if s.index in ends]
        for chapter in container.chapters():
            tick = rational(chapter["time_base"]) or Fraction(1)
            facts.chapters.append(
                (chapter["start"] * tick, chapter["end"] * tick, chapter["metadata"].get("title", ""))
            )
        facts.tags = {key.lower(): value for key, value in video_tags(container.metadata).items()}
        facts.languages = [s.metadata.get("language", "und") for s in sounds]
        facts.kinds = [s.type for s in container.streams]
        facts.aspect = rational(video.sample_aspect_ratio) or Fraction(1)
    return facts


def _without_adts(payload: bytes, stream: Any) -> bytes:
    # 0xFFF opens an ADTS header of 7 bytes, or 9 with a checksum.
    if stream.codec_context.name == "aac" and payload[:1] == b"\xff" and payload[1] & 0xF0 == 0xF0:
        return payload[7 if payload[1] & 1 else 9 :]
    return payload


def info_of(frame: Frame, **changes: Any) -> VideoInfo:
    """The description of a video of such frames."""
    info = VideoInfo(
        frame.width, frame.height, frame.bits, frame.color, frame.time_base, Fraction(25), None, None,
        gray=len(frame.planes) == 1, alpha=frame.alpha is not None,
    )  # fmt: skip
    return replace(info, **changes)


def frame_from(
    size: tuple[int, int] = (64, 48), *, pixel_format: str = "yuv420p", index: int = 0, pts: int = 0, **color: Any
) -> Frame:
    """A frame that no decoder made."""
    from vidsr.video.convert.from_av import frame_of

    picture = av.VideoFrame.from_ndarray(drawing(*size, index), format="rgb24").reformat(format=pixel_format)
    picture.pts, picture.time_base, picture.duration = pts, Fraction(1, 25), 1
    frame = frame_of(picture, chroma_location="left")
    return replace(frame, color=replace(frame.color, **color))


def frames_of(path: Path | str) -> list[Frame]:
    """Every frame of a video."""
    with open_source(path) as video:
        return [item for item in video if isinstance(item, Frame)]
