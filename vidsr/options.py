"""The options of a run: each with its one default and its one line of help.

The command line is made from these fields, and so are the defaults of the public functions. Options are frozen: derive
with `dataclasses.replace`. Combinations that make no sense are refused where the option is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

Precision = Literal["auto", "f32", "bf16", "f16"]
Deinterlace = Literal["frames", "fields", "off"]
Hwaccel = Literal["auto", "cuda", "none"]


def _option(default: Any, help: str, shown: str | None = None) -> Any:
    """Describe one option. shown: what `--help` prints as the default, where that is decided at run time."""
    return field(default=default, metadata={"help": help, "shown": shown})


def help_of(options: type, name: str) -> str:
    """Return the help of an option: one sentence."""
    return str(_field(options, name).metadata["help"])


def shown_default(options: type, name: str) -> str | bool:
    """Return what `--help` shows as an option's default; True for the value itself, False for nothing."""
    option = _field(options, name)
    return option.metadata["shown"] or option.default not in (None, False)


def _field(options: type, name: str) -> Any:
    return next(each for each in fields(options) if each.name == name)


@dataclass(frozen=True)
class ReadOptions:
    """How an input is opened and decoded."""

    start: Fraction | None = _option(None, "Start here, counted from the beginning: seconds or [H:]M:S.")
    duration: Fraction | None = _option(None, "Stop after this long: seconds or [H:]M:S.")
    fps: Fraction | None = _option(
        None, "Frame rate of image sequences and raw streams, which carry none: 24 or 30000/1001.", "25"
    )
    deinterlace: Deinterlace = _option("frames", "Turn interlaced video into one frame per frame, or one per field.")
    source_qp: float | None = _option(
        None, "QP of the input, 0 to 51, for models that use it.", "the decoder's, else estimated"
    )
    hwaccel: Hwaccel = _option("auto", "Decode on the GPU.")
    strict: bool = _option(False, "Fail if the input is damaged.")
    input_format: str | None = _option(None, "Container format of the input.", "detected")
    live: bool | None = _option(
        None, "Probe as little as possible, as pipes and network addresses want it.", "by input"
    )


@dataclass(frozen=True)
class UpscaleOptions:
    """Which network computes, where, and how exactly."""

    model: str | Path | None = _option(
        None, "Name or path of a model, or bicubic, lanczos or nearest.", "chosen by scale"
    )
    scale: int | None = _option(None, "Upscale by this factor.", "2")
    width: int | None = _option(None, "Width of the output in pixels.")
    height: int | None = _option(None, "Height of the output in pixels; the width follows.")
    engine: str = _option("auto", "Runtime that computes the network.")
    device: str = _option("auto", "Device: cpu, cuda or cuda:N.")
    precision: Precision = _option("auto", "Precision of the arithmetic.")
    tile: int | Literal["auto"] | None = _option(
        None, "Side of a tile in input pixels, or auto to measure which is fastest.", "bands of the whole width"
    )
    in_flight: int | None = _option(None, "Frames computed at once.", "as tuned, else 2")
    threads: int = _option(0, "CPU threads of the network; 0 uses all cores.")
    stateless: bool = _option(False, "Compute each frame without regard to those before it.")


@dataclass(frozen=True)
class EncodeOptions:
    """How the output is encoded and written."""

    format: str | None = _option(None, "Container format of the output.", "by extension; nut for -")
    codec: str = _option("libx264", "Video encoder.")
    crf: float = _option(20.0, "Quality of the encoder; lower is better.")
    preset: str = _option("veryfast", "Preset of the encoder; auto picks the slowest that keeps up with the video.")
    encoder_options: Mapping[str, str] | None = _option(None, "Option of the encoder; repeat for several.")
    overwrite: bool = _option(False, "Replace an existing output.")
    live: bool = _option(False, "Write every frame at once, without waiting for the next.")
    repeatable: bool = _option(False, "Make the same bytes from the same frames in every run.")


@dataclass(frozen=True)
class EvaluateOptions:
    """How models are measured on images and videos."""

    metrics: Sequence[str] | None = _option(
        None,
        "Metrics besides PSNR-Y: ssim, ms_ssim, sharpness, psnr_flat, psnr_texture, psnr_edge, flicker, warping, vmaf, "
        "vmaf_neg, lpips, dists.",
        "those that are quick",
    )
    frames: int | None = _option(None, "Frames used from the start of each video.", "24; 48 with --bandwidth")
    crfs: Sequence[float] | None = _option(
        None, "CRFs at which the low-resolution input is encoded.", "not encoded for images; 18 23 28 33 for videos"
    )
    codec: str = _option("libx264", "Encoder: libx264, libx265, libsvtav1 or libvpx-vp9.")
    preset: str | None = _option(None, "Preset of the encoder; cpu-used for libvpx-vp9.", "medium, 8 or 4")
    scale: int | None = _option(None, "Factor of bicubic, lanczos and nearest.", "2")
    engine: str = _option(UpscaleOptions.engine, help_of(UpscaleOptions, "engine"))
    precision: Precision = _option(UpscaleOptions.precision, help_of(UpscaleOptions, "precision"))
