"""Encode a clip at one size and CRF, upscale what is decoded by every method, and measure the results."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path

from vidsr import zoo
from vidsr.context import ignore
from vidsr.errors import DataError
from vidsr.evaluate.bandwidth.rd_curves import METRIC_TITLES, Point
from vidsr.evaluate.quality.compression import CODECS
from vidsr.evaluate.quality.meters import Values, open_meters
from vidsr.evaluate.quality.methods import open_methods
from vidsr.evaluate.quality.scores import mean_of
from vidsr.evaluate.quality.videos import frames_of, seconds_of
from vidsr.evaluate.quality.views import view_of_frame
from vidsr.frames import Frame
from vidsr.options import EvaluateOptions
from vidsr.video.convert.recode import Channel
from vidsr.video.convert.resizer import Resizer, cropped

GOP = 250
"""Most frames from one key frame to the next: x264's default, set for every codec and size."""

RATE = Fraction(25)
"""Frame rate set for encoders, whatever the clip's: x264 quantises frames of shorter duration more coarsely, and at one
rate a CRF means the same for every clip. At other rates the points move along curves that hardly change."""

NATIVE, LANCZOS = "native", "lanczos"
SIZES = {1: "full", 2: "half", 3: "third", 4: "quarter"}
"""Names of sizes by the factor of downscaling."""


@dataclass(frozen=True, slots=True)
class StudyEncoder:
    """The encoder of a study."""

    codec: str
    """A name of `compression.CODECS`."""
    preset: str

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg options besides the CRF."""
        return {**CODECS[self.codec].options(self.preset), "g": str(GOP)}


@dataclass(frozen=True, slots=True)
class Clip:
    """A video as it is measured: its first frames, cropped at the right and bottom so that every factor divides."""

    path: Path
    digest: str
    """SHA-256 of the file."""
    width: int
    height: int
    frames: int
    seconds: float
    """Duration of these frames."""
    whole: tuple[int, int]
    """(width, height) before cropping."""
    rotation: int = 0
    """Of the display matrix, in degrees; players and ffmpeg rotate the frames by it."""

    @property
    def rate(self) -> Fraction:
        """Average frame rate."""
        return Fraction(self.frames / self.seconds).limit_denominator(1001)

    def __iter__(self) -> Iterator[Frame]:
        """Decode the frames."""
        return (cropped(frame, self.width, self.height) for frame in frames_of(self.path, self.frames))


@dataclass(frozen=True, slots=True)
class DeliveryMethod:
    """A way to deliver a clip: encoded at a size, and upscaled again by a method."""

    name: str
    """Such as `native`, `half + lanczos`."""
    scale: int
    model: str | None
    """As --model takes it; None at full size."""
    upscale: Callable[[Frame], Frame]
    identity: str
    """Distinguishes models of one name."""


def probe_clip(path: Path, frames: int, *, step: int) -> Clip:
    """Decode a clip once to find its size and duration. frames: at most. step: its sides become multiples of it.

    Raises DataError if it cannot be measured: fewer than two frames, not 8-bit 4:2:0, a changing size, too small.
    """
    first, count, last_pts = None, 0, 0
    for frame in frames_of(path, frames):
        first = first or frame
        count, last_pts = count + 1, frame.pts
    if first is None or count < 2 or last_pts <= first.pts:
        raise DataError(f"{path} has fewer than two frames at different times, so it has no bit rate; use a video")
    width, height = first.width // step * step, first.height // step * step
    if not width or not height:
        raise DataError(f"{path} is {first.width}x{first.height}, too small to be encoded at lower resolutions")
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    seconds, rotation = seconds_of(first, last_pts, count), getattr(first.av_frame, "rotation", 0)
    return Clip(path, digest, width, height, count, seconds, (first.width, first.height), rotation)


def encode(clip: Clip, scale: int, crf: float, encoder: StudyEncoder) -> tuple[Channel, Iterator[Frame]]:
    """Encode and decode a clip downscaled by `scale`. The channel counts the bytes of the frames taken so far."""
    channel = Channel(codec=encoder.codec, crf=crf, options=encoder.options, rate=RATE, estimate=True)
    resizer = Resizer("lanczos", accurate=True)
    width, height = clip.width // scale, clip.height // scale
    return channel, channel.send(frame if scale == 1 else resizer.resize(frame, width, height) for frame in clip)


def kbit_per_second(channel: Channel, clip: Clip) -> float:
    """Return the bit rate of what a channel encoded, the whole clip, in kbit/s without the container."""
    return channel.payload * 8 / 1000 / clip.seconds


def measure(
    clip: Clip, crf: float, encoder: StudyEncoder, methods: Sequence[DeliveryMethod], tick: Callable[[], None]
) -> dict[str, Point]:
    """Encode a clip and return a point for each method. methods: all of one scale. tick: called after each frame.

    The clip is decoded twice at the same time, so that the encoder's delay needs no memory.
    """
    channel, decoded = encode(clip, methods[0].scale, crf, encoder)
    with ExitStack() as stack:
        meters = open_meters(METRIC_TITLES, "videos", methods[0].scale, stack, warn=ignore)
        for frame, original in zip(decoded, clip, strict=True):
            truth, results = view_of_frame(original), {m.name: view_of_frame(m.upscale(frame)) for m in methods}
            for meter in meters:
                meter.add(truth, results)
            tick()
        found: Values = {}
        for meter in meters:
            found |= meter.result()
    kbit = kbit_per_second(channel, clip)
    return {m.name: _point(crf, kbit, found, m.name) for m in methods}


def _point(crf: float, kbit: float, found: Values, method: str) -> Point:
    vmaf, vmaf_neg = (mean_of(found[name][method]) if name in found else math.nan for name in ("vmaf", "vmaf_neg"))
    psnr = mean_of(found["psnr"][method])
    return Point(crf, kbit, psnr, None if math.isnan(vmaf) else vmaf, None if math.isnan(vmaf_neg) else vmaf_neg)


@contextmanager
def open_delivery_methods(models: Sequence[str | Path], options: EvaluateOptions) -> Iterator[list[DeliveryMethod]]:
    """Open all methods: native first, then half size with Lanczos, then each model after Lanczos of its factor.

    Raises UnknownModel.
    """
    wanted = [model for model in models if model != LANCZOS]
    with open_methods(wanted, replace(options, scale=2)) as groups:
        found = [DeliveryMethod(NATIVE, 1, None, _unchanged, NATIVE)]
        for scale in sorted({2, *groups}):
            lanczos = partial(_resize, Resizer("lanczos", accurate=True), scale)
            found.append(DeliveryMethod(_name(scale, LANCZOS), scale, LANCZOS, lanczos, LANCZOS))
            for method in groups.get(scale, ()):
                identity = f"{_digest(method.model)} {options.engine} {options.precision}"
                name = _name(scale, method.name)
                found.append(DeliveryMethod(name, scale, str(method.model), method.upscale, identity))
        yield found


def _name(scale: int, method: str) -> str:
    return f"{SIZES.get(scale, f'1/{scale}')} + {method}"


def _unchanged(frame: Frame) -> Frame:
    return frame


def _resize(resizer: Resizer, scale: int, frame: Frame) -> Frame:
    return resizer.resize(frame, frame.width * scale, frame.height * scale)


def _digest(model: str | Path) -> str:
    return str(model) if model in zoo.RESIZES else sha256(zoo.find(model).read_bytes()).hexdigest()
