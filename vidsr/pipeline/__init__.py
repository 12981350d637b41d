"""Source, upscaler and sink wired."""

from vidsr.pipeline.image import upscale_image
from vidsr.pipeline.progress import Progress, Summary
from vidsr.pipeline.stages import upscale
from vidsr.pipeline.video import upscale_video
from vidsr.prefetch import prefetch

__all__ = ["Progress", "Summary", "prefetch", "upscale", "upscale_image", "upscale_video"]
