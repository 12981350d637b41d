"""bicubic, lanczos and nearest as models: swscale in the place of a network."""

from dataclasses import dataclass

from vidsr.frames import Frame
from vidsr.upscaling.frame_upscaler import FrameUpscaler
from vidsr.upscaling.output_size import OutputSize, Plan, subsampling_of
from vidsr.video.convert.nv12 import planar
from vidsr.video.convert.resizer import Kernel, Resizer


@dataclass(frozen=True, slots=True)
class Done:
    """A frame that was ready at once."""

    frame: Frame

    def result(self) -> Frame:
        """Return the frame."""
        return self.frame


class ResizingUpscaler(FrameUpscaler):
    """Resizes frames by a kernel of swscale, without a network."""

    def __init__(self, kernel: Kernel, wanted: OutputSize, *, in_flight: int = 2, threads: int = 0) -> None:
        self.in_flight = in_flight
        self.wanted = wanted
        self._resizer = Resizer(kernel, threads=threads)

    def plan(self, width: int, height: int, subsampling: tuple[int, int] = (1, 1)) -> Plan:
        """Return what becomes of frames of this size."""
        return Plan(*self.wanted.size(width, height, default=2, subsampling=subsampling), None)

    def submit(self, frame: Frame) -> Done:
        """Resize a frame; it is ready at once."""
        frame = planar(frame)
        return Done(self._resizer.resize(frame, *self.output_size(frame.width, frame.height, subsampling_of(frame))))
