"""How many bits a film saves that is sent small and enlarged where it is watched, measured."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from itertools import product
from pathlib import Path
from tempfile import TemporaryFile

from vidsr.engines import Precision
from vidsr.errors import DiskFull
from vidsr.evaluate.bandwidth.encode import GOP, RATE, Encoder, SendMethod, Video, look_at, measure, open_send_methods
from vidsr.evaluate.bandwidth.rd_curves import Curve, Point, bjontegaard
from vidsr.evaluate.bandwidth.results import Answer, compare
from vidsr.evaluate.quality.compression import CODECS, codec_of
from vidsr.evaluate.quality.vmaf import why_not
from vidsr.io import cache as folders
from vidsr.io.atomic import write_atomically
from vidsr.video.recode import version

FRAMES = 48
_PROTOCOL = 1  # goes up when the same settings give other figures, so that kept points are not taken for them
_CRFS = {  # by the codec's highest: at its own size, at smaller ones
    51: ((20.0, 24.0, 28.0, 32.0, 36.0, 40.0, 44.0), (16.0, 20.0, 24.0, 28.0, 32.0, 36.0)),
    63: ((24.0, 30.0, 36.0, 42.0, 48.0, 54.0, 60.0), (18.0, 24.0, 30.0, 36.0, 42.0, 48.0)),
}


def evaluate_bandwidth(
    models: Sequence[str | Path],
    clips: Sequence[Path],
    *,
    codec: str = "libx264",
    preset: str | None = None,
    frames: int | None = FRAMES,
    engine: str = "auto",
    precision: Precision = "auto",
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Answer]:
    """Measure bits against quality of clips sent at their own size, and at smaller ones enlarged by Lanczos and models.

    models: each is measured at its own factor, with Lanczos beside it; half size is always there. codec, preset: of
    `codecs.CODECS`. frames: the first of each clip, None for all. cache: where finished points are kept, so that an
    interrupted run goes on where it stopped; None is `cache_folder()`. progress(done, all) counts the frames of all
    encodes.
    Raises DataError where a clip cannot be measured, UnknownModel, ExtraMissing without the package bjontegaard,
    DiskFull where points cannot be kept, ValueError for a codec that there is not.
    """
    known = codec_of(codec, [])
    bjontegaard()  # tells now, not after minutes, that it is missing
    encoder = Encoder(codec, preset or known.preset)
    kept = Kept(cache or cache_folder())
    with open_send_methods(models, engine=engine, precision=precision) as ways:
        step = 2 * math.lcm(*(way.scale for way in ways))
        videos = [look_at(clip, frames, step=step) for clip in clips]
        for video, way in product(videos, ways):
            known.check(video.path, video.width // way.scale, video.height // way.scale)
        trials = [(scale, crf) for scale in dict.fromkeys(way.scale for way in ways) for crf in crfs(codec, scale)]
        watch = _Watch(len(trials) * sum(video.frames for video in videos), progress)
        answers = []
        for video in videos:
            points: dict[str, list[Point]] = {way.name: [] for way in ways}
            for scale, crf in trials:
                its = [way for way in ways if way.scale == scale]
                for name, point in _points(video, its, crf, encoder, kept, watch).items():
                    points[name].append(point)
            curves = tuple(Curve(way.name, way.scale, way.method, tuple(points[way.name])) for way in ways)
            answers.append(Answer(video, encoder, protocol(video, encoder), curves, compare(curves)))
    return answers


def crfs(codec: str, scale: int) -> tuple[float, ...]:
    """The CRFs of a curve: what is sent small is sent finer, so that the curves meet."""
    return _CRFS[CODECS[codec].highest][scale > 1]


def protocol(video: Video, encoder: Encoder) -> str:
    """Say how the figures come about."""
    cut = "" if video.whole == (video.width, video.height) else f", cut from {video.whole[0]}x{video.whole[1]}"
    missing = why_not()
    measures = f"PSNR-Y alone: {missing}" if missing else "PSNR-Y, VMAF (v0.6.1) and VMAF-NEG, means over frames"
    codec = CODECS[encoder.codec].said(encoder.preset)
    return (
        f"{video.path.name}: {video.frames} frames ({video.seconds:.2f} s) of {video.width}x{video.height}{cut}, each "
        f"encode held against the film; {codec}, at most {GOP} frames between key frames, told {RATE} frames a second; "
        "shrunk and enlarged by swscale's Lanczos; bits of packets, container not counted; BD-rate by Akima "
        f"interpolation over the quality that both reach; {measures}"
    )


class Kept:
    """Points by everything that they depend on."""

    def __init__(self, folder: Path) -> None:
        """Raises DiskFull where nothing can be written in the folder."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            TemporaryFile(dir=folder).close()
        except OSError as exc:
            raise DiskFull(
                f"{folder}, where measured points are kept, cannot be written in ({exc.strerror}); set XDG_CACHE_HOME "
                "to a folder that can"
            ) from exc
        self._folder = folder

    def get(self, key: Mapping[str, object]) -> Point | None:
        """The point of that key; None where it was not measured yet, or its file cannot be read."""
        try:
            return Point(**json.loads(self._file(key).read_text())["point"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def put(self, key: Mapping[str, object], point: Point) -> None:
        """Keep a point. Raises DiskFull."""
        content = {"key": key, "point": asdict(point)}
        write_atomically(self._file(key), json.dumps(content, indent=1).encode())

    def _file(self, key: Mapping[str, object]) -> Path:
        return self._folder / f"{sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]}.json"


def _points(
    video: Video, ways: Sequence[SendMethod], crf: float, encoder: Encoder, kept: Kept, watch: "_Watch"
) -> dict[str, Point]:
    """Measure one encode in every way that is not kept yet."""
    scale = ways[0].scale
    trial = {
        "protocol": _PROTOCOL,
        "film": video.digest,
        "frames": video.frames,
        "size": [video.width, video.height],
        "scale": scale,
        "codec": encoder.codec,
        "options": encoder.options,
        "rate": str(RATE),
        "crf": crf,
        "version": version(),
        "vmaf": why_not() is None,
    }
    keys = {way.name: {**trial, "way": way.identity} for way in ways}
    found = {name: point for name, key in keys.items() if (point := kept.get(key))}
    missing = {way.name: way.enlarge for way in ways if way.name not in found}
    if not missing:
        watch.tick(video.frames)
        return found
    fresh = measure(video, scale, crf, encoder, missing, watch.tick)
    for name, point in fresh.items():
        kept.put(keys[name], point)
    return found | fresh


class _Watch:
    """Counts frames and tells of them."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def tick(self, frames: int = 1) -> None:
        self._done += frames
        if self._progress:
            self._progress(self._done, self._total)


def cache_folder() -> Path:
    """Where measured points are kept."""
    return folders.cache_folder("bandwidth")
