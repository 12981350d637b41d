"""`--compute`: what leaving the network out of tiles costs in dB and flicker and saves in CPU time; or learn its table.

Each clip of the data folder is downscaled by Lanczos, encoded with x264 medium at each CRF, and upscaled with
`--compute full` and as asked for, frame by frame in turns, on one thread. Bars of `adaptive`: at most 0.05 dB below
`full`, and 1.02 of its flicker. `--learn` measures instead what the network changes and gets wrong in tiles, by QP and
curvature, on the clips named in LEARNED, and writes the table into the card of the file.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import ffmpeg, parser, table
from numpy.typing import NDArray

from vidsr import Frame
from vidsr.card import read_card, with_card
from vidsr.evaluate.quality.meters import FlickerMeter
from vidsr.evaluate.quality.views import View
from vidsr.frames import Plane
from vidsr.upscaling.compute.compute_plan import FLAT, curvature
from vidsr.upscaling.compute.tile_grid import TileGrid
from vidsr.upscaling.upscaler import load_upscaler
from vidsr.video.convert.resizer import Resizer
from vidsr.video.read.source import open_source
from vidsr.zoo import find

CLIPS = {"bbb-1080p-hevc.mp4": 2, "man-1080p.mp4": 0, "room-432p.mp4": 0, "sign-night.mkv": 0}  # and second to begin at
LEARNED = {"bbb-480p-30s.mp4": 6, "road-432p.mp4": 0, "roofs-360p-vfr.mp4": 0, "belt-360p.mp4": 0, "sign-book.mkv": 0}
QPS = (18.0, 23.0, 28.0, 33.0, 38.0)  # rows of the table
NEAR = 5.0  # frames of a QP so far from a row's count for it, less and less
SIDE = 32  # of the tiles that are learned from
BINS = 16  # of curvature, which the powers are fitted to
LEAST = 5.0  # tiles in a bin
DB_BAR, FLICKER_BAR = 0.05, 1.02


def main() -> None:
    """Print the table, or write one into the card."""
    options = parser(__doc__)
    options.add_argument("--model", default="live-x4")
    options.add_argument("--clips", nargs="+", help="default: four that were not learned from")
    options.add_argument("--crfs", type=int, nargs="+", default=[18, 23, 28, 33])
    options.add_argument("--frames", type=int, default=24)
    options.add_argument("--compute", nargs="+", default=["adaptive"], help="adaptive, or shares")
    options.add_argument("--learn", action="store_true")
    given = options.parse_args()
    clips = {name: (CLIPS | LEARNED).get(name, 0) for name in given.clips or (LEARNED if given.learn else CLIPS)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pairs = (
            (
                clip,
                crf,
                clip_pairs(given.data / "clips" / clip, start, crf, scale_of(given.model), given.frames, folder),
            )
            for clip, start in clips.items()
            for crf in given.crfs
        )
        if given.learn:
            learn(given.model, [frames for _, _, frames in pairs])
            return
        rows = [row for clip, crf, frames in pairs for row in compared(f"{clip} {crf}", list(frames), given)]
    titles = [
        "clip and CRF",
        "compute",
        "dB to full",
        "flicker",
        "computed",
        "reused",
        "plain",
        "ms",
        "full ms",
        "of it",
    ]
    table(titles, rows)
    print(f"bars of adaptive: dB at least -{DB_BAR}, flicker at most {FLICKER_BAR}")


def scale_of(model: str) -> int:
    """Return the factor of a model."""
    card = read_card(find(model))
    assert card is not None
    return card.scale


def clip_pairs(
    clip: Path, start: int, crf: int, scale: int, frames: int, folder: Path
) -> Iterator[tuple[Plane, Frame]]:
    """Yield the luma of each original frame, and the frame that was downscaled and encoded."""
    large, small = folder / f"{clip.name}.mkv", folder / f"{clip.name}.{crf}.mp4"
    if not large.exists():
        multiple = 4 * scale
        crop = f"crop=floor(iw/{multiple})*{multiple}:floor(ih/{multiple})*{multiple},format=yuv420p"
        take = ["-fps_mode", "passthrough", "-frames:v", frames, "-an"]
        ffmpeg("-ss", start, "-i", clip, "-vf", crop, *take, "-c:v", "ffv1", large)
    if not small.exists():
        down = f"scale=iw/{scale}:ih/{scale}:flags=lanczos"
        ffmpeg("-i", large, "-vf", down, "-fps_mode", "passthrough", "-preset", "medium", "-crf", crf, small)
    with open_source(large) as originals, open_source(small) as encoded:
        both = zip(*((item for item in each if isinstance(item, Frame)) for each in (originals, encoded)), strict=True)
        for original, frame in both:
            yield original.planes[0], frame


def compared(title: str, frames: list[tuple[Plane, Frame]], given: argparse.Namespace) -> Iterator[list[object]]:
    """Yield a row for each way to compute."""
    ways = ["full", *given.compute]
    upscalers = {
        way: load_upscaler(given.model, threads=1, in_flight=1, compute=way if way.isalpha() else float(way))
        for way in ways
    }
    errors, seconds, flicker = dict.fromkeys(ways, 0.0), {way: list[float]() for way in ways}, FlickerMeter()
    for truth, frame in frames:
        results = {}
        for way, upscaler in upscalers.items():
            began = time.process_time()
            luma = upscaler(frame).planes[0]
            seconds[way].append(time.process_time() - began)
            errors[way] += float(np.square(luma.astype(np.float32) - truth).mean())
            results[way] = gray_view(luma)
        flicker.add(gray_view(truth), results)
    flickers = {way: value for way, (value, *_) in flicker.result()["flicker"].items()}
    # The first frame compiles the network; a second compilation comes where frames are computed whole.
    spent = {way: 1000 * float(np.mean(its[2:])) for way, its in seconds.items()}
    for way in given.compute:
        shares = upscalers[way].shares
        assert shares is not None, "no tiles were planned; see the warning"
        parts = [f"{share:.2f}" for share in (shares.computed, shares.reused, shares.plain)]
        loss = 10 * np.log10(errors["full"] / errors[way])
        ratio = flickers[way] / flickers["full"]
        times = [f"{spent[way]:.1f}", f"{spent['full']:.1f}", f"{spent[way] / spent['full']:.2f}"]
        yield [title, way, f"{loss:+.3f}", f"{ratio:.3f}", *parts, *times]
    for upscaler in upscalers.values():
        upscaler.close()


def gray_view(luma: Plane) -> View:
    """Return a view of a frame of which only luma is measured."""
    return View(luma, lambda: np.repeat(luma[..., None], 3, axis=2))


def learn(model: str, clips: list[Iterator[tuple[Plane, Frame]]]) -> None:
    """Measure tiles, fit the table, and write it into the card."""
    tiles: list[NDArray[Any]] = []
    resizer, scale = Resizer("lanczos"), scale_of(model)
    with load_upscaler(model) as upscaler:
        for frames in clips:
            for index, (truth, frame) in enumerate(frames):
                if index % 4 == 0:
                    plain = resizer.resize(frame, frame.width * scale, frame.height * scale).planes[0]
                    tiles.append(measured(frame, truth, upscaler(frame).planes[0], plain, scale))
    gains = fitted(np.concatenate(tiles, axis=1))
    path = find(model)
    card = read_card(path)
    assert card is not None
    path.write_bytes(with_card(path, replace(card, gains=gains)))
    table(["QP", "log change", "power", "log error", "power"], gains)
    print(f"written to {path}")


def measured(frame: Frame, truth: Plane, network: Plane, plain: Plane, scale: int) -> NDArray[Any]:
    """Return (4, tiles): curvature, squared change, squared error and QP."""
    small = TileGrid(frame.height, frame.width, SIDE, SIDE, 0, 0)
    large = TileGrid(frame.height * scale, frame.width * scale, SIDE * scale, SIDE * scale, 0, 0)
    change, error = (np.square(network.astype(np.int32) - other) for other in (plain, truth))
    columns = small.means(curvature(frame.planes[0])), large.means(change), large.means(error)
    qps = np.full(columns[0].size, frame.qp)
    return np.stack([*(column.ravel() for column in columns), qps])


def fitted(tiles: NDArray[Any]) -> list[list[float]]:
    """Return the rows of the table: straight lines through logarithms of means over bins of curvature."""
    rows = []
    for qp in QPS:
        weights = np.clip(1 - np.abs(tiles[3] - qp) / NEAR, 0, 1)
        near, weights = tiles[:3, weights > 0], weights[weights > 0]
        if weights.sum() < BINS * LEAST:
            continue
        edges = np.quantile(near[0], np.linspace(0, 1, BINS + 1)[1:-1])
        bins = np.searchsorted(edges, near[0])
        full = [index for index in range(BINS) if weights[bins == index].sum() > LEAST]
        means = [np.average(near[:, bins == index], axis=1, weights=weights[bins == index]) for index in full]
        curved, change, error = np.log(np.transpose(means) + np.array([[FLAT], [1e-3], [1e-3]]))
        lines = (np.polyfit(curved, each, 1)[::-1] for each in (change, error))
        rows.append([qp, *(round(float(number), 3) for line in lines for number in line)])
    return rows


if __name__ == "__main__":
    main()
