"""An output held against its input."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from vidsr.context import Notice, Stop
from vidsr.options import ReadOptions
from vidsr.pipeline.supervise import supervised
from vidsr.verify.findings import Verification, excused
from vidsr.verify.inventory import Inventory
from vidsr.verify.scan import read_inventory
from vidsr.verify.stream_checks import track_findings
from vidsr.verify.timestamp_checks import shift_of
from vidsr.verify.video_checks import video_findings
from vidsr.video.sequence import is_sequence
from vidsr.video.timing import exact


def verify_video(
    source: str | Path,
    target: str | Path,
    *,
    notices: Iterable[Notice] = (),
    start: Fraction | float | None = None,
    duration: Fraction | float | None = None,
    fps: Fraction | float | None = None,
) -> Verification:
    """Read two files to their end and hold one against the other: all but the size of the picture is to be the same.

    source, target: what was enlarged and what came of it, each a path or an address that can be read now. notices: of
    the run that wrote the target (`Summary.notices`), which excuse what they announced and nothing else. start,
    duration, fps: of the source, as for `upscale_video`.
    Frames are those that the decoder gives; both files are decoded. Raises InputError where one cannot be read.
    """
    stop = Stop()

    def run() -> Verification:
        options = ReadOptions(start=exact(start), duration=exact(duration), fps=exact(fps))
        before = read_inventory(source, options, stop=stop)
        after = ReadOptions(fps=options.fps if before.pictures and is_sequence(target) else None)
        return compare(before, read_inventory(target, after, stop=stop), notices=notices)

    return supervised(run, stop)


def compare(before: Inventory, after: Inventory, *, notices: Iterable[Notice] = ()) -> Verification:
    """Hold what an output holds against what its input held."""
    shift = shift_of(before.times, before.tick, after.times, after.tick)
    findings = [*video_findings(before, after, shift), *track_findings(before, after, shift)]
    return Verification(before.title, after.title, excused(findings, notices))
