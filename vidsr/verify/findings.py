"""What a comparison finds."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that both files say something of."""

    name: str
    """As in `Notice`, which may excuse it."""
    source: str
    """What the input says."""
    target: str
    """What the output says."""
    holds: bool
    """Whether that is the same, as far as the two containers can say it."""
    announced: str = ""
    """The sentence that announced the difference."""

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


def same(name: str, before: object, after: object) -> Finding:
    """Whether two values are equal."""
    return Finding(name, str(before), str(after), before == after)


def excused(findings: Iterable[Finding], notices: Iterable[str]) -> tuple[Finding, ...]:
    """Give each finding that differs the sentence that announced just that, where there is one."""
    sentences = {name: str(notice) for notice in notices for name in getattr(notice, "about", ())}
    return tuple(
        finding if finding.holds else replace(finding, announced=sentences.get(finding.name, ""))
        for finding in findings
    )
