"""One encode of a film, watched in every way at once, with a few frames in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path

from vidsr import zoo
from vidsr.engines import Precision
from vidsr.errors import DataError
from vidsr.evaluate.bandwidth.rd_curves import Point
from vidsr.evaluate.quality.compression import CODECS
from vidsr.evaluate.quality.methods import open_methods
from vidsr.evaluate.quality.videos import cut, frames_of, seconds_of
from vidsr.evaluate.quality.vmaf import Vmaf, why_not
from vidsr.frames import Frame
from vidsr.metrics import psnr
from vidsr.video.convert.resizer import Resizer
from vidsr.video.recode import Channel

GOP = 250
"""Pictures from one key picture to the next, at most: x264's own default, set for every codec and size."""

RATE = Fraction(25)
"""Frames a second that encoders are told, whatever the film has: x264 coarsens what is shown for a shorter time, and at
one rate a CRF means the same on every film. The points of a faster film slide along curves that hardly move."""

SAME_DB = 100.0
"""PSNR of a frame that did not change at all, which would be infinite."""

Enlarge = Callable[[Frame], Frame]


@dataclass(frozen=True, slots=True)
class Encoder:
    """What sends every film of a run."""

    codec: str
    """One of `codecs.CODECS`."""
    preset: str
    """Its own word for trading time for size."""

    @property
    def options(self) -> dict[str, str]:
        """FFmpeg's, without the CRF."""
        return {**CODECS[self.codec].options(self.preset), "g": str(GOP)}


@dataclass(frozen=True, slots=True)
class Video:
    """A clip as it is measured: its first frames, cut right and below so that every size divides."""

    path: Path
    digest: str
    """SHA-256 of the file."""
    width: int
    height: int
    frames: int
    seconds: float
    """How long these frames are shown."""
    whole: tuple[int, int]
    """(width, height) before the cut."""
    sideways: bool = False
    """Whether it is shown turned by a quarter, as a telephone held upright films: players and ffmpeg turn it."""

    @property
    def rate(self) -> Fraction:
        """Frames a second, on average."""
        return Fraction(self.frames / self.seconds).limit_denominator(1001)

    def __iter__(self) -> Iterator[Frame]:
        """Decode it."""
        return (cut(frame, self.width, self.height) for frame in frames_of(self.path, self.frames))


def look_at(path: Path, frames: int | None, *, step: int) -> Video:
    """Decode a clip once to see what it is. frames: of it, None for all. step: its sides are cut to a multiple of it.

    Raises DataError where it cannot be measured: no pictures, not 8-bit 4:2:0, of several sizes, too small.
    """
    first, count, last_pts = None, 0, 0
    for frame in frames_of(path, frames):
        first = first or frame
        count, last_pts = count + 1, frame.pts
    if first is None or count < 2 or last_pts <= first.pts:
        raise DataError(f"{path} has no two pictures at two times, and so no bits per second; give a film")
    width, height = first.width // step * step, first.height // step * step
    if not width or not height:
        raise DataError(f"{path} is {first.width}x{first.height}, too small to be sent at smaller sizes")
    seconds = seconds_of(first, last_pts, count)
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    sideways = getattr(first.av_frame, "rotation", 0) % 180 == 90
    return Video(path, digest, width, height, count, seconds, (first.width, first.height), sideways)


def encode(video: Video, scale: int, crf: float, encoder: Encoder) -> tuple[Channel, Iterator[Frame]]:
    """Send a film at a `scale`-th of its size; the channel counts the bytes of what is taken from the iterator."""
    channel = Channel(codec=encoder.codec, crf=crf, options=encoder.options, rate=RATE, estimate=True)
    resizer = Resizer("lanczos", accurate=True)
    width, height = video.width // scale, video.height // scale
    return channel, channel.send(frame if scale == 1 else resizer.resize(frame, width, height) for frame in video)


def measure(
    video: Video, scale: int, crf: float, encoder: Encoder, methods: Mapping[str, Enlarge], tick: Callable[[], None]
) -> dict[str, Point]:
    """Send a film at a `scale`-th of its size and hold what each method makes of it against the truth.

    tick: called after each frame. The film is decoded twice at once, so that the encoder's delay costs no memory.
    """
    channel, arriving = encode(video, scale, crf, encoder)
    with ExitStack() as stack:
        judges = {name: Judge(video, stack) for name in methods}
        for frame, truth in zip(arriving, video, strict=True):
            for name, enlarge in methods.items():
                judges[name].add(enlarge(frame), truth)
            tick()
        kbit = channel.payload * 8 / 1000 / video.seconds
        return {name: judge.point(crf, kbit) for name, judge in judges.items()}


class Judge:
    """Collects the figures of one method."""

    def __init__(self, video: Video, stack: ExitStack) -> None:
        self._psnr: list[float] = []
        self._vmaf = None if why_not() else stack.enter_context(Vmaf(video.width, video.height))

    def add(self, shown: Frame, truth: Frame) -> None:
        """Judge one frame."""
        self._psnr.append(min(psnr(shown.planes[0], truth.planes[0]), SAME_DB))
        if self._vmaf:
            self._vmaf.add(shown, truth)

    def point(self, crf: float, kbit: float) -> Point:
        """The means over all frames."""
        scores = self._vmaf.result() if self._vmaf else {}
        means = {name: sum(values) / len(values) for name, values in scores.items()}
        return Point(crf, kbit, sum(self._psnr) / len(self._psnr), means.get("vmaf"), means.get("vmaf_neg"))


NATIVE, LANCZOS = "native", "lanczos"
SIZES = {1: "full", 2: "half", 3: "third", 4: "quarter"}
"""A film's size by how many times smaller its sides are."""


@dataclass(frozen=True, slots=True)
class SendMethod:
    """One way to send a film."""

    name: str
    scale: int
    method: str | None
    """What enlarges, as --model takes it; None at the film's own size."""
    enlarge: Enlarge
    identity: str
    """Tells a model apart from another of its name."""


@contextmanager
def open_send_methods(models: Sequence[str | Path], *, engine: str, precision: Precision) -> Iterator[list[SendMethod]]:
    """Open every way there is: native, half size with Lanczos, and each model with Lanczos at its factor beside it.

    The film's own size comes first, half size with Lanczos second. Raises UnknownModel.
    """
    wanted = [model for model in models if model != LANCZOS]
    with open_methods(wanted, scale=2, engine=engine, precision=precision) as groups:
        ways = [SendMethod(NATIVE, 1, None, _as_it_is, NATIVE)]
        for scale in sorted({2, *groups}):
            lanczos = partial(_resize, Resizer("lanczos", accurate=True), scale)
            ways.append(SendMethod(_name(scale, LANCZOS), scale, LANCZOS, lanczos, LANCZOS))
            for method in groups.get(scale, ()):
                model = next(model for model in wanted if method.name in (str(model), Path(model).stem))
                identity = f"{_digest(model)} {engine} {precision}"
                ways.append(SendMethod(_name(scale, method.name), scale, str(model), method.enlarge, identity))
        yield ways


def _name(scale: int, method: str) -> str:
    return f"{SIZES.get(scale, f'1/{scale}')} + {method}"


def _as_it_is(frame: Frame) -> Frame:
    return frame


def _resize(resizer: Resizer, scale: int, frame: Frame) -> Frame:
    return resizer.resize(frame, frame.width * scale, frame.height * scale)


def _digest(model: str | Path) -> str:
    return str(model) if model in zoo.RESIZES else sha256(zoo.find(model).read_bytes()).hexdigest()
