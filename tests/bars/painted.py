"""What a network that paints detail must not do: shift colours, or print its grid. Pictures shrunk by bicubic.

Bars: mean difference of every channel below 1/255, a level, on every picture; a grid no stronger than bicubic's.
"""

import sys
from pathlib import Path

import numpy as np
from common import parser, table
from numpy.typing import NDArray
from PIL import Image

import vidsr
from vidsr.resize import resize

SCALE = 4


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("models", nargs="+", help="names or files, of scale 4")
    given = options.parse_args()
    if given.data is None:
        sys.exit("give --data (or VIDSR_DATA)")
    truths = [truth_of(path) for path in sorted((Path(given.data) / "val/Set14").glob("*.png"))]
    rows = [["truth", "", "", f"{grid(truths):.3f}"]]
    for model in ["bicubic", *given.models]:
        ours = [enlarged(truth, model) for truth in truths]
        shifts = [np.abs((its.astype(float) - truth).mean((0, 1))) for its, truth in zip(ours, truths, strict=True)]
        rows.append([model, f"{np.mean(shifts):.3f}", f"{np.max(shifts):.3f}", f"{grid(ours):.3f}"])
    table(["Set14 x4", "colour shift, levels", "worst", "grid"], rows)


def truth_of(path: Path) -> NDArray[np.uint8]:
    """An RGB picture whose sides are multiples of the scale."""
    rgb = np.asarray(Image.open(path).convert("RGB"))
    return rgb[: rgb.shape[0] // SCALE * SCALE, : rgb.shape[1] // SCALE * SCALE]


def enlarged(truth: NDArray[np.uint8], model: str) -> NDArray[np.uint8]:
    """What a model makes of the picture once it was made small; bicubic is the protocol's."""
    height, width = truth.shape[:2]
    small = resize(truth, height // SCALE, width // SCALE)
    return resize(small, height, width) if model == "bicubic" else vidsr.upscale_image(small, model=model)


def grid(pictures: list[NDArray[np.uint8]]) -> float:
    """How much the steps between pixels depend on where in the upsampling grid they lie: 0 not at all.

    The mean step of luma between neighbours is taken at each of the `SCALE` places in a row, and in a column; their
    standard deviation over their mean.
    """
    spreads = []
    for picture in pictures:
        luma = picture.astype(float) @ [0.299, 0.587, 0.114]
        for axis in (0, 1):
            steps = np.abs(np.diff(luma, axis=axis)).mean(1 - axis)
            places = [steps[place::SCALE].mean() for place in range(SCALE)]
            spreads.append(np.std(places) / np.mean(places))
    return float(np.mean(spreads))


if __name__ == "__main__":
    main()
