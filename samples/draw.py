"""Draw the sample clip: six seconds of flight over a map, with a melody.

    python samples/draw.py [clip.mp4] [--large]

Everything is drawn at 1920x1080 and downscaled to 480x270, so that there is detail for a network to restore; --large
keeps the full size, to measure with: vidsr evaluate --bandwidth drawn.mp4 --model live-x2
"""

import argparse
import math
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, SHRINK = 480, 270, 4
RATE, SECONDS = 24, 6
PAN = 5  # pixels of the large image per frame: 1.25 of the small one, so that every sub-pixel phase occurs
SOUND_RATE = 44100

INK, PAPER, ROAD, WATER = (43, 48, 66), (244, 236, 216), (190, 62, 44), (170, 203, 214)
TINTS = [WATER, (206, 222, 190), (224, 228, 190), (238, 226, 186), (232, 206, 164), (222, 184, 142), (238, 232, 226)]
PLACES = ["Ostermoor", "Lindenfurt", "Vale of Quill", "St. Brannoc", "Hexham Rise", "Kaltwasser", "Port Ember",
          "Milldale", "Nordheide", "Three Oaks", "Brackwater", "Alder Cross"]  # fmt: skip
NOTES = [76, 71, 72, 74, 72, 71, 69, 69, 72, 76, 74, 72, 71, 71, 72, 74, 76, 72, 69, 69]  # MIDI
BEATS = [2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 2, 2, 2, 2, 2]


def draw_frame(index: int) -> Image.Image:
    """Draw frame `index`, 1920x1080 RGB."""
    image = draw_map().crop((PAN * index, 0, PAN * index + WIDTH * SHRINK, HEIGHT * SHRINK))
    draw_compass(image, angle=math.radians(1.5 * index))
    draw_legend(image, index)
    return image


def shrink(image: Image.Image) -> Image.Image:
    """Downscale a drawn frame to the size of the clip."""
    return image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


