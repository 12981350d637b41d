"""One picture in memory, made larger."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from vidsr.engines import Precision
from vidsr.errors import DataError
from vidsr.frames import SMPTE170M, ColorSpec, Frame
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler, open_upscaler

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = TypeVar("Picture", NDArray[Any], "Image")


def upscale_image(
    image: Picture,
    *,
    scale: int | None = None,
    width: int | None = None,
    height: int | None = None,
    model: str | Path | None = None,
    tile: int | Literal["auto"] | None = None,
    engine: str = "auto",
    device: str = "auto",
    precision: Precision = "auto",
) -> Picture:
    """Enlarge one picture, and give the same kind back. For many of them, open an upscaler once and use `upscale`.

    image: an array (height, width, 3) or (height, width), uint8 or float in [0, 1], which comes back as uint8; or a
    Pillow image, which comes back as L, LA, RGB or RGBA with its alpha enlarged by Lanczos.
    The rest: see `upscale_video`. Raises DataError for any other picture, ModelError and EngineError.
    """
    options: dict[str, Any] = {
        "scale": scale, "width": width, "height": height,
        "tile": tile, "engine": engine, "device": device, "precision": precision, "in_flight": 1,
    }  # fmt: skip
    with open_upscaler(model, **options) as upscaler:
        if isinstance(image, np.ndarray):
            return _array(image, upscaler)
        return _pillow(image, upscaler)


def _array(image: NDArray[Any], upscaler: Upscaler | ResizingUpscaler) -> NDArray[Any]:
    """(h, w) or (h, w, 3) -> the same larger, uint8."""
    if image.dtype != np.uint8 and not np.issubdtype(image.dtype, np.floating):
        raise DataError(f"a picture is uint8, or float in [0, 1], not {image.dtype}; convert it first")
    if not image.size or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise DataError(f"a picture is (height, width) or (height, width, 3), not {image.shape}")
    if image.ndim == 3:
        larger: NDArray[Any] = upscaler.submit(Frame.from_rgb(image)).result().to_rgb()
    else:
        unit = image.astype(np.float32) / (255 if image.dtype == np.uint8 else 1)
        codes = np.rint(unit * 1023).clip(0, 1023).astype(np.uint16)
        gray = ColorSpec(SMPTE170M, full_range=True, subsampling=(0, 0), chroma_location="center")
        larger = upscaler.submit(Frame((codes,), gray, 10)).result().planes[0] / 1023
    rounded: NDArray[Any] = np.rint(larger * 255)
    return rounded.astype(np.uint8)


def _pillow(image: "Image", upscaler: Upscaler | ResizingUpscaler) -> "Image":
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise DataError(f"a picture is a numpy array or a Pillow image, not {type(image).__name__}")
    if image.mode.startswith(("I", "F")):
        raise DataError(f"a picture has 8 bits a channel, not mode {image.mode}; give a float array instead")
    plain = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
    larger = Image.fromarray(_array(np.asarray(plain), upscaler))
    if image.has_transparency_data:
        larger.putalpha(image.convert("RGBA").getchannel("A").resize(larger.size, Image.Resampling.LANCZOS))
    larger.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return larger
