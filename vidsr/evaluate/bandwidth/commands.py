"""The commands that send a film as the verdict says, and enlarge it where it is watched."""

import shlex
from pathlib import Path

from vidsr.evaluate.bandwidth.encode import LANCZOS, SIZES
from vidsr.evaluate.bandwidth.rd_curves import Curve, Point
from vidsr.evaluate.bandwidth.results import Answer
from vidsr.evaluate.bandwidth.verdict import winner

GOOD = {"psnr": 38.0, "vmaf": 87.0, "vmaf_neg": 85.0}
"""The quality that the commands aim at: fit to be watched, and within reach of small films."""


def sender(answer: Answer) -> str:
    """The ffmpeg command that sends the clip as the verdict says, at a quality fit to be watched."""
    best = winner(answer)
    curve = answer.curves[0] if best is None else answer.curve(best.curve)
    return command(answer, curve, aimed_at(answer, curve).crf)


def receiver(answer: Answer) -> str | None:
    """The command that enlarges what `sender` made; None where it was sent at full size."""
    best = winner(answer)
    if best is None:
        return None
    curve = answer.curve(best.curve)
    factor = ["--scale", str(curve.scale)] if curve.method in ("bicubic", LANCZOS, "nearest") else []
    target = _plain(f"{answer.video.path.stem}-again.mkv")
    return shlex.join(["vidsr", "upscale", sent_name(answer, curve), target, "--model", str(curve.method), *factor])


def aimed_at(answer: Answer, curve: Curve) -> Point:
    """The point of a curve nearest to GOOD, of those where a small film wins."""
    metric = answer.metrics[-1]
    points = list(curve.points)
    if curve.scale > 1:
        crossing = answer.comparison(curve.name, metric).crossover
        if crossing.kbit is not None:
            won = [p for p in points if (p.kbit < crossing.kbit) == (crossing.kind == "below")]
            points = [p for p in won if p.kbit > (crossing.since or 0)] or won or points
    return min(points, key=lambda point: abs(getattr(point, metric) - GOOD[metric]))


def command(answer: Answer, curve: Curve, crf: float) -> str:
    """The ffmpeg command line that makes one encode of a curve, sound copied.

    It tells the encoder the film's own frame rate, not `passes.RATE`: x264 then gives a film of 30 frames a second
    about a tenth fewer bits than were measured at that CRF (measured), and one of 24 a few more.
    """
    video, filters = answer.video, []
    width, height = (video.height, video.width) if video.sideways else (video.width, video.height)  # as ffmpeg turns it
    if video.whole != (video.width, video.height):
        filters.append(f"crop={width}:{height}:0:0")
    if curve.scale > 1:
        size = f"{width // curve.scale}:{height // curve.scale}"
        filters.append(f"scale={size}:flags=lanczos+accurate_rnd+full_chroma_int")
    options = {"crf": f"{crf:g}", **answer.encoder.options}
    flags = [part for key, value in options.items() for part in ("-b:v" if key == "b" else f"-{key}", value)]
    line = ["ffmpeg", "-i", _plain(str(video.path)), *(["-vf", ",".join(filters)] if filters else [])]
    return shlex.join([*line, "-c:v", answer.encoder.codec, *flags, "-c:a", "copy", sent_name(answer, curve)])


def sent_name(answer: Answer, curve: Curve) -> str:
    """What the file that travels is called in the commands."""
    return _plain(f"{answer.video.path.stem}-{SIZES.get(curve.scale, f'1-{curve.scale}')}.mkv")


def _plain(file: str) -> str:
    """A file's name that no command takes for an option, nor ffmpeg for a protocol."""
    misread = file.startswith("-") or (":" in file.split("/")[0] and not Path(file).is_absolute())
    return f"./{file}" if misread else file
