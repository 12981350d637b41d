"""vidsr: send less, see more. Video super-resolution for files, pipes and live streams.

    vidsr.upscale_video("small.mp4", "large.mp4", height=1080)
    upscaler = vidsr.load_upscaler("live-x2")
    larger = upscaler(picture)  # a frame, a numpy array or a Pillow image; the same kind back

    with vidsr.open_video("in.mp4") as video, vidsr.create_video("out.mp4", like=video, scale=2) as out:
        for frame in video.frames():
            out.write(upscaler(frame))

Names are imported when first asked for: `import vidsr` loads no runtime, no PyAV and no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidsr import errors as errors
    from vidsr.card import ModelCard as ModelCard
    from vidsr.color import ColorSpec as ColorSpec
    from vidsr.context import Notice as Notice
    from vidsr.context import Progress as Progress
    from vidsr.frames import Frame as Frame
    from vidsr.options import EncodeOptions as EncodeOptions
    from vidsr.options import ReadOptions as ReadOptions
    from vidsr.options import UpscaleOptions as UpscaleOptions
    from vidsr.pipeline import Summary as Summary
    from vidsr.pipeline import create_video as create_video
    from vidsr.pipeline import open_video as open_video
    from vidsr.pipeline import upscale_image as upscale_image
    from vidsr.pipeline import upscale_video as upscale_video
    from vidsr.upscaling.upscaler import load_upscaler as load_upscaler
    from vidsr.verify import Verification as Verification
    from vidsr.verify import verify_video as verify_video
    from vidsr.zoo import available_models as available_models

_HOMES = {
    "ColorSpec": "vidsr.color",
    "EncodeOptions": "vidsr.options",
    "Frame": "vidsr.frames",
    "ModelCard": "vidsr.card",
    "Notice": "vidsr.context",
    "Progress": "vidsr.context",
    "ReadOptions": "vidsr.options",
    "Summary": "vidsr.pipeline",
    "UpscaleOptions": "vidsr.options",
    "Verification": "vidsr.verify",
    "available_models": "vidsr.zoo",
    "create_video": "vidsr.pipeline",
    "errors": "vidsr.errors",
    "load_upscaler": "vidsr.upscaling.upscaler",
    "open_video": "vidsr.pipeline",
    "upscale_image": "vidsr.pipeline",
    "upscale_video": "vidsr.pipeline",
    "verify_video": "vidsr.verify",
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("vidsr")
    if name not in _HOMES:
        raise AttributeError(f"module 'vidsr' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    value = globals()[name] = home if _HOMES[name] == f"vidsr.{name}" else getattr(home, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "__version__"})
