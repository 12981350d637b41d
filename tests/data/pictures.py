"""Photos that tests draw themselves."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw_photo(path: Path, *, height: int = 240, width: int = 320, seed: int = 0) -> Path:
    """Save a picture of coloured blocks under a gradient, with detail everywhere."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.integers(0, 200, (height // 8, width // 8, 3)), np.ones((8, 8, 1)))
    slope = np.linspace(0, 55, width)[None, :, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((blocks + slope).astype(np.uint8)).save(path)
    return path
