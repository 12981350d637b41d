"""The metrics: names, titles, meaning, and whether they apply to images, videos or both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["images", "videos"]


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """One column of a table."""

    title: str
    digits: int
    """After the decimal point."""
    meaning: str
    """How it is measured and which way is better, for the legend."""
    why_missing: str = ""
    """Why an image or video may have no value."""
    kinds: tuple[Kind, ...] = ("images", "videos")


def _stratum(name: str, part: str) -> MetricInfo:
    return MetricInfo(f"{name} dB", 2, f"PSNR-Y on {part}; higher is better", f"the original has no {name} pixels")


def _detail(name: str) -> MetricInfo:
    meaning = f"detail of the original's {name} windows of 32x32 pixels, divided as the pixels of {name} dB"
    return MetricInfo(f"{name} detail", 3, meaning, "it needs at least 32 pixels a side")


_VIDEOS: tuple[Kind, ...] = ("videos",)
_TOO_SMALL = "it needs at least 64 pixels a side"

METRICS = {
    "psnr": MetricInfo("PSNR-Y", 2, "dB on luma with a peak of 255, at most 100 per image or frame; higher is better"),
    "ssim": MetricInfo(
        "SSIM-Y", 4, "Gaussian window 11x11, sigma 1.5; higher is better", "it needs at least 11 pixels a side"
    ),
    "ms_ssim": MetricInfo(
        "MS-SSIM",
        4,
        "SSIM-Y over five scales (Wang 2003); higher is better",
        "it needs at least 176 pixels a side",
    ),
    "sharpness": MetricInfo(
        "sharpness",
        3,
        "mean gradient relative to the original's, where that is at least 0.01 of full scale; 1 is right, less is "
        "blurred, more is sharpened",
        "the original has no such gradient",
    ),
    "psnr_flat": _stratum(
        "flat",
        "the half of the original's pixels with the lowest local gradient (length of forward differences, averaged "
        "with SSIM's window)",
    ),
    "psnr_texture": _stratum("texture", "the four tenths of the pixels between flat and edge"),
    "psnr_edge": _stratum("edge", "the tenth of the original's pixels with the highest local gradient"),
    "detail": MetricInfo(
        "detail",
        3,
        "energy above the small image's Nyquist frequency relative to the original's, in windows of 64x64 pixels; 1 is "
        "right, less is blurred",
        _TOO_SMALL,
    ),
    "coherence": MetricInfo(
        "coherence", 3, "correlation of that energy with the original's; 1 is right, 0 is unrelated texture", _TOO_SMALL
    ),
    "detail_flat": _detail("flat"),
    "detail_texture": _detail("texture"),
    "detail_edge": _detail("edge"),
    "flicker": MetricInfo(
        "flicker",
        2,
        "standard deviation of the error over time, in levels, where the original is static (within 4 levels over 8 "
        "frames); lower is better",
        "less than a hundredth of it is static",
        _VIDEOS,
    ),
    "warping": MetricInfo(
        "warping",
        2,
        "RMS difference, in levels, from the previous frame moved along the original's DIS optical flow, without "
        "occlusions; lower is steadier, but blur lowers it too",
        "it needs two frames of at least 64 pixels a side",
        _VIDEOS,
    ),
    "vmaf": MetricInfo("VMAF", 2, "v0.6.1, 0 to 100; higher is better, and sharpening raises it", _TOO_SMALL, _VIDEOS),
    "vmaf_neg": MetricInfo("VMAF-NEG", 2, "v0.6.1neg: VMAF without credit for sharpening", _TOO_SMALL, _VIDEOS),
    "lpips": MetricInfo(
        "LPIPS",
        4,
        "v0.1 on AlexNet features of RGB; luma networks get bicubic's colours; lower is better",
        _TOO_SMALL,
    ),
    "dists": MetricInfo("DISTS", 4, "on VGG16 features of RGB, as for LPIPS; lower is better", _TOO_SMALL),
}
IMAGE_METRICS = ("psnr", "ssim", "ms_ssim", "sharpness", "psnr_flat", "psnr_texture", "psnr_edge")
VIDEO_METRICS = ("psnr", "sharpness", "flicker", "vmaf", "vmaf_neg")
"""What is measured by default: the metrics that are quick."""


def select_metrics(names: Sequence[str]) -> list[str]:
    """Return the metrics of these names in the table's order, with PSNR-Y, which gains are computed from.

    names: keys of METRICS, hyphens for underscores allowed. Raises ValueError for unknown names.
    """
    wanted = {"psnr", *(name.lower().replace("-", "_") for name in names)}
    if unknown := sorted(wanted - set(METRICS)):
        raise ValueError(f"expected metrics among {', '.join(METRICS)}; got {', '.join(unknown)}")
    return [name for name in METRICS if name in wanted]


def legend(names: Sequence[str]) -> dict[str, str]:
    """Return the titles of these metrics and their meaning."""
    return {METRICS[name].title: METRICS[name].meaning for name in names}
