"""Findings of a comparison."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from vidsr.context import STREAM_CODES, Code, Notice

_EXIF = "exif"  # a notice names all tags of Exif by one word
# Languages with two codes in ISO 639-2: Matroska stores the second.
_BIBLIOGRAPHIC = {
    "bod": "tib", "ces": "cze", "cym": "wel", "deu": "ger", "ell": "gre", "eus": "baq", "fas": "per", "fra": "fre",
    "hye": "arm", "isl": "ice", "kat": "geo", "mkd": "mac", "mri": "mao", "msa": "may", "mya": "bur", "nld": "dut",
    "ron": "rum", "slk": "slo", "sqi": "alb", "zho": "chi",
}  # fmt: skip


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
    tags: tuple[str, ...] = ()
    """Keys of the tags that differ."""

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


def comparable_key(tag: str) -> str:
    """Return the key of a tag as Matroska would have it: in its codes of languages, without blanks; in lower case."""
    name, dash, language = tag.lower().replace(" ", "_").rpartition("-")
    return f"{name}{dash}{_BIBLIOGRAPHIC.get(language, language)}"


def excused(findings: Iterable[Finding], notices: Iterable[Notice]) -> tuple[Finding, ...]:
    """Add to each finding that differs the warning that announced it, if there is one."""
    given = tuple(notices)
    return tuple(
        finding if finding.holds else replace(finding, announced=_announcement(finding, given)) for finding in findings
    )


def _announcement(finding: Finding, notices: tuple[Notice, ...]) -> str:
    apart = finding.code is Code.DRIFT  # between the picture and any stream
    about = [n for n in notices if finding.code in n.codes and (apart or finding.stream in (n.streams or (None,)))]
    of_any_tag = [notice for notice in about if not notice.tags]
    tags = {comparable_key(tag) for notice in about for tag in notice.tags}
    keys = (comparable_key(tag) for tag in finding.tags)
    if not of_any_tag and not all(key in tags or (_EXIF in tags and key.startswith(f"{_EXIF}_")) for key in keys):
        return ""
    return next((notice.message for notice in reversed(of_any_tag or about)), "")
