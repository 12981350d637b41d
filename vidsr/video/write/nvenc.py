"""Encoding on a GPU (NVENC) what lies in its memory already; what does not is sent there by PyAV."""

from typing import Any

from av.video.frame import CudaContext

from vidsr.frames import Frame, VideoInfo
from vidsr.video.convert.nv12 import BITS, cuda_hwaccel, lies_on_gpu

_FORMATS = {"yuv420p": "nv12", "yuv420p10le": "p010le"}
"""What NVENC is given of each layout."""


class Nvenc:
    """The GPU's side of an encoder."""

    def __init__(self, device: str, layout: str) -> None:
        """device: cuda:N. layout: yuv420p or yuv420p10le."""
        self.settings = cuda_hwaccel(device)
        self.format = _FORMATS[layout]
        # One for all frames: each would else open the GPU anew.
        self.context = CudaContext(device_id=self.settings.device_id, primary_ctx=True)


def nvenc_for(first: Frame | None, codec: str, layout: str) -> Nvenc | None:
    """What encodes frames where they lie, if that is a GPU's memory as the film begins; None where it does not."""
    if first is None or not lies_on_gpu(first) or not codec.endswith("_nvenc") or layout not in _FORMATS:
        return None
    plane: Any = first.planes[0]
    return Nvenc(f"cuda:{plane.__dlpack_device__()[1]}", layout)


def takes(pixel_format: str, info: VideoInfo, frame: Frame, nvenc: Nvenc | None) -> bool:
    """Whether an encoder takes a semi-planar frame as it is and where it lies."""
    given = frame.width, frame.height, frame.color.matrix, frame.color.full_range
    wanted = info.width, info.height, info.color.matrix, info.color.full_range
    return given == wanted and BITS.get(pixel_format) == frame.bits and lies_on_gpu(frame) == (nvenc is not None)


def stream_options(nvenc: Nvenc | None) -> dict[str, Any]:
    """What PyAV's `add_stream` is told besides."""
    return {} if nvenc is None else {"hwaccel": nvenc.settings}
