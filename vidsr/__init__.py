"""vidsr: send less, see more. Video super-resolution for files, pipes and live streams.

    vidsr.upscale_video("small.mp4", "large.mp4", height=1080)
    larger = vidsr.upscale_image(picture, scale=2)  # a numpy array or a PIL image, the same kind back

Names are imported when first asked for: `import vidsr` loads no runtime, no PyAV and no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidsr import errors as errors
    from vidsr.card import ModelCard as ModelCard
    from vidsr.color import ColorSpec as ColorSpec
    from vidsr.frames import Carried as Carried
    from vidsr.frames import Frame as Frame
    from vidsr.frames import VideoInfo as VideoInfo
    from vidsr.pipeline import Progress as Progress
    from vidsr.pipeline import Summary as Summary
    from vidsr.pipeline import upscale as upscale
    from vidsr.pipeline import upscale_image as upscale_image
    from vidsr.pipeline import upscale_video as upscale_video
    from vidsr.upscaling.upscaler import load_upscaler as load_upscaler
    from vidsr.verify import Verification as Verification
    from vidsr.verify import verify_video as verify_video
    from vidsr.video.read.source import open_source as open_source
    from vidsr.video.write.sink import open_sink as open_sink

_HOMES = {
    "Carried": "vidsr.frames",
    "ColorSpec": "vidsr.frames",
    "Frame": "vidsr.frames",
    "ModelCard": "vidsr.card",
    "Progress": "vidsr.pipeline",
    "Summary": "vidsr.pipeline",
    "Verification": "vidsr.verify",
    "VideoInfo": "vidsr.frames",
    "errors": "vidsr.errors",
    "open_sink": "vidsr.video.write.sink",
    "open_source": "vidsr.video.read.source",
    "load_upscaler": "vidsr.upscaling.upscaler",
    "upscale": "vidsr.pipeline",
    "upscale_image": "vidsr.pipeline",
    "upscale_video": "vidsr.pipeline",
    "verify_video": "vidsr.verify",
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vidsr' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    value = globals()[name] = home if _HOMES[name] == f"vidsr.{name}" else getattr(home, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
