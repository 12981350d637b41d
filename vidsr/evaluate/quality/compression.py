"""Encoders whose quality is set by a CRF: what low-resolution input is compressed with before it is upscaled."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vidsr.errors import DataError


@dataclass(frozen=True, slots=True)
class CrfEncoder:
    """An encoder: the ranges and options that an evaluation needs to know."""

    title: str
    """Its usual name; for SVT-AV1, whose presets are numbers, with the word before them."""
    speed_option: str
    """Name of the FFmpeg option that trades time for size."""
    default_preset: str
    """Value of that option if none is given."""
    max_crf: int
    fixed_options: dict[str, str] = field(default_factory=dict)
    """FFmpeg options that are always set."""
    min_side: int = 2
    """Pixels."""

    def options(self, preset: str | None = None) -> dict[str, str]:
        """Return the FFmpeg options besides the CRF."""
        return {**self.fixed_options, self.speed_option: preset or self.default_preset}

    def label(self, preset: str | None = None) -> str:
        """Return how a protocol names encoder and preset: `x264 medium`."""
        option = [] if self.speed_option == "preset" else [self.speed_option]
        return " ".join([self.title, *option, preset or self.default_preset])

    def check_size(self, path: Path, width: int, height: int) -> None:
        """Raise DataError if `path`, downscaled to this size, is too small to be encoded."""
        if min(width, height) < self.min_side:
            raise DataError(
                f"{path} would be encoded at {width}x{height}, but {self.title} needs at least {self.min_side} pixels "
                "a side; use larger input, or another --codec"
            )


CODECS = {
    "libx264": CrfEncoder("x264", "preset", "medium", 51),
    "libx265": CrfEncoder("x265", "preset", "medium", 51, min_side=64),  # it overruns its memory at widths of 34 to 48
    "libsvtav1": CrfEncoder("SVT-AV1 preset", "preset", "8", 63),
    "libvpx-vp9": CrfEncoder("libvpx-vp9", "cpu-used", "4", 63, {"deadline": "good", "b": "0", "row-mt": "1"}),
}
"""By FFmpeg's names."""


def find_codec(name: str, crfs: Sequence[float] = ()) -> CrfEncoder:
    """Return the encoder that FFmpeg calls `name`. Raises ValueError if it is unknown or a CRF is out of its range."""
    if name not in CODECS:
        raise ValueError(f"expected one of the codecs {', '.join(CODECS)}; got {name!r}")
    codec = CODECS[name]
    if wrong := [crf for crf in crfs if not 0 <= crf <= codec.max_crf]:
        raise ValueError(f"{name} takes CRFs from 0 to {codec.max_crf}; got {wrong[0]:g}")
    return codec
