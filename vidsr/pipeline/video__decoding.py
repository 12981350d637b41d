"""Which GPU decodes a film, if any."""

from collections.abc import Callable
from typing import Literal, get_args

from vidsr.engines import TAKES_DLPACK, Setup
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler
from vidsr.video.read.hwdecode import Offload, opens

Hwaccel = Literal["auto", "cuda", "none"]
"""auto: the GPU that enlarges decodes as well, where nothing is lost by it; cuda: a GPU decodes whatever it can."""


def find_gpu(hwaccel: Hwaccel, device: str, *, resume: bool, notice: Callable[[str], None]) -> str | None:
    """The GPU that may decode, as cuda:N; None where there is none, or none is wanted.

    To be asked before an engine uses the GPU; see `opens`. device: the network's, as it was asked for. notice:
    called with why none is tried, where one was asked for. Raises ValueError for what is no Hwaccel.
    """
    if hwaccel not in get_args(Hwaccel):
        raise ValueError(f"{hwaccel!r} is no way to decode; choose one of {', '.join(get_args(Hwaccel))}")
    if hwaccel == "none" or (hwaccel == "auto" and (resume or device == "cpu")):
        return None
    if resume:
        notice("with --resume the CPU decodes: segments must come out the same in every run")
        return None
    name = f"cuda:{device.partition(':')[2] or 0}"
    return name if opens(name) or hwaccel == "cuda" else None  # the source tells of what it cannot do


def gpu_for(name: str | None, hwaccel: Hwaccel, upscaler: Upscaler | ResizingUpscaler) -> Offload | None:
    """What the GPU that was found does: it keeps its pictures where the network takes them there."""
    if name is None:
        return None
    setup = upscaler.setup if isinstance(upscaler, Upscaler) else Setup("swscale", "cpu", "f32")
    together = name in (setup.device, f"{setup.device}:0")
    if hwaccel == "auto" and not together:
        return None
    return Offload(name, keeps=together and setup.engine in TAKES_DLPACK, always=hwaccel == "cuda")
