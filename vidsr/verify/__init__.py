"""Compares two files: is the output the same as the input, but for the size of the frames?"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

from vidsr.context import Notice, Stop
from vidsr.options import ReadOptions
from vidsr.pipeline.supervise import supervised
from vidsr.verify.findings import Finding, Verification, excused
from vidsr.verify.inventory import Inventory
from vidsr.verify.scan import read_inventory
from vidsr.verify.stream_checks import track_findings
from vidsr.verify.timestamp_checks import shift_of
from vidsr.verify.video_checks import video_findings
from vidsr.video.sequence import is_sequence
from vidsr.video.timing import exact

__all__ = ["Finding", "Verification", "verify_video"]


def verify_video(
    source: str | Path,
    target: str | Path,
    *,
    notices: Iterable[Notice] = (),
    start: Fraction | float | None = None,
    duration: Fraction | float | None = None,
    fps: Fraction | float | None = None,
    probe: int | None = None,
) -> Verification:
    """Read two files to their ends and compare them: everything but the size of the frames must be the same.

    source, target: input and output, each a path or an address that can be read now. notices: warnings of the run that
    wrote the target (`Summary.notices`), which excuse what they announced and nothing else. start, duration, fps,
    probe: of the source, as in `ReadOptions`.
    Both files are decoded. Raises InputError if one cannot be read.
    """
    stop = Stop()

    def run() -> Verification:
        options = ReadOptions(start=exact(start), duration=exact(duration), fps=exact(fps), probe=probe)
        before = read_inventory(source, options, stop=stop)
        after = ReadOptions(fps=options.fps if before.images and is_sequence(target) else None)
        return compare(before, read_inventory(target, after, stop=stop), notices=notices)

    return supervised(run, stop)


def compare(before: Inventory, after: Inventory, *, notices: Iterable[Notice] = ()) -> Verification:
    """Compare the inventories of an input and an output."""
    shift = shift_of(before, after)
    findings = [*video_findings(before, after, shift), *track_findings(before, after, shift)]
    return Verification(before.title, after.title, excused(findings, notices))
