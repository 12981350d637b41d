"""How `vidsr prepare` uses the machine, and whether it makes the same store again, interrupted or not.

Bars: all cores busy; under 1 GB; nothing decoded twice; the same store, byte for byte, from the same seed, interrupted
and resumed too.
"""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import VIDSR, parser, table


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--pairs", type=int, default=8192)
    given = options.parse_args()
    if given.data is None:
        sys.exit("give --data (or VIDSR_DATA)")
    sources = [given.data / "train", given.data / "clips"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [*VIDSR, "prepare", *map(str, sources), "--pairs", str(given.pairs), "--recipe", "live-x4", "-o"]
        seconds, busy, resident = measured([*command, str(folder / "whole")])
        interrupted = subprocess.Popen([*command, str(folder / "resumed")], stderr=subprocess.DEVNULL)
        time.sleep(seconds / 2)
        interrupted.send_signal(signal.SIGKILL)
        interrupted.wait()
        kept = len(list((folder / "resumed.part" / "parts").glob("*.npz")))
        again, _, _ = measured([*command, str(folder / "resumed")])
        same = content(folder / "whole") == content(folder / "resumed")
        made = sum(1 for _ in (folder / "whole").rglob("low.npy"))
        size = sum(path.stat().st_size for path in (folder / "whole").rglob("*.npy")) / 1e6
    cores = len(os.sched_getaffinity(0))
    rows = [
        [f"{given.pairs} pairs ({size:.0f} MB, {made} splits)", f"{seconds:.0f} s", ""],
        ["cores busy, mean", f"{busy:.2f} of {cores}", "all"],
        ["most memory", f"{resident:.0f} MB", "1000 MB"],
        [f"killed half-way ({kept} canvases done), then", f"{again:.0f} s", f"about {seconds / 2:.0f}"],
        ["the same bytes, killed and resumed", str(same), "True"],
    ]
    table(["prepare", "measured", "bar"], rows)


def measured(command: list[str]) -> tuple[float, float, float]:
    """Run a command; give its seconds, the cores it kept busy, and its largest resident set in MB."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begun
    if status:
        sys.exit(f"the command ended with status {status}")
    resident = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return seconds, (usage.ru_utime + usage.ru_stime) / seconds, resident


def content(store: Path) -> dict[str, str]:
    """Every file of a store by name, hashed."""
    return {
        str(path.relative_to(store)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.rglob("*"))
        if path.is_file()
    }


if __name__ == "__main__":
    main()
