"""The figures there are: what they are called, what they mean, and of what they can be had."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One column of a table."""

    title: str
    digits: int
    """After the point."""
    meaning: str
    """How it is measured and which way is better, as a table's legend says it."""
    lacking: str = ""
    """Why a picture or clip may have none."""
    of: tuple[str, ...] = ("pictures", "clips")


def _stratum(name: str, part: str) -> Figure:
    return Figure(f"{name} dB", 2, f"PSNR-Y on {part}; more is better", f"the truth has no {name}")


_SMALL = "it takes pictures of at least 64 pixels on a side"

FIGURES = {
    "psnr": Figure("PSNR-Y", 2, "dB on luma with a peak of 255, at most 100 for one picture; more is better"),
    "ssim": Figure("SSIM-Y", 4, "Gaussian window 11x11, sigma 1.5; more is better", "a picture is under 11 pixels"),
    "ms_ssim": Figure(
        "MS-SSIM",
        4,
        "SSIM-Y over five scales (Wang 2003); more is better",
        "it takes pictures of at least 176 pixels on a side",
    ),
    "sharpness": Figure(
        "sharpness",
        3,
        "mean gradient over the truth's, where that is at least 0.01 of full scale; 1 is right, less is blurred, more "
        "is sharpened",
        "the truth is steep nowhere",
    ),
    "psnr_flat": _stratum(
        "flat",
        "the half of the truth's pixels with the least local gradient (length of forward differences, averaged by "
        "SSIM's window)",
    ),
    "psnr_texture": _stratum("texture", "the four tenths of the pixels between flat and edge"),
    "psnr_edge": _stratum("edge", "the tenth of the truth's pixels with the most local gradient"),
    "flicker": Figure(
        "flicker",
        2,
        "standard deviation over time of the error, in levels, where the film stands still (within 4 levels over 8 "
        "frames); less is better",
        "no hundredth of it stands still",
        ("clips",),
    ),
    "warping": Figure(
        "warping",
        2,
        "RMS change in levels from the frame before, moved along the film's own DIS flow, without what that uncovers; "
        "less is steadier, but blur lowers it too",
        "it takes two frames of at least 64 pixels on a side",
        ("clips",),
    ),
    "vmaf": Figure("VMAF", 2, "v0.6.1, 0 to 100; more is better, and sharpening pleases it", _SMALL, ("clips",)),
    "vmaf_neg": Figure("VMAF-NEG", 2, "v0.6.1neg: VMAF that gives nothing for sharpening", _SMALL, ("clips",)),
    "lpips": Figure(
        "LPIPS",
        4,
        "v0.1 on AlexNet's features of RGB, a luma network's picture with bicubic's colours; less is better",
        _SMALL,
    ),
    "dists": Figure("DISTS", 4, "on VGG16's features of RGB, as for LPIPS; less is better", _SMALL),
}
OF_PICTURES = ("psnr", "ssim", "ms_ssim", "sharpness", "psnr_flat", "psnr_texture", "psnr_edge")
OF_CLIPS = ("psnr", "sharpness", "flicker", "vmaf", "vmaf_neg")
"""What is measured where nothing is asked for: what costs little."""


def chosen(names: Sequence[str]) -> list[str]:
    """Give the figures of these names in the table's order, PSNR-Y always among them, for gains are counted in it.

    names: as in FIGURES, hyphens for underscores allowed. Raises ValueError for a name that there is not.
    """
    wanted = {"psnr", *(name.lower().replace("-", "_") for name in names)}
    if unknown := sorted(wanted - set(FIGURES)):
        raise ValueError(f"there is no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    return [name for name in FIGURES if name in wanted]


def legend(names: Sequence[str]) -> dict[str, str]:
    """The titles of these figures and what they mean."""
    return {FIGURES[name].title: FIGURES[name].meaning for name in names}
