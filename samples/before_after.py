"""Make the image of the README: a crop of the sample clip, upscaled by bicubic and by a network.

python samples/before_after.py [MODEL] [IMAGE]
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import vidsr

FRAME = 100
LEFT, TOP, WIDTH, HEIGHT = 348, 110, 116, 110  # of the small frame: a name, contour lines and the rose
GAP, LABEL = 8, 34


def upscaled_crop(frame: vidsr.Frame, model: str | Path) -> tuple[Image.Image, int]:
    """Return the crop upscaled by a model, four times or by the model's own scale, and that factor."""
    with vidsr.load_upscaler(model, scale=4) as upscaler:
        larger = upscaler(frame)
    image = larger.to_image()
    scale = larger.width // frame.width
    return image.crop(tuple(scale * side for side in (LEFT, TOP, LEFT + WIDTH, TOP + HEIGHT))), scale


def side_by_side(images: list[tuple[str, Image.Image]]) -> Image.Image:
    """Return images in a row, each with its name below."""
    width, height = images[0][1].size
    sheet = Image.new("RGB", (len(images) * (width + GAP) - GAP, height + LABEL), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(22)
    for i, (name, image) in enumerate(images):
        sheet.paste(image, (i * (width + GAP), 0))
        pen.text((i * (width + GAP) + width / 2, height + LABEL / 2), name, (43, 48, 66), font, anchor="mm")
    return sheet


def main(model: str, target: Path) -> None:
    """Write the image."""
    with vidsr.open_video(Path(__file__).with_name("clip.mp4")) as video:
        frame = next(frame for i, frame in enumerate(video.frames()) if i == FRAME)
        before, scale = upscaled_crop(frame, "bicubic")
        after, _ = upscaled_crop(frame, model)
    name = Path(model).stem
    sheet = side_by_side([(f"bicubic, {scale} times", before), (f"vidsr {name}, {scale} times", after)])
    # 256 colours take a third of the bytes.
    sheet.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    words = sys.argv[1:]
    main(
        words[0] if words else "live-x4",
        Path(words[1]) if len(words) > 1 else Path(__file__).with_name("before-after.png"),
    )
