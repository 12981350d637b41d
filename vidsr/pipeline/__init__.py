"""Source, upscaler and sink wired."""

from vidsr.pipeline.film import upscale_video
from vidsr.pipeline.picture import upscale_image
from vidsr.pipeline.record import Progress, Summary
from vidsr.pipeline.stages import upscale
from vidsr.prefetch import prefetch

__all__ = ["Progress", "Summary", "prefetch", "upscale", "upscale_image", "upscale_video"]
