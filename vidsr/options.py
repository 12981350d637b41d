"""The options of a run: each with its one default and one sentence of help.

The command line is made from these fields, and so are the defaults of the public functions. Options are frozen: derive
with `dataclasses.replace`. Combinations that make no sense are refused where the option is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

Precision = Literal["auto", "f32", "bf16", "f16", "int8"]
Deinterlace = Literal["frames", "fields", "off"]
Hwaccel = Literal["auto", "cuda", "none"]


def _option(default: Any, help: str) -> Any:
    """Describe one option. help: names the default if that is decided at run time."""
    return field(default=default, metadata={"help": help})


def help_of(options: type, name: str) -> str:
    """Return the help of an option: one sentence."""
    return str(_field(options, name).metadata["help"])


def shows_default(options: type, name: str) -> bool:
    """Return whether `--help` shows the value of an option's default."""
    return _field(options, name).default not in (None, False)


def _field(options: type, name: str) -> Any:
    return next(each for each in fields(options) if each.name == name)


@dataclass(frozen=True)
class ReadOptions:
    """How an input is opened and decoded."""

    start: Fraction | None = _option(None, "Start at this time of the input, in seconds or as [H:]M:S.")
    duration: Fraction | None = _option(None, "Stop after this much time, in seconds or as [H:]M:S.")
    fps: Fraction | None = _option(
        None,
        "Frame rate of image sequences and raw streams, which store none, such as 24 or 30000/1001; by default 25.",
    )
    deinterlace: Deinterlace = _option(
        "frames",
        "Make one frame of each interlaced frame (frames) or of each field (fields), or leave it as it is (off).",
    )
    source_qp: float | None = _option(
        None,
        "Assume that the input was encoded at this QP, which some models adapt to; by default as the decoder reports, "
        "or an estimate.",
    )
    hwaccel: Hwaccel = _option(
        "auto", "Decode on the GPU where nothing is lost by it (auto), wherever possible (cuda), or never (none)."
    )
    strict: bool = _option(False, "Stop with an error if the input is damaged.")
    input_format: str | None = _option(None, "Read the input as this container format; by default it is detected.")
    probe: int | None = _option(
        None,
        "Read this much of the input to find its streams, such as 50M; by default more where a stream is announced but "
        "unknown.",
    )
    live: bool | None = _option(
        None, "Probe the input as little as possible; by default only pipes and network addresses."
    )


@dataclass(frozen=True)
class UpscaleOptions:
    """Which network computes, where, and how exactly."""

    model: str | Path | None = _option(
        None,
        "Upscale with this model, by name or path, or with bicubic, lanczos or nearest; by default with the best "
        "for the scale that keeps up with the video on this machine.",
    )
    scale: int | None = _option(None, "Upscale by this factor; by default that of the model, or 2 without a model.")
    width: int | None = _option(None, "Make the output this wide as it is shown, in pixels.")
    height: int | None = _option(None, "Make the output this high as it is shown, in pixels; the width follows.")
    engine: str = _option("auto", "Compute the network with this engine; vidsr doctor lists them.")
    device: str = _option(
        "auto", "Compute the network on this device: auto, cpu, cuda or cuda:N (NVIDIA), gpu, gpu:N or npu (Intel)."
    )
    precision: Precision = _option(
        "auto", "Compute in this precision; auto is the fastest without a visible difference."
    )
    tile: int | Literal["auto"] | None = _option(
        None,
        "Split frames into square tiles of this side, in input pixels, or measure which is fastest (auto); by default "
        "into bands as wide as the frame.",
    )
    in_flight: int | None = _option(None, "Compute this many frames at once; by default as tuned, or 2.")
    threads: int = _option(0, "Compute the network with this many CPU threads; 0 uses all cores.")
    stateless: bool = _option(False, "Compute each frame without those before it.")
    compute: Literal["full", "adaptive"] | float = _option(
        "full",
        "Compute every pixel with the network (full), only where it shows (adaptive), or at most this share of each "
        "frame, such as 0.3; the rest is taken over from the frame before or resized.",
    )


@dataclass(frozen=True)
class EncodeOptions:
    """How the output is encoded and written."""

    format: str | None = _option(
        None, "Write this container format; by default the one of the extension, and NUT to stdout."
    )
    codec: str = _option("libx264", "Encode with this encoder, such as libx265, libsvtav1 or ffv1.")
    crf: float = _option(20, "Encode at this quality; lower is better and makes larger files.")
    preset: str = _option(
        "veryfast",
        "Encode with this preset, from ultrafast to veryslow: a slower one makes smaller files; auto is the slowest "
        "that keeps up with the video.",
    )
    encoder_options: Mapping[str, str] | None = _option(
        None, "Set an option of the encoder, such as tune=animation; repeat it to set several."
    )
    overwrite: bool = _option(False, "Replace an existing output.")
    live: bool = _option(False, "Write every frame at once, without waiting for the next.")
    repeatable: bool = _option(False, "Make the same bytes from the same frames in every run.")
    pix_fmt: str | None = _option(
        None,
        "Encode in this pixel format, by FFmpeg's name; by default that of the input, or the closest, and yuv420p for "
        "RGB.",
    )

    def __post_init__(self) -> None:
        """Compare and store 20 and 20.0 alike, and a pixel format like the option of the encoder that it is."""
        object.__setattr__(self, "crf", float(self.crf))
        if self.pix_fmt is not None:
            object.__setattr__(self, "encoder_options", {**(self.encoder_options or {}), "pix_fmt": self.pix_fmt})


@dataclass(frozen=True)
class RealtimeOptions:
    """Whether a run keeps up with a live stream, and how closely."""

    realtime: bool | None = _option(
        None,
        "Keep up with the video: compute less of it while time is short; a file is read at its own rate. By default "
        "for network streams.",
    )
    latency: float | None = _option(
        None,
        "Keep up so closely that a frame leaves within so many milliseconds; by default 100, or three frames if these "
        "last longer.",
    )


@dataclass(frozen=True)
class EvaluateOptions:
    """How models are measured on images and videos."""

    metrics: Sequence[str] | None = _option(
        None,
        "Measure these besides PSNR-Y: ssim, ms_ssim, sharpness, psnr_flat, psnr_texture, psnr_edge, detail, "
        "coherence, detail_flat, detail_texture, detail_edge, flicker, warping, vmaf, vmaf_neg, lpips, dists. "
        "By default those that need little time.",
    )
    frames: int | None = _option(
        None, "Use this many frames from the start of each video; by default 24, or 48 with --bandwidth."
    )
    crfs: Sequence[float] | None = _option(
        None,
        "Encode the low-resolution input at these CRFs; by default 18 23 28 33 for videos, and none for images.",
    )
    codec: str = _option("libx264", "Encode with libx264, libx265, libsvtav1 or libvpx-vp9.")
    preset: str | None = _option(
        None,
        "Encode with this preset (cpu-used of libvpx-vp9); by default medium, for libsvtav1 8 and for libvpx-vp9 4.",
    )
    scale: int | None = _option(None, "Upscale by this factor with bicubic, lanczos and nearest; by default 2.")
    engine: str = _option(UpscaleOptions.engine, help_of(UpscaleOptions, "engine"))
    precision: Precision = _option(UpscaleOptions.precision, help_of(UpscaleOptions, "precision"))
