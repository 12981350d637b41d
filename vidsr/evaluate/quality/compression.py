"""What small pictures can be sent through: encoders whose quality is set by a CRF."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidsr.errors import DataError


@dataclass(frozen=True, slots=True)
class Codec:
    """One encoder."""

    title: str
    option: str
    """FFmpeg's name of the option that trades time for size."""
    preset: str
    """Its value where none is asked for."""
    highest: int
    """CRF."""
    more: dict[str, str] = field(default_factory=dict)
    least: int = 2
    """Pixels on a side."""

    def options(self, preset: str | None = None) -> dict[str, str]:
        """The encoder's options besides the CRF."""
        return {**self.more, self.option: preset or self.preset}

    def said(self, preset: str | None = None) -> str:
        """As a protocol names it: `x264 medium`."""
        return " ".join([self.title, *([] if self.option == "preset" else [self.option]), preset or self.preset])

    def check(self, path: Path, width: int, height: int) -> None:
        """Refuse what is too small to be sent. path: what is to be sent at that size. Raises DataError."""
        if min(width, height) < self.least:
            raise DataError(
                f"{path} would be sent at {width}x{height}, but {self.title} takes pictures of at least {self.least} "
                "pixels a side; give a larger one, or another --codec"
            )


CODECS = {
    "libx264": Codec("x264", "preset", "medium", 51),
    "libx265": Codec("x265", "preset", "medium", 51, least=64),  # widths of 34 to 48 make it overrun its memory,
    "libsvtav1": Codec("SVT-AV1 preset", "preset", "8", 63),
    "libvpx-vp9": Codec("libvpx-vp9", "cpu-used", "4", 63, {"deadline": "good", "b": "0", "row-mt": "1"}),
}


def codec_of(name: str, crfs: Sequence[float]) -> Codec:
    """Find a codec by FFmpeg's name. Raises ValueError for another, and for a CRF that it does not take."""
    if name not in CODECS:
        raise ValueError(f"pictures cannot be sent through {name!r}; there are {', '.join(CODECS)}")
    if any(not 0 <= crf <= CODECS[name].highest for crf in crfs):
        raise ValueError(f"{name} takes CRFs from 0 to {CODECS[name].highest}")
    return CODECS[name]
