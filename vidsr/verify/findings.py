"""What a comparison finds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from vidsr.context import STREAM_CODES, Code, Notice


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that both files say something of."""

    code: Code
    """Shared with `Notice`, which may announce it."""
    source: str
    """What the input says."""
    target: str
    """What the output says."""
    holds: bool
    """Whether that is the same, as far as the two containers can say it."""
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
        """Whether the thing is the same, was announced to differ, or just differs."""
        return "holds" if self.holds else "announced" if self.announced else "differs"


@dataclass(frozen=True, slots=True)
class Verification:
    """An output held against its input."""

    source: str
    target: str
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> tuple[Finding, ...]:
        """The findings that differ and were not announced; empty for a faithful output."""
        return tuple(finding for finding in self.findings if finding.state == "differs")

    @property
    def faithful(self) -> bool:
        """Whether nothing differs but what was announced."""
        return not self.differences


def same(code: Code, before: object, after: object, stream: int | None = None) -> Finding:
    """Whether two values are equal."""
    return Finding(code, str(before), str(after), before == after, stream)


def excused(findings: Iterable[Finding], notices: Iterable[Notice]) -> tuple[Finding, ...]:
    """Give each finding that differs the sentence that announced just that, where there is one."""
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
