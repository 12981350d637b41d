"""Harms outputs in every way of a list and sees whether `verify` finds it.

A video with captions, rotation, colours, mastering data, two sounds, two subtitles, chapters, a font and tags goes into
each container; then the output is copied once for each harm: streams, packets, tags and chapters dropped or changed, a
tick of delay, frames in the wrong order and so on. A cropped 360 degree video in stereo with languages of BCP 47, and a
service of MPEG-TS, are held against outputs of videos that differ from them in one of these. Bar: the output itself and
an exact copy hold, every harm is found. What the container could not hold, so that a warning announced it, cannot be
harmed.
"""

import argparse
import sys
import tempfile
from itertools import chain
from pathlib import Path

from common import table

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.verify.harms import trials
from tests.verify.variants import variants

CONTAINERS = ("mkv", "mp4", "mov", "ts", "nut")


def main() -> None:
    """Print the table; exit with 1 if the bar is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--to", default=",".join(CONTAINERS), help="extensions of the outputs")
    kinds = options.parse_args().to.split(",")
    found: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in kinds:
            for name, result in chain(trials(Path(folder), kind), variants(Path(folder), kind)):
                found.setdefault(name, {})[kind] = result
    table(["harm", *kinds], [[name, *(cells.get(kind, "") for kind in kinds)] for name, cells in found.items()])
    missed = [
        name for name, cells in found.items() if any(cell.startswith(("MISSED", "FALSE")) for cell in cells.values())
    ]
    print(f"{len(missed)} of {len(found)} missed" if missed else "all found")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
