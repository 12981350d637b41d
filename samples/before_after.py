"""Make the picture of the README: a crop of the sample clip, enlarged by bicubic and by a network.

python samples/before_after.py [MODEL] [PICTURE]
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import vidsr

FRAME = 100
LEFT, TOP, WIDTH, HEIGHT = 348, 110, 116, 110  # of the small picture: a name, contour lines and the rose
GAP, LABEL = 8, 34


def enlarged(frame: vidsr.Frame, model: str | Path) -> tuple[Image.Image, int]:
    """The crop as a model enlarges it four times, or as often as it does, and that factor."""
    with vidsr.load_upscaler(model, scale=4) as upscaler:
        larger = upscaler(frame)
    picture = larger.to_image()
    scale = larger.width // frame.width
    return picture.crop(tuple(scale * side for side in (LEFT, TOP, LEFT + WIDTH, TOP + HEIGHT))), scale


def side_by_side(pictures: list[tuple[str, Image.Image]]) -> Image.Image:
    """Pictures in a row, each with its name below."""
    width, height = pictures[0][1].size
    sheet = Image.new("RGB", (len(pictures) * (width + GAP) - GAP, height + LABEL), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(22)
    for i, (name, picture) in enumerate(pictures):
        sheet.paste(picture, (i * (width + GAP), 0))
        pen.text((i * (width + GAP) + width / 2, height + LABEL / 2), name, (43, 48, 66), font, anchor="mm")
    return sheet


def main(model: str, target: Path) -> None:
    """Write the picture."""
    with vidsr.open_video(Path(__file__).with_name("clip.mp4")) as video:
        frame = next(frame for i, frame in enumerate(video.frames()) if i == FRAME)
        before, scale = enlarged(frame, "bicubic")
        after, _ = enlarged(frame, model)
    name = Path(model).stem
    sheet = side_by_side([(f"bicubic, {scale} times", before), (f"vidsr {name}, {scale} times", after)])
    sheet.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        target, optimize=True
    )  # a third of the bytes


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        words[0] if words else "live-x4",
        Path(words[1]) if len(words) > 1 else Path(__file__).with_name("before-after.png"),
    )
