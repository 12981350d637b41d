"""What the pipeline costs beside its work: CPU time of the whole command, 480x270 to 1920x1080, 720 frames, by part.

Sampled by Linux's `perf`, 199 times a second of CPU time. A sample belongs to the library it was taken in: the
encoder's (encode), OpenVINO's and the code it makes (network), FFmpeg's codecs in the thread that decodes (decode).
What libc and the kernel do in a thread that runs no Python is its library's. The copy that shuffles the network's
pixels into the picture is an edge of the network. All else is overhead: Python, swscale, queues, containers, the start.
Bar: at most 10 % of the CPU time.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from common import VIDSR, parser, small_film, table

PARTS = {
    "encode": r"libx264|libx265|libSvtAv1|libvpx",
    "network": r"libopenvino|libtbb|\[JIT\]|^//anon|^anon|perf-\d+\.map|^\[unknown\]",
    "decode": r"libavcodec|libdav1d",
    "edges": r"_multiarray_umath",
    "python": r"libpython|python3?[\d.]*$",
    "swscale": r"libswscale",
}
WORK = ("decode", "network", "edges", "encode")
SAMPLE = re.compile(r"\s*(?P<thread>\d+)\s+[0-9a-f]+\s+(?P<symbol>.*)\s+\((?P<library>.*)\)\s*$")
Samples = list[tuple[str, str, str]]  # thread, library, symbol


def main() -> None:
    """Print the tables."""
    options = parser(__doc__)
    options.add_argument("--model", default="live-x4")
    options.add_argument("--lines", type=int, default=20, help="of the profile of the overhead")
    given = options.parse_args()
    if shutil.which("perf") is None:
        sys.exit("this script needs Linux's perf command")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        samples = sampled(small_film(given.data, folder), folder, given.model)
    parts, overhead = sorted_out(samples)
    count = len(samples)
    rows = [[part, f"{100 * parts[part] / count:.1f} %", ""] for part in WORK]
    table(["part", "of CPU time", "bar"], [*rows, ["overhead", f"{100 * overhead.total() / count:.1f} %", "10 %"]])
    print()
    lines = [
        [f"{role}: {library}", f"{100 * number / count:.2f} %", symbol]
        for (role, library, symbol), number in overhead.most_common(given.lines)
    ]
    table(["overhead in thread: library", "of CPU time", "symbol"], lines)
    by_library: Counter[str] = Counter()
    for (_, library, _), number in overhead.items():
        by_library[library] += number
    print()
    table(
        ["overhead by library", "of CPU time"], [[k, f"{100 * n / count:.2f} %"] for k, n in by_library.most_common(9)]
    )


def sampled(video: Path, folder: Path, model: str) -> Samples:
    """Run the command under perf."""
    record = ["perf", "record", "-q", "-F", "199", "-e", "cpu-clock", "-o", str(folder / "perf.data")]
    words = ["upscale", video, folder / "large.mp4", "--height", "1080", "--model", model, "--quiet"]
    subprocess.run([*record, *VIDSR, *map(str, words)], check=True)
    script = ["perf", "script", "-i", str(folder / "perf.data"), "-F", "tid,ip,sym,dso"]
    shown = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    found = [SAMPLE.match(line) for line in shown.splitlines()]
    return [(each["thread"], each["library"].rsplit("/", 1)[-1], each["symbol"]) for each in found if each]


def sorted_out(samples: Samples) -> tuple[Counter[str], Counter[tuple[str, str, str]]]:
    """Samples of each part, and those of the overhead by role of the thread, library and symbol."""
    threads: dict[str, Counter[str]] = defaultdict(Counter)
    for thread, library, _ in samples:
        threads[thread][part_of(library)] += 1
    roles = {thread: role_of(parts) for thread, parts in threads.items()}
    parts: Counter[str] = Counter()
    overhead: Counter[tuple[str, str, str]] = Counter()
    for thread, library, symbol in samples:
        part, ours = part_of(library), threads[thread]["python"] > 0
        if part == "decode" and threads[thread]["encode"]:
            part = "encode"  # the encoder's side of FFmpeg
        if part == "edges" and not threads[thread]["swscale"]:
            part = "other"  # numpy, but not where the network's results are taken
        if part == "other" and not ours:
            part = roles[thread]
        if part in WORK:
            parts[part] += 1
        else:
            overhead[(roles[thread], library, symbol)] += 1
    return parts, overhead


def part_of(library: str) -> str:
    """The part that a library belongs to; other for libc, the kernel and the rest."""
    return next((part for part, pattern in PARTS.items() if re.search(pattern, library)), "other")


def role_of(parts: Counter[str]) -> str:
    """What a thread is for: what it does most, apart from what all do."""
    known = Counter({part: number for part, number in parts.items() if part not in ("other", "python")})
    found = known.most_common(1)[0][0] if known else "start" if parts["python"] else "other"
    return "inference" if found == "edges" else found


if __name__ == "__main__":
    main()
