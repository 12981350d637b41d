"""One image in memory, upscaled."""

from pathlib import Path
from typing import Literal

from vidsr.options import Precision, UpscaleOptions
from vidsr.upscaling.frame_upscaler import Picture
from vidsr.upscaling.upscaler import load_upscaler


def upscale_image(
    image: Picture,
    *,
    model: str | Path | None = UpscaleOptions.model,
    scale: int | None = UpscaleOptions.scale,
    width: int | None = UpscaleOptions.width,
    height: int | None = UpscaleOptions.height,
    engine: str = UpscaleOptions.engine,
    device: str = UpscaleOptions.device,
    precision: Precision = UpscaleOptions.precision,
    tile: int | Literal["auto"] | None = UpscaleOptions.tile,
) -> Picture:
    """Upscale one image and return the same kind. For many images, call the result of `load_upscaler` instead.

    image: an array (height, width, 3) or (height, width), uint8, or float in [0, 1], whose dtype is kept; or a Pillow
    image, which comes back as L, LA, RGB or RGBA. The options are those of `load_upscaler`.
    Raises DataError for any other image, ModelError and EngineError.
    """
    with load_upscaler(
        model, scale=scale, width=width, height=height, engine=engine, device=device, precision=precision, tile=tile,
        in_flight=1,
    ) as upscaler:  # fmt: skip
        return upscaler(image)
