"""Pictures as GPUs hold them: NV12 or P010, in a GPU's memory or in ours."""

import ctypes
import sys
from dataclasses import dataclass, replace
from typing import Any, cast

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.video.frame import CudaContext
from av.video.reformatter import VideoReformatter

from vidsr.errors import EngineError
from vidsr.frames import Frame, Plane
from vidsr.video.convert.pixel_formats import planes_of
from vidsr.video.convert.resizer import tell
from vidsr.video.convert.side_data import side_data

BITS = {"nv12": 8, "p010le": 10}
"""The semi-planar formats that a Frame can hold."""
_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le"}
_HANDED_ON = ("A53_CC", "DISPLAYMATRIX", "DYNAMIC_HDR_PLUS", "DOVI_METADATA")
"""Side data that a picture made on a GPU could not be given: PyAV copies it from picture to picture only."""
_CPU = 1  # of DLPack's kinds of device
_DEFAULT_STREAMS = (None, -1, 0, 1)  # of DLPack's; the work of FFmpeg's decoders is on CUDA's legacy default stream
_NO_TIMING = 2  # CU_EVENT_DISABLE_TIMING
_LEGACY = 1  # CU_STREAM_LEGACY


@dataclass(frozen=True, slots=True)
class Surface:
    """One plane in a GPU's memory."""

    plane: Any
    """PyAV's, which keeps the memory alive."""
    shape: tuple[int, ...]

    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack's kind of device, and its number."""
        device: tuple[int, int] = self.plane.__dlpack_device__()
        return device

    def __dlpack__(self, *, stream: int | None = None, **_: Any) -> Any:
        """The memory, without a copy. `stream`, CUDA's, waits for the decoder. Raises EngineError where it cannot.

        PyAV itself takes no stream, which PyTorch always gives.
        """
        if stream not in _DEFAULT_STREAMS:
            _wait_for_default(stream)
        return self.plane.__dlpack__()


def cuda_hwaccel(device: str) -> HWAccel:
    """Return how FFmpeg opens a GPU, cuda or cuda:N, so that it shares memory with libraries such as PyTorch."""
    # is_hw_owned also makes PyAV take the device's primary context, which other libraries use.
    return HWAccel("cuda", device=device.partition(":")[2] or "0", allow_software_fallback=True, is_hw_owned=True)


def lies_on_gpu(frame: Frame) -> bool:
    """Whether a frame's planes lie in a GPU's memory."""
    plane: Any = frame.planes[0]
    return not isinstance(plane, np.ndarray) and plane.__dlpack_device__()[0] != _CPU


def is_surface(picture: av.VideoFrame) -> bool:
    """Whether a picture lies in a device's memory."""
    return picture.sw_format is not None


def stays(picture: av.VideoFrame) -> bool:
    """Whether all of a picture can go its way as a semi-planar Frame: progressive, upright 4:2:0 without captions."""
    whole = picture.width % 2 == 0 and picture.height % 2 == 0  # PyAV cuts odd chroma off
    plain = not picture.interlaced_frame and not any(side_data(picture, kind) for kind in _HANDED_ON)
    return _layout_of(picture) in BITS and whole and plain


def bits_of(picture: av.VideoFrame) -> int:
    """The depth of a picture that `stays`."""
    return BITS[_layout_of(picture)]


def surfaces_of(picture: av.VideoFrame) -> tuple[Plane, ...]:
    """The planes of a picture that `stays`: numpy's in our memory, else Surfaces."""
    planes: Any = picture.planes
    if is_surface(picture):
        height, width = picture.height, picture.width
        shapes = (height, width), (height // 2, width // 2, 2)
        surfaces: Any = tuple(Surface(plane, shape) for plane, shape in zip(planes, shapes, strict=True))
    else:
        surfaces = tuple(np.from_dlpack(plane) for plane in planes)
    return cast(tuple[Plane, ...], surfaces)


def in_memory(picture: av.VideoFrame) -> av.VideoFrame:
    """The picture itself, or one in our memory, planar and with its side data, of one that lies in a device's."""
    return _planar_picture(picture) if is_surface(picture) else picture


def planar(frame: Frame) -> Frame:
    """The frame itself, or one with Y, U and V in our memory of one that is semi-planar; no sample changes."""
    if not frame.semiplanar:
        return frame
    decoded = _holds(frame.av_frame, frame.planes[0])
    picture = _planar_picture(nv12_av_frame(frame))
    # Of what was made of arrays nobody knows where its chroma sits: it is no carrier.
    return replace(frame, planes=planes_of(picture), av_frame=picture if decoded else None)


def nv12_av_frame(frame: Frame, context: CudaContext | None = None) -> av.VideoFrame:
    """A semi-planar frame as FFmpeg's picture, without a copy: its carrier where it was decoded.

    On a GPU, UV must follow Y in memory at the same distance between lines, for NVENC is told of the first only.
    context: of the GPU, to make one for all frames.
    """
    picture: av.VideoFrame = frame.av_frame
    if not _holds(picture, frame.planes[0]):
        layout = next(name for name, bits in BITS.items() if bits == frame.bits)
        picture = av.VideoFrame.from_dlpack(frame.planes, format=layout, cuda_context=context)
    tell(picture, frame)
    return picture


def _holds(picture: Any, plane: Any) -> bool:
    """Whether a picture is the very one whose first plane this is."""
    if not isinstance(picture, av.VideoFrame) or _layout_of(picture) not in BITS:
        return False
    if isinstance(plane, Surface):
        return True  # which only decoded pictures have
    same = surfaces_of(picture)[0]
    return isinstance(plane, np.ndarray) and isinstance(same, np.ndarray) and plane.ctypes.data == same.ctypes.data


def _planar_picture(picture: av.VideoFrame) -> av.VideoFrame:
    """The same samples in our memory, U and V apart."""
    layout = _layout_of(picture)
    scaler, span = VideoReformatter(), picture.color_range
    copy = scaler.reformat(
        picture, format=_PLANAR.get(layout, layout), interpolation="POINT", src_color_range=1, dst_color_range=1
    )
    copy.colorspace, copy.color_range = picture.colorspace, span
    return copy


def _layout_of(picture: av.VideoFrame) -> str:
    return str((picture.sw_format or picture.format).name)


def _wait_for_default(stream: int | None) -> None:
    """Let a CUDA stream wait for what is under way on the default one."""
    cuda: Any = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    event, handle = ctypes.c_void_p(), ctypes.c_void_p(stream)
    failed = (
        cuda.cuEventCreate(ctypes.byref(event), _NO_TIMING)
        or cuda.cuEventRecord(event, ctypes.c_void_p(_LEGACY))
        or cuda.cuStreamWaitEvent(handle, event, 0)
        or cuda.cuEventDestroy_v2(event)
    )
    if failed:
        raise EngineError(f"the GPU's decoder cannot be waited for (CUDA's error {failed}); try --hwaccel none")
