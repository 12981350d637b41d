"""Command lines that encode a clip as the verdict says, and upscale it at the receiver."""

import shlex
from pathlib import Path

from vidsr.evaluate.bandwidth.encode import SIZES
from vidsr.evaluate.bandwidth.rd_curves import Point, RdCurve
from vidsr.evaluate.bandwidth.results import BandwidthResult
from vidsr.evaluate.bandwidth.verdict import winner
from vidsr.zoo import RESIZES

GOOD = {"psnr": 38.0, "vmaf": 87.0, "vmaf_neg": 85.0}
"""The quality that the commands aim at: watchable, and within reach of lower resolutions."""


def sender(result: BandwidthResult) -> str:
    """Return the ffmpeg command that encodes the clip as the verdict says, at a quality near GOOD."""
    best = winner(result)
    curve = result.curves[0] if best is None else result.curve(best.curve)
    return command(result, curve, target_point(result, curve).crf)


def receiver(result: BandwidthResult) -> str | None:
    """Return the command that upscales the output of `sender`, or None if that has full size."""
    best = winner(result)
    if best is None:
        return None
    curve = result.curve(best.curve)
    factor = ["--scale", str(curve.scale)] if curve.method in RESIZES else []
    target = _unambiguous(f"{result.video.path.stem}-again.mkv")
    return shlex.join(["vidsr", "upscale", output_name(result, curve), target, "--model", str(curve.method), *factor])


def target_point(result: BandwidthResult, curve: RdCurve) -> Point:
    """Return the point of a curve nearest to GOOD; for a lower resolution, among those where it wins."""
    metric = result.metrics[-1]
    points = list(curve.points)
    if curve.scale > 1:
        crossing = result.comparison(curve.name, metric).crossover
        if crossing.kbit is not None:
            winning = [p for p in points if (p.kbit < crossing.kbit) == (crossing.kind == "below")]
            points = [p for p in winning if p.kbit > (crossing.since or 0)] or winning or points
    return min(points, key=lambda point: abs(getattr(point, metric) - GOOD[metric]))


def command(result: BandwidthResult, curve: RdCurve, crf: float) -> str:
    """Return the ffmpeg command line of one encode of a curve; audio is copied.

    It keeps the clip's frame rate instead of `encode.RATE`. At 30 frames per second, x264 then spends about a tenth
    fewer bits than were measured at that CRF (measured), and at 24 slightly more.
    """
    video, filters = result.video, []
    width, height = video.width, video.height
    if video.rotation % 180 == 90:  # ffmpeg rotates before it filters
        width, height = height, width
    if video.whole != (video.width, video.height):
        filters.append(f"crop={width}:{height}:0:0")
    if curve.scale > 1:
        size = f"{width // curve.scale}:{height // curve.scale}"
        filters.append(f"scale={size}:flags=lanczos+accurate_rnd+full_chroma_int")
    options = {"crf": f"{crf:g}", **result.encoder.options}
    flags = [part for key, value in options.items() for part in ("-b:v" if key == "b" else f"-{key}", value)]
    line = ["ffmpeg", "-i", _unambiguous(str(video.path)), *(["-vf", ",".join(filters)] if filters else [])]
    return shlex.join([*line, "-c:v", result.encoder.codec, *flags, "-c:a", "copy", output_name(result, curve)])


def output_name(result: BandwidthResult, curve: RdCurve) -> str:
    """Return the name of the encoded file in the commands."""
    return _unambiguous(f"{result.video.path.stem}-{SIZES.get(curve.scale, f'1-{curve.scale}')}.mkv")


def _unambiguous(file: str) -> str:
    """Return a file name that no command takes for an option, nor ffmpeg for a protocol."""
    misread = file.startswith("-") or (":" in file.split("/")[0] and not Path(file).is_absolute())
    return f"./{file}" if misread else file
