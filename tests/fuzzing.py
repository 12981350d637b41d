"""Damaged files, made from whole ones by a number, each upscaled: `python -m tests.fuzzing FOLDER FIRST SECONDS`.

Prints a line before each attempt and one behind it, so that whoever watches knows what ended this process. The same
number makes the same damage: `python -m tests.fuzzing FOLDER FIRST 0` repeats one.
"""

import random
import re
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import vidsr.system

if __name__ == "__main__":  # before anything asks, so that a claim costs as little as a small machine has
    vidsr.system.MOST_PIXELS = 1 << 22

from PIL import Image

from tests.networks import network, save
from tests.video.videos import drawing, frame_from, make_video
from vidsr.errors import VidsrError
from vidsr.pipeline import upscale_video
from vidsr.upscaling.upscaler import load_upscaler

CONTAINERS = {
    "mp4": "libx264", "mkv": "libx264", "ts": "mpeg2video", "webm": "libvpx-vp9", "avi": "mpeg4", "nut": "ffv1",
    "flv": "flv1", "hevc.mp4": "libx265", "mov": "mjpeg",
}  # fmt: skip
SOUNDS = {"mp4": "aac", "mkv": "aac", "ts": "mp2", "webm": "libopus", "avi": "mp2", "flv": "libmp3lame"}
TARGETS = ("mkv", "mp4", "nut", "ts", "webm", "mov", "flv")
PICTURES = ("png", "jpg", "gif", "webp", "bmp")
ADDRESS_SPACE = 16 << 30  # bytes; runtimes reserve much more than they use


def make_whole(folder: Path) -> list[Path]:
    """Write one small file of each kind."""
    made = []
    for name, codec in CONTAINERS.items():
        layout = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        made.append(make_video(folder / f"whole.{name}", codec=codec, pixel_format=layout, sound=SOUNDS.get(name)))
    for kind in PICTURES:
        made.append(folder / f"whole.{kind}")
        more = {"save_all": True, "append_images": [Image.fromarray(drawing(64, 48, 1))]} if kind == "gif" else {}
        Image.fromarray(drawing(64, 48)).save(made[-1], **more)
    made.append(save(network(), folder / "whole.onnx"))
    return made


def flip_bits(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 3, 10, 100])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)


def flip_header(content: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 2, 5])):
        content[rng.randrange(min(len(content), 300))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])


def cut(content: bytearray, rng: random.Random) -> None:
    del content[rng.randrange(len(content)) :]


def empty_hole(content: bytearray, rng: random.Random) -> None:
    start, length = rng.randrange(len(content)), rng.choice([4, 100, 3000])
    content[start : start + length] = bytes(len(content[start : start + length]))


def repeat_range(content: bytearray, rng: random.Random) -> None:
    start, length = rng.randrange(len(content)), rng.choice([1, 188, 1000])
    content[start:start] = content[start : start + length] * rng.choice([1, 2, 20])


def drop_range(content: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(content))
    del content[start : start + rng.choice([1, 4, 188, 1000])]


def splice(content: bytearray, rng: random.Random) -> None:
    """Join a beginning with another place's rest."""
    first, second = rng.randrange(len(content)), rng.randrange(len(content))
    content[first:] = content[second:]


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip_bits, flip_header, cut, empty_hole, repeat_range, drop_range, splice,
)  # fmt: skip


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content, spoilt in one to three ways."""
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 3])):
        rng.choice(WAYS)(changed, rng)
        if not changed:
            break
    return bytes(changed)


def attempt(whole: Path, number: int, folder: Path) -> str:
    """Damage a file and enlarge it; what came of it. Raises where that is no outcome that a user may meet."""
    rng = random.Random(f"{whole.name} {number}")
    source = folder / f"damaged{''.join(whole.suffixes)}"
    source.write_bytes(damaged(whole.read_bytes(), rng))
    still = source.suffix[1:] in PICTURES and source.suffix != ".gif"
    target = folder / ("out.png" if still else f"out.{rng.choice(TARGETS)}")
    for old in folder.glob("out.*"):
        old.unlink()
    try:
        if source.suffix == ".onnx":
            with load_upscaler(source, in_flight=1, threads=1) as upscaler:
                upscaler.submit(frame_from((16, 16))).result()
            return "enlarged"
        upscale_video(source, target, model="nearest", preset="ultrafast")
    except VidsrError as exc:
        left = sorted(path.name for path in folder.iterdir() if path == target or path.suffix == ".part")
        assert not left, f"{left} left behind"
        return f"refused ({type(exc).__name__})"
    assert target.stat().st_size > 0
    return "enlarged"


def held_mb() -> int:
    """The most memory that this process ever held."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) // 1024 if found else 0


def main() -> None:
    """Damage files of every kind in turn, from a number on, until the time is over; at least one."""
    folder, first, seconds = Path(sys.argv[1]), int(sys.argv[2]), Fraction(sys.argv[3])
    if sys.platform.startswith("linux"):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    wholes = sorted(folder.glob("whole.*"))
    began, number = time.monotonic(), first
    while number == first or time.monotonic() - began < seconds:
        whole = wholes[number % len(wholes)]
        print("begin", number, whole.name, flush=True)
        try:
            outcome = attempt(whole, number, folder)
        except Exception as exc:
            outcome = f"FAULT {type(exc).__name__}: {exc}".replace("\n", " ")
        print("end", number, held_mb(), outcome, flush=True)
        number += 1


if __name__ == "__main__":
    main()
