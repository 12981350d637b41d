"""The most memory the command ever holds, and for a film ten times as long.

Bars: 500 MB; the same within 10 % for the longer film.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import VIDSR, ffmpeg, parser, small_film, table


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--model", default="live-x4")
    options.add_argument("--times", type=int, default=10)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = small_film(given.data, folder)
        long = folder / "long.mp4"
        ffmpeg("-stream_loop", given.times - 1, "-i", small, "-c", "copy", long)
        short_mb, long_mb = (resident_mb(video, folder / "large.mp4", given.model) for video in (small, long))
    rows = [["720 frames", f"{short_mb:.0f}", "500"], [f"{720 * given.times} frames", f"{long_mb:.0f}", ""]]
    rows.append(["longer / shorter", f"{long_mb / short_mb:.2f}", "0.90 to 1.10"])
    table(["film", "resident MB", "bar"], rows)


def resident_mb(video: Path, target: Path, model: str) -> float:
    """Run the command and give its largest resident set, in MB."""
    words = [video, target, "--height", "1080", "--model", model, "--overwrite", "--quiet"]
    process = subprocess.Popen([*VIDSR, "upscale", *map(str, words)])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"the command ended with status {status}")
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    main()
