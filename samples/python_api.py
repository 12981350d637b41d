"""vidsr from Python: a whole film in one call, one picture, and frames one by one.

python samples/python_api.py [FILM]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import vidsr

video = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("clip.mp4")

# A film, as the command does it: sound, time stamps and colours are kept.
with tempfile.TemporaryDirectory() as folder:
    summary = vidsr.upscale_video(video, Path(folder) / "larger.mp4", scale=2)
    print(f"{video.name}: {summary.frames} frames in {summary.seconds:.1f} s")

# A picture: an array in, an array out; a Pillow picture in, one out.
picture = np.zeros((90, 160, 3), np.uint8)
picture[30:60, 40:120] = (230, 120, 40)
print(f"a picture: {picture.shape} -> {vidsr.upscale_image(picture, scale=4).shape}")

# Frames one by one: planes as decoded, with their own time.
with vidsr.open_source(video) as source, vidsr.load_upscaler(scale=3) as upscaler:
    for item in vidsr.upscale(source, upscaler):
        if isinstance(item, vidsr.Frame):
            print(f"a frame: {item.width}x{item.height} at {float(item.pts * item.time_base):.3f} s")
            break
