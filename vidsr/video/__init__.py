"""Everything that uses FFmpeg: `open_source` reads, `open_sink` writes; they are imported when first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidsr.video.read.source import open_source as open_source
    from vidsr.video.write.sink import open_sink as open_sink

_HOMES = {"open_source": "vidsr.video.read.source", "open_sink": "vidsr.video.write.sink"}
__all__ = ["open_sink", "open_source"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
