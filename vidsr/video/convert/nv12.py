"""Semi-planar frames (NV12, P010), as GPUs decode and encode them, in the memory of the GPU or of the host."""

import ctypes
import sys
from dataclasses import dataclass, replace
from typing import Any, cast

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.video.frame import CudaContext
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter

from vidsr.errors import EngineError
from vidsr.frames import Frame, Plane
from vidsr.video.convert.pixel_formats import planes_of
from vidsr.video.convert.resizer import set_properties
from vidsr.video.convert.side_data import side_data

BITS = {"nv12": 8, "p010le": 10}
"""The semi-planar formats that a Frame can hold."""
_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
_KEPT_SIDE_DATA = ("A53_CC", "DISPLAYMATRIX", "DYNAMIC_HDR_PLUS", "DOVI_METADATA", "STEREO3D")
"""Side data that a frame made on a GPU would lose: PyAV copies it only from frame to frame."""
_CPU = 1  # kDLCPU
_DEFAULT_STREAMS = (None, -1, 0, 1)  # in DLPack; FFmpeg's decoders work on CUDA's legacy default stream
_NO_TIMING = 2  # CU_EVENT_DISABLE_TIMING
_LEGACY = 1  # CU_STREAM_LEGACY


@dataclass(frozen=True, slots=True)
class Surface:
    """One plane in the memory of a GPU."""

    plane: VideoPlane
    """Keeps the memory alive."""
    shape: tuple[int, ...]

    def __dlpack_device__(self) -> tuple[int, int]:
        """Return the type of the device (DLPack's), and its number."""
        device: tuple[int, int] = self.plane.__dlpack_device__()
        return device

    def __dlpack__(self, *, stream: int | None = None, **_: Any) -> Any:
        """Return the memory without a copy. stream: of CUDA, made to wait for the decoder. Raises EngineError.

        PyAV itself accepts no stream, which PyTorch always gives.
        """
        if stream not in _DEFAULT_STREAMS:
            _wait_for_default(stream)
        return self.plane.__dlpack__()


def cuda_hwaccel(device: str) -> HWAccel:
    """Return how FFmpeg opens a GPU, cuda or cuda:N, so that it shares memory with libraries such as PyTorch."""
    # is_hw_owned also makes PyAV take the device's primary context, which other libraries use.
    return HWAccel("cuda", device=device.partition(":")[2] or "0", allow_software_fallback=True, is_hw_owned=True)


def lies_on_gpu(frame: Frame) -> bool:
    """Return whether the planes of a frame are in the memory of a GPU."""
    plane: Any = frame.planes[0]
    return not isinstance(plane, np.ndarray) and plane.__dlpack_device__()[0] != _CPU


def is_surface(av_frame: av.VideoFrame) -> bool:
    """Return whether a frame is in the memory of a device."""
    return av_frame.sw_format is not None


def can_stay_semiplanar(av_frame: av.VideoFrame) -> bool:
    """Return whether a semi-planar Frame loses nothing: progressive, unrotated 4:2:0 of even size without captions."""
    even = av_frame.width % 2 == 0 and av_frame.height % 2 == 0  # PyAV cuts odd chroma off
    plain = not av_frame.interlaced_frame and not any(side_data(av_frame, kind) for kind in _KEPT_SIDE_DATA)
    return _format_of(av_frame) in BITS and even and plain


def bits_of(av_frame: av.VideoFrame) -> int:
    """Return the depth of a semi-planar frame."""
    return BITS[_format_of(av_frame)]


def semiplanar_planes(av_frame: av.VideoFrame) -> tuple[Plane, ...]:
    """Return the planes of a semi-planar frame: arrays, or Surfaces in the memory of a GPU."""
    planes: Any = av_frame.planes
    if is_surface(av_frame):
        height, width = av_frame.height, av_frame.width
        shapes = (height, width), (height // 2, width // 2, 2)
        surfaces: Any = tuple(Surface(plane, shape) for plane, shape in zip(planes, shapes, strict=True))
    else:
        surfaces = tuple(np.from_dlpack(plane) for plane in planes)
    return cast(tuple[Plane, ...], surfaces)


def download(av_frame: av.VideoFrame) -> av.VideoFrame:
    """Return a planar copy in host memory of a frame in the memory of a device; any other frame itself."""
    return _to_planar(av_frame) if is_surface(av_frame) else av_frame


def planar(frame: Frame) -> Frame:
    """Return a semi-planar frame as Y, U and V in host memory; any other frame itself."""
    if not frame.semiplanar:
        return frame
    decoded = _holds(frame.av_frame, frame.planes[0])
    av_frame = _to_planar(nv12_av_frame(frame))
    # The chroma location of what was made from arrays is unknown to FFmpeg.
    return replace(frame, planes=planes_of(av_frame), av_frame=av_frame if decoded else None)


def nv12_av_frame(frame: Frame, context: CudaContext | None = None) -> av.VideoFrame:
    """Return a semi-planar frame as av.VideoFrame, without a copy.

    On a GPU, UV must follow Y in memory with the same stride: NVENC takes the address of Y only. context: of the GPU,
    shared by all frames.
    """
    av_frame: av.VideoFrame = frame.av_frame
    if not _holds(av_frame, frame.planes[0]):
        name = next(name for name, bits in BITS.items() if bits == frame.bits)
        av_frame = av.VideoFrame.from_dlpack(frame.planes, format=name, cuda_context=context)
    set_properties(av_frame, frame)
    return av_frame


def _holds(av_frame: av.VideoFrame | None, plane: Any) -> bool:
    # Whether a frame's first plane is this one.
    if not isinstance(av_frame, av.VideoFrame) or _format_of(av_frame) not in BITS:
        return False
    if isinstance(plane, Surface):
        return True  # only decoded frames have them
    same = semiplanar_planes(av_frame)[0]
    return isinstance(plane, np.ndarray) and isinstance(same, np.ndarray) and plane.ctypes.data == same.ctypes.data


def _to_planar(av_frame: av.VideoFrame) -> av.VideoFrame:
    name, color_range = _format_of(av_frame), av_frame.color_range
    copy = VideoReformatter().reformat(
        av_frame, format=_PLANAR.get(name, name), interpolation="POINT", src_color_range=1, dst_color_range=1
    )
    copy.colorspace, copy.color_range = av_frame.colorspace, color_range
    return copy


def _format_of(av_frame: av.VideoFrame) -> str:
    return (av_frame.sw_format or av_frame.format).name


def _wait_for_default(stream: int | None) -> None:
    # Let a CUDA stream wait for the work on the default stream.
    cuda: Any = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    event, handle = ctypes.c_void_p(), ctypes.c_void_p(stream)
    failed = (
        cuda.cuEventCreate(ctypes.byref(event), _NO_TIMING)
        or cuda.cuEventRecord(event, ctypes.c_void_p(_LEGACY))
        or cuda.cuStreamWaitEvent(handle, event, 0)
        or cuda.cuEventDestroy_v2(event)
    )
    if failed:
        raise EngineError(f"waiting for the decoder of the GPU failed (CUDA error {failed}); try --hwaccel none")
