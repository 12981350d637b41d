"""Source, upscaler and sink, wired."""

from vidsr.pipeline.frame_io import Video, VideoWriter, create_video, open_video
from vidsr.pipeline.image import upscale_image
from vidsr.pipeline.progress import Summary
from vidsr.pipeline.stages import upscale
from vidsr.pipeline.video import run_job, upscale_video

__all__ = [
    "Summary",
    "Video",
    "VideoWriter",
    "create_video",
    "open_video",
    "run_job",
    "upscale",
    "upscale_image",
    "upscale_video",
]