@cache
def draw_map() -> Image.Image:
    """Draw the whole map: tinted heights, contour lines, a grid, woods, a road and names."""
    rng = np.random.default_rng(7)
    width, height = WIDTH * SHRINK + PAN * RATE * SECONDS, HEIGHT * SHRINK
    heights = draw_heights(width, height, rng)
    level = np.clip((heights * 1.4 + 2.6).astype(int), 0, len(TINTS) - 1)
    colours = np.array(TINTS, np.float64)[level]
    colours = np.where(contour_lines(heights, 7, 1.6)[..., None], colours * 0.62, colours)
    colours = np.where(contour_lines(heights, 1.4, 2.6)[..., None], INK, colours)
    image = Image.fromarray(colours.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for x in range(0, width, 240):
        pen.line([(x, 0), (x, height)], fill=(120, 128, 150), width=2)
    for y in range(0, height, 240):
        pen.line([(0, y), (width, y)], fill=(120, 128, 150), width=2)
    draw_woods(pen, level, rng)
    road = [(x, height * (0.55 + 0.22 * math.sin(x / 310) + 0.08 * math.sin(x / 97))) for x in range(0, width, 6)]
    pen.line(road, fill=PAPER, width=13, joint="curve")
    pen.line(road, fill=ROAD, width=7, joint="curve")
    draw_names(pen, width, height)
    return image


def draw_heights(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Return heights as a sum of waves, (height, width) float32 with standard deviation 1."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    hills = np.zeros((height, width), np.float32)
    for _ in range(24):
        length, turn, phase = rng.uniform(180, 900), rng.uniform(0, math.tau), rng.uniform(0, math.tau)
        hills += length / 500 * np.cos(math.tau / length * (x * math.cos(turn) + y * math.sin(turn)) + phase)
    return (hills - hills.mean()) / hills.std()


def contour_lines(heights: np.ndarray, density: float, width: float) -> np.ndarray:
    """Return a mask of contour lines, `width` pixels wide, `density` of them per unit of height."""
    steps = heights * density
    slope = np.hypot(*np.gradient(steps)) + 1e-6
    return np.abs(steps - np.rint(steps)) / slope < width / 2


def draw_woods(pen: ImageDraw.ImageDraw, level: np.ndarray, rng: np.random.Generator) -> None:
    """Draw a fine texture of small trees where the land is low."""
    height, width = level.shape
    for _ in range(5200):
        x, y = int(rng.integers(width)), int(rng.integers(14, height))
        if level[y, x] in (1, 2):
            pen.polygon([(x - 7, y), (x + 7, y), (x, y - 16)], outline=(60, 110, 70), fill=(150, 190, 140), width=2)
            pen.line([(x, y), (x, y + 5)], fill=(60, 110, 70), width=2)


def draw_names(pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
    """Draw names of places in three sizes, each with the ring that marks it."""
    for i, name in enumerate(PLACES):
        x, y = (i + 0.4) * width / len(PLACES), height * (0.1 + 0.27 * (i * 5 % 7) / 2.2)
        pen.ellipse([x - 26, y + 10, x - 8, y + 28], outline=INK, fill=PAPER, width=3)
        font = ImageFont.load_default(34 + 12 * (i % 3))
        pen.text((x, y), name, INK, font, stroke_width=3, stroke_fill=PAPER)


def draw_compass(image: Image.Image, *, angle: float) -> None:
    """Draw a rotating compass rose of 64 rays with thin rings, bottom right."""
    pen = ImageDraw.Draw(image)
    x, y, radius = 1630, 790, 215
    pen.ellipse([x - radius - 14, y - radius - 14, x + radius + 14, y + radius + 14], fill=PAPER, outline=INK, width=4)
    for i in range(64):
        start, end = (angle + math.tau * (i + half) / 64 for half in (0, 0.5))
        tips = [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in (start, end)]
        pen.polygon([(x, y), *tips], fill=ROAD if i % 16 == 0 else INK)
    for ring in range(30, radius, 30):
        pen.ellipse([x - ring, y - ring, x + ring, y + ring], outline=PAPER, width=4)
    for i in range(4):
        a = angle + math.tau * i / 4
        pen.line([(x, y), (x + radius * math.cos(a), y + radius * math.sin(a))], fill=ROAD, width=5)


def draw_legend(image: Image.Image, index: int) -> None:
    """Draw a legend with the title, small print, a scale bar and the frame number, bottom left."""
    pen = ImageDraw.Draw(image)
    pen.rectangle([48, 800, 900, 1030], fill=PAPER, outline=INK, width=4)
    pen.text((76, 812), "Send less, see more", INK, ImageFont.load_default(72))
    small = ImageFont.load_default(36)
    pen.text((76, 902), "Sheet 21: hills, woods, water at 1:25 000", INK, small)
    pen.text((76, 972), f"frame {index:03d}", ROAD, small)
    for i in range(20):
        pen.rectangle([300 + 28 * i, 984, 328 + 28 * i, 1004], fill=INK if i % 2 else PAPER, outline=INK, width=2)


def play_tune() -> np.ndarray:
    """Return a plucked melody as long as the clip, (1, samples) float32 in [-1, 1]."""
    samples = np.zeros(SOUND_RATE * SECONDS, np.float32)
    beat = len(samples) / sum(BEATS)
    starts = np.cumsum([0, *BEATS[:-1]]) * beat
    for note, start in zip(NOTES, starts.astype(int), strict=True):
        t = np.arange(len(samples) - start) / SOUND_RATE
        pitch = 440 * 2 ** ((note - 69) / 12)
        samples[start:] += sum(np.sin(math.tau * pitch * k * t) * np.exp(-t * (3 + 2 * k)) / k for k in range(1, 6))
    return (0.7 * samples / np.abs(samples).max())[None].astype(np.float32)


def write_clip(path: Path, *, large: bool = False, frames: int = RATE * SECONDS) -> None:
    """Draw the frames and write the clip as H.264 and AAC; large: 1920x1080 at a high bitrate."""
    with av.open(str(path), "w") as container:
        options = {"crf": "8", "preset": "fast"} if large else {"crf": "17", "preset": "veryslow"}
        video = container.add_stream("libx264", rate=RATE, options=options)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if large:
            video.width, video.height = WIDTH * SHRINK, HEIGHT * SHRINK
        colour, matrix = video.codec_context, 1 if large else 6  # BT.709 from 720 lines up, else BT.601
        colour.colorspace, colour.color_primaries, colour.color_trc, colour.color_range = matrix, matrix, matrix, 1
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        sound.bit_rate = 80_000
        for index in range(frames):
            drawn = draw_frame(index)
            av_frame = av.VideoFrame.from_image(drawn if large else shrink(drawn)).reformat(
                format="yuv420p", dst_colorspace="ITU709" if large else "ITU601", dst_color_range="MPEG"
            )
            av_frame.pts, av_frame.time_base = index, Fraction(1, RATE)
            container.mux(video.encode(av_frame))
        container.mux(video.encode(None))
        tune = av.AudioFrame.from_ndarray(play_tune(), format="fltp", layout="mono")
        tune.sample_rate, tune.pts = SOUND_RATE, 0
        container.mux(sound.encode(tune))
        container.mux(sound.encode(None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the sample clip.")
    parser.add_argument("target", nargs="?", type=Path, default=Path(__file__).with_name("clip.mp4"))
    parser.add_argument("--large", action="store_true", help="keep 1920x1080")
    arguments = parser.parse_args()
    write_clip(arguments.target, large=arguments.large)
    print(f"{arguments.target}: {arguments.target.stat().st_size / 1000:.0f} kB")
