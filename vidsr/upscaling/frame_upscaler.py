"""What every upscaler is: callable with a frame, an array or a Pillow image, of which it returns the same kind."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidsr.card import ModelCard
from vidsr.color import SMPTE170M, ColorSpec
from vidsr.engines import Setup
from vidsr.errors import DataError
from vidsr.frames import Frame
from vidsr.upscaling.output_size import OutputSize, Plan

if TYPE_CHECKING:
    from PIL.Image import Image

    from vidsr.upscaling.compute.compute_plan import Shares
    from vidsr.upscaling.model_choice import Choice

Picture = TypeVar("Picture", Frame, NDArray[Any], "Image")


class PendingFrame(Protocol):
    """A frame being upscaled."""

    def result(self) -> Frame:
        """Wait for the upscaled frame. Call it once."""


class FrameUpscaler(ABC):
    """Upscales frames, one thread at a time; use as a context manager, or call `close`.

    Call it with one image or frame, or keep several frames under way with `submit`.
    """

    card: ModelCard | None = None
    """Card of the network opened last; None for a resize, and until a size is known where the size decides."""
    choice: "Choice | None" = None
    """Which network was taken to keep up, and why; None if nothing was chosen so."""
    in_flight: int
    """Frames that may be under way at once."""
    wanted: OutputSize
    """The size that was asked for; it may be replaced before the first frame."""

    @abstractmethod
    def plan(self, width: int, height: int, subsampling: tuple[int, int] = (1, 1)) -> Plan:
        """Return what becomes of frames of this size; subsampling as in ColorSpec, (0, 0) for gray."""

    @abstractmethod
    def submit(self, frame: Frame) -> PendingFrame:
        """Start on one frame and return at once; the result keeps its time, colour and side data.

        Raises EngineBusy if `in_flight` frames are under way already.
        """

    @property
    def files(self) -> list[Path]:
        """The networks opened so far; those that `plan` was asked about, at least."""
        return []

    @property
    def setup(self) -> Setup:
        """What computes, where and how exactly."""
        return Setup("swscale", "cpu", "f32")

    @property
    def shares(self) -> "Shares | None":
        """What became of the tiles of all frames so far; None if there were no tiles."""
        return None

    def output_size(self, width: int, height: int, subsampling: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """Return the (width, height) that frames of this size get."""
        plan = self.plan(width, height, subsampling)
        return plan.width, plan.height

    def keep_up(self, rate: float, bits: int) -> None:  # noqa: B027 - a named model or a resize is what it is
        """Without a named model, take the best network that makes `rate` frames a second of `bits` bits here.

        Call it before the first `plan`. Each network is measured once for each size, and the time cached.
        """

    def close(self) -> None:  # noqa: B027 - a resize holds nothing
        """Release engines and their memory; may be called again."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, image: Picture) -> Picture:
        """Upscale one image or frame and return the same kind.

        image: a Frame; an array (height, width) or (height, width, 3), uint8, or float in [0, 1], whose dtype is kept;
        or a Pillow image, which comes back as L, LA, RGB or RGBA, its alpha resized by Lanczos.
        Raises DataError for anything else.
        """
        if isinstance(image, Frame):
            return self.submit(image).result()  # type: ignore[return-value]
        if isinstance(image, np.ndarray):
            return self._array(image)
        return self._pillow(image)

    def _array(self, image: NDArray[Any]) -> NDArray[Any]:
        """(h, w) or (h, w, 3) -> the same shape, larger, and the same dtype."""
        if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
            raise DataError(f"expected an array of uint8, or of float in [0, 1]; got {image.dtype}")
        if not image.size or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
            raise DataError(f"expected an array (height, width) or (height, width, 3); got {image.shape}")
        larger = self.submit(_gray(image) if image.ndim == 2 else Frame.from_rgb(image)).result()
        unit: NDArray[Any] = larger.planes[0] / np.float32(1023) if image.ndim == 2 else larger.to_rgb()
        return unit.astype(image.dtype) if image.dtype != np.uint8 else np.rint(unit * 255).astype(np.uint8)

    def _pillow(self, image: "Image") -> "Image":
        from PIL import Image

        if not isinstance(image, Image.Image):
            raise DataError(f"expected a Frame, a numpy array or a Pillow image; got {type(image).__name__}")
        if image.mode.startswith(("I", "F")):
            raise DataError(f"expected 8 bits a channel; got mode {image.mode}: pass a float array instead")
        plain = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
        larger = Image.fromarray(self._array(np.asarray(plain)))
        if image.has_transparency_data:
            larger.putalpha(image.convert("RGBA").getchannel("A").resize(larger.size, Image.Resampling.LANCZOS))
        larger.info = {key: value for key, value in image.info.items() if key != "transparency"}
        return larger


def _gray(image: NDArray[Any]) -> Frame:
    """(h, w), uint8 or float -> a full-range gray frame of 10 bits."""
    unit = image.astype(np.float32) / (255 if image.dtype == np.uint8 else 1)
    codes = np.rint(unit * 1023).clip(0, 1023).astype(np.uint16)
    return Frame((codes,), ColorSpec(SMPTE170M, full_range=True, subsampling=(0, 0), chroma_location="center"), 10)
