"""vidsr from Python: a whole video in one call, an image, and frames one by one.

python samples/python_api.py [VIDEO]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import vidsr

clip = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("clip.mp4")
print(f"vidsr {vidsr.__version__}, models: {', '.join(vidsr.available_models())}")

with tempfile.TemporaryDirectory() as folder:
    # A video, as the command does it: sound, time stamps and colours are kept.
    summary = vidsr.upscale_video(clip, Path(folder) / "larger.mp4", scale=2)
    print(f"{clip.name}: {summary.frames} frames in {summary.seconds:.1f} s")

    # Frames one by one. Everything else of the input is copied.
    with (
        vidsr.load_upscaler("live-x2") as upscaler,
        vidsr.open_video(clip, duration=0.5) as video,
        vidsr.create_video(Path(folder) / "frames.mp4", like=video, scale=2) as out,
    ):
        print(f"{video.metadata.width}x{video.metadata.height}, {video.metadata.duration} s")
        for frame in video.frames():
            larger = upscaler(frame)
            out.write(larger)
            print(f"a frame at {frame.time:.3f} s: {larger.width}x{larger.height}, {larger.to_image()}")

# An image: an array in, an array out; a Pillow image in, one out.
image = np.zeros((90, 160, 3), np.uint8)
image[30:60, 40:120] = (230, 120, 40)
print(f"an image: {image.shape} -> {vidsr.upscale_image(image, scale=4).shape}")
