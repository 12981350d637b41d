"""The whole command: 480x270 to 1920x1080, 720 frames with sound, libx264 veryfast crf 20; runs take turns.

Bars: the network reaches 0.75 of the fps of `--model bicubic`, and that 0.85 of the ffmpeg command's; the pictures of
`--model bicubic` agree with ffmpeg's to 50 dB before encoding.
"""

import resource
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from common import VIDSR, ffmpeg, parser, small_film, table

from vidsr import Frame
from vidsr.video.read.source import open_source

FRAMES = 720
FILTER = "scale=1920:1080:flags=bicubic"
ENCODING = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-c:a", "copy"]


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--model", default="live-x4")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = small_film(given.data, folder)
        methods = {
            given.model: lambda: vidsr(small, folder / "a.mp4", given.model),
            "bicubic": lambda: vidsr(small, folder / "b.mp4", "bicubic"),
            "ffmpeg": lambda: ffmpeg("-i", small, "-vf", FILTER, *ENCODING, folder / "c.mp4"),
        }
        times: dict[str, list[float]] = {method: [] for method in methods}
        busy: dict[str, list[float]] = {method: [] for method in methods}
        for _ in range(given.runs):
            for method, run in methods.items():
                start, cpu = time.perf_counter(), cpu_seconds()
                run()
                times[method].append(time.perf_counter() - start)
                busy[method].append(cpu_seconds() - cpu)
        worst = agreement(small, folder)
    fps = {method: FRAMES / median(its) for method, its in times.items()}
    rows = [
        [method, f"{rate:.1f}", f"{min(times[method]):.1f}", f"{max(times[method]):.1f}"]
        for method, rate in fps.items()
    ]
    table(["command", "fps (median)", "least s", "most s"], rows)
    table(
        ["", "found", "bar"],
        [
            [f"{given.model} / bicubic", f"{fps[given.model] / fps['bicubic']:.2f}", "0.75"],
            ["bicubic / ffmpeg", f"{fps['bicubic'] / fps['ffmpeg']:.2f}", "0.85"],
            ["bicubic against ffmpeg, dB of the worst plane", f"{worst:.1f}", "50.0"],
        ],
    )


def cpu_seconds() -> float:
    """What the commands run so far have cost."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def vidsr(video: Path, target: Path, model: str, *more: str) -> None:
    """Run the command at the bar's settings, which are its defaults."""
    words = [video, target, "--height", "1080", "--model", model, "--overwrite", "--quiet", *more]
    subprocess.run([*VIDSR, "upscale", *map(str, words)], check=True)


def agreement(small: Path, folder: Path) -> float:
    """PSNR of the plane that differs most, lossless, over two seconds."""
    ours, theirs = folder / "ours.mkv", folder / "theirs.mkv"
    vidsr(small, ours, "bicubic", "--codec", "ffv1", "--duration", "2")
    ffmpeg("-i", small, "-t", "2", "-vf", FILTER, "-c:v", "ffv1", "-an", theirs)
    with open_source(ours) as a, open_source(theirs) as b:
        pairs = zip(*([item for item in source if isinstance(item, Frame)] for source in (a, b)), strict=True)
        errors = [
            [np.mean((x.astype(float) - y) ** 2) for x, y in zip(one.planes, other.planes, strict=True)]
            for one, other in pairs
        ]
    return float(10 * np.log10(255**2 / max(np.max(np.mean(errors, axis=0)), 1e-9)))


if __name__ == "__main__":
    main()
