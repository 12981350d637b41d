"""Findings of a comparison."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from vidsr.context import STREAM_CODES, Code, Notice


@dataclass(frozen=True, slots=True)
class Finding:
    """One property of both files."""

    code: Code
    """Shared with `Notice`, which may announce it."""
    source: str
    """The value in the input."""
    target: str
    """The value in the output."""
    holds: bool
    """Whether they are the same, as far as the two containers can express it."""
    stream: int | None = None
    """Index in the input of the copied stream it is about; None: the video."""
    announced: str = ""
    """The warning that announced the difference."""

    @property
    def name(self) -> str:
        """As reports print it: `chapters`, `video language`, `stream 3 tags`."""
        what = self.code.removeprefix("stream").strip()
        if self.stream is not None and self.code is not Code.NEW_STREAM:
            return f"stream {self.stream} {what}".strip()
        if self.code is Code.NEW_STREAM:
            return f"new stream {self.stream}"
        return f"video {what}" if self.code in STREAM_CODES else str(self.code)

    @property
    def state(self) -> Literal["holds", "announced", "differs"]:
        """Whether the property is the same, was announced to differ, or differs."""
        return "holds" if self.holds else "announced" if self.announced else "differs"


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of comparing an output with its input."""

    source: str
    target: str
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> tuple[Finding, ...]:
        """The findings that differ and were not announced; empty for a faithful output."""
        return tuple(finding for finding in self.findings if finding.state == "differs")

    @property
    def faithful(self) -> bool:
        """Whether nothing differs that was not announced."""
        return not self.differences


def same(code: Code, before: object, after: object, stream: int | None = None) -> Finding:
    """Return the finding that two values are equal, or not."""
    return Finding(code, str(before), str(after), before == after, stream)


def excused(findings: Iterable[Finding], notices: Iterable[Notice]) -> tuple[Finding, ...]:
    """Add to each finding that differs the warning that announced it, if there is one."""
    messages = {
        (code, stream): notice.message
        for notice in notices
        for code in notice.codes
        for stream in notice.streams or (None,)
    }
    return tuple(
        finding if finding.holds else replace(finding, announced=messages.get((finding.code, finding.stream), ""))
        for finding in findings
    )
