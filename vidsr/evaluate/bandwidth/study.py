"""Measure the bits that downscaling before encoding, and upscaling after decoding, saves on a clip."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path
from tempfile import TemporaryFile

from vidsr.errors import DiskFull
from vidsr.evaluate.bandwidth.encode import (
    GOP,
    RATE,
    Clip,
    DeliveryMethod,
    StudyEncoder,
    measure,
    open_delivery_methods,
    probe_clip,
)
from vidsr.evaluate.bandwidth.rd_curves import Point, RdCurve, metrics_of, require_bjontegaard
from vidsr.evaluate.bandwidth.results import BandwidthResult, compare
from vidsr.evaluate.quality.compression import CODECS, find_codec
from vidsr.evaluate.quality.scores import Progress
from vidsr.evaluate.quality.vmaf import why_unavailable
from vidsr.io.cache import cache_folder, read_cache, write_cache
from vidsr.options import EvaluateOptions
from vidsr.video.convert.recode import version

FRAMES = 48
CACHE = "bandwidth"  # folder of measured points
_OLD_KEYS = {"video": "film", "method": "way"}  # of points cached before 0.2  # allowed word
_PROTOCOL = 1  # increase it when the same settings give other results, so that cached points are not used
_CRFS = {  # by the codec's highest CRF: at full size, at lower resolutions
    51: ((20.0, 24.0, 28.0, 32.0, 36.0, 40.0, 44.0), (16.0, 20.0, 24.0, 28.0, 32.0, 36.0)),
    63: ((24.0, 30.0, 36.0, 42.0, 48.0, 54.0, 60.0), (18.0, 24.0, 30.0, 36.0, 42.0, 48.0)),
}


def evaluate_bandwidth(
    models: Sequence[str | Path],
    clips: Sequence[Path],
    options: EvaluateOptions | None = None,
    *,
    progress: Progress | None = None,
) -> list[BandwidthResult]:
    """Measure quality by bit rate of clips encoded at full size, and at lower resolutions and upscaled.

    Half size upscaled by Lanczos is always measured, and each model at its factor, beside Lanczos. Uses the frames,
    codec, preset, engine and precision of `options`. Points are cached, so that an interrupted run continues where it
    stopped. progress(done, total) counts the frames of all encodes.
    Raises DataError if a clip cannot be measured, UnknownModel, ExtraMissing without the package bjontegaard, DiskFull
    if the cache cannot be written, ValueError for an unknown codec.
    """
    options = options or EvaluateOptions()
    codec = find_codec(options.codec)
    require_bjontegaard()  # before minutes of measuring
    _check_cache()
    encoder = StudyEncoder(options.codec, options.preset or codec.default_preset)
    with open_delivery_methods(models, options) as methods:
        step = 2 * math.lcm(*(method.scale for method in methods))
        videos = [probe_clip(clip, options.frames or FRAMES, step=step) for clip in clips]
        for video, method in product(videos, methods):
            codec.check_size(video.path, video.width // method.scale, video.height // method.scale)
        scales = dict.fromkeys(method.scale for method in methods)
        encodes = [(scale, crf) for scale in scales for crf in _crfs(options.codec, scale)]
        done, total = 0, len(encodes) * sum(video.frames for video in videos)

        def tick(frames: int) -> None:
            nonlocal done
            done += frames
            if progress:
                progress(done, total)

        results = []
        for video in videos:
            points: dict[str, list[Point]] = {method.name: [] for method in methods}
            for scale, crf in encodes:
                group = [method for method in methods if method.scale == scale]
                for name, point in _points(video, group, crf, encoder, tick).items():
                    points[name].append(point)
            curves = tuple(RdCurve(each.name, each.scale, each.model, tuple(points[each.name])) for each in methods)
            results.append(BandwidthResult(video, encoder, _protocol(video, encoder, curves), curves, compare(curves)))
    return results


def _crfs(codec: str, scale: int) -> tuple[float, ...]:
    """Return the CRFs of a curve; lower ones at lower resolutions, so that the curves overlap."""
    return _CRFS[CODECS[codec].max_crf][scale > 1]


def _protocol(video: Clip, encoder: StudyEncoder, curves: Sequence[RdCurve]) -> str:
    """Describe how a clip was measured."""
    crop = "" if video.whole == (video.width, video.height) else f", cropped from {video.whole[0]}x{video.whole[1]}"
    metrics = "PSNR-Y, VMAF (v0.6.1) and VMAF-NEG, means over frames"
    if "vmaf" not in metrics_of(curves):
        metrics = f"PSNR-Y alone: {why_unavailable() or 'the frames are too small for VMAF'}"
    codec = CODECS[encoder.codec].label(encoder.preset)
    return (
        f"{video.path.name}: {video.frames} frames ({video.seconds:.2f} s) of {video.width}x{video.height}{crop}, each "
        f"encode compared with the original; {codec}, at most {GOP} frames between key frames, frame rate set to "
        f"{RATE}; downscaled and upscaled by swscale's Lanczos; bits of packets, without the container; BD-rate by "
        f"Akima interpolation over the quality that both reach; {metrics}"
    )


def _points(
    video: Clip, methods: Sequence[DeliveryMethod], crf: float, encoder: StudyEncoder, tick: Callable[[int], None]
) -> dict[str, Point]:
    """Return the point of each method, all of one scale, from the cache or measured."""
    settings = {
        "protocol": _PROTOCOL,
        "video": video.digest,
        "frames": video.frames,
        "size": [video.width, video.height],
        "scale": methods[0].scale,
        "codec": encoder.codec,
        "options": encoder.options,
        "rate": str(RATE),
        "crf": crf,
        "version": version(),
        "vmaf": why_unavailable() is None,
    }
    keys = {method.name: {**settings, "method": method.identity} for method in methods}
    found = {name: point for name, key in keys.items() if (point := _cached_point(key))}
    missing = [method for method in methods if method.name not in found]
    if not missing:
        tick(video.frames)
        return found
    measured = measure(video, crf, encoder, missing, partial(tick, 1))
    for name, point in measured.items():
        write_cache(CACHE, _cache_name(keys[name]), {"key": keys[name], "point": asdict(point)})
    return found | measured


def _check_cache() -> None:
    """Raise DiskFull if points cannot be cached, before minutes of measuring."""
    folder = cache_folder(CACHE)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as exc:
        raise DiskFull(
            f"the cache folder {folder} cannot be written ({exc.strerror}); set XDG_CACHE_HOME to a folder that can"
        ) from exc


def _cached_point(key: Mapping[str, object]) -> Point | None:
    """Return the point stored under a key, or None if it is missing or cannot be read."""
    for old in ({}, _OLD_KEYS):
        stored = read_cache(CACHE, _cache_name({old.get(name, name): value for name, value in key.items()}))
        try:
            return Point(**stored["point"])
        except (KeyError, TypeError):
            continue
    return None


def _cache_name(key: Mapping[str, object]) -> str:
    return sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
