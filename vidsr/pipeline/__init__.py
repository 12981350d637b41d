"""Source, upscaler and sink wired."""

from vidsr.context import Progress
from vidsr.pipeline.image import upscale_image
from vidsr.pipeline.progress import Summary
from vidsr.pipeline.stages import upscale
from vidsr.pipeline.video import run_job, upscale_video
from vidsr.prefetch import prefetch

__all__ = ["Progress", "Summary", "prefetch", "run_job", "upscale", "upscale_image", "upscale_video"]
