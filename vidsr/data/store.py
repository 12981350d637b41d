"""The patch store: pairs of small and large patches, decoded and degraded once, then read from disk as one array."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.data.degrade import Degradation, film_look, send, shrink
from vidsr.data.sources import RUN, Luma, find, read_runs
from vidsr.errors import DataError, DiskFull

VERSION = 2
CANVAS = 192  # side of the small picture that a codec sees; patches are cut from it
PER_CANVAS = 16  # patches

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, of how much."""


@dataclass(frozen=True, slots=True)
class Store:
    """Pairs of luma patches, limited range, on disk."""

    low: NDArray[np.uint8]
    """(n, side, side), as it arrives."""
    high: NDArray[np.uint8]
    """(n, side * scale, side * scale), the truth."""
    quantiser: NDArray[np.float32]
    """(n,), QP 0 to 51 of the frame that each patch was cut from; 0: never coded."""


def open_store(
    paths: Sequence[Path],
    folder: Path,
    *,
    scale: int,
    patches: int,
    side: int = 48,
    seed: int = 0,
    degradation: Degradation | None = None,
    progress: Progress | None = None,
) -> Store:
    """Open the store of these sources and settings inside `folder`; build it where it is not there yet.

    A store is known by a hash of its settings and of its sources' contents. It appears whole or not at all.
    Unreadable sources are left out, and named in the store's index.json. Raises DataError, DiskFull.
    """
    settings = degradation or Degradation()
    report = progress or (lambda *_: None)
    files = find(paths)
    facts = {"version": VERSION, "scale": scale, "patches": patches, "side": side, "seed": seed, **asdict(settings)}
    target = folder / _hash(files, facts)
    if not target.exists():
        partial = target.with_suffix(".part")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            _build(files, partial, facts, settings, report)
            partial.rename(target)
        except OSError as exc:
            raise DiskFull(f"the patch store {target} could not be written ({exc.strerror}); make room") from exc
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    arrays = [np.load(target / f"{name}.npy", mmap_mode="r") for name in ("low", "high", "quantiser")]
    return Store(*arrays)


def _hash(files: Sequence[Path], facts: dict[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for file in files:
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:16]


def _build(files: Sequence[Path], target: Path, facts: dict[str, Any], settings: Degradation, report: Progress) -> None:
    scale, patches, side, seed = (int(facts[key]) for key in ("scale", "patches", "side", "seed"))
    shapes = {"low": (patches, side, side), "high": (patches, side * scale, side * scale), "quantiser": (patches,)}
    arrays = {name: _new_array(target / f"{name}.npy", shape) for name, shape in shapes.items()}
    shares, skipped = _shares(files, patches, side * scale, report)
    done = 0
    for number, (file, share) in enumerate(shares.items()):
        rng = np.random.default_rng((seed, number))
        for low, high, quantiser in _patches(file, share, scale, side, settings, rng):
            arrays["low"][done], arrays["high"][done], arrays["quantiser"][done] = low, high, quantiser
            done += 1
            if done % 256 == 0:
                report("cutting patches", done, patches)
    assert done == patches
    for array in arrays.values():
        array.flush()
    index = {**facts, "sources": {str(file.name): share for file, share in shares.items()}, "skipped": skipped}
    (target / "index.json").write_text(json.dumps(index, indent=1))


def _new_array(path: Path, shape: tuple[int, ...]) -> "np.memmap[Any, np.dtype[Any]]":
    kind = np.float32 if path.stem == "quantiser" else np.uint8
    array = np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)
    if hasattr(os, "posix_fallocate"):  # else a disk that fills up later would kill the process, with no error
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _shares(
    files: Sequence[Path], patches: int, least: int, report: Progress
) -> tuple[dict[Path, int], dict[str, str]]:
    """Say how many patches each source gives: more where there is more to see. Names those that give none, and why."""
    weights: dict[Path, float] = {}
    skipped: dict[str, str] = {}
    for done, file in enumerate(files):
        report("reading sources", done, len(files))
        try:
            runs = list(read_runs(file))
        except DataError as exc:
            skipped[file.name] = str(exc)
            continue
        if not runs or min(runs[0][0].shape) < least:
            skipped[file.name] = f"smaller than {least} pixels, or empty"
            continue
        detail = float(np.mean([np.abs(np.diff(run[0].astype(np.int16), axis=1)).mean() for run in runs]))
        weights[file] = (detail + 1) * len(runs) ** 0.5
    if not weights:
        why = next(iter(skipped.values()))
        raise DataError(f"none of the {len(files)} pictures and films can be used; the first: {why}")
    edges = np.rint(np.cumsum(list(weights.values())) / sum(weights.values()) * patches).astype(int)
    return dict(zip(weights, np.diff(edges, prepend=0).tolist(), strict=True)), skipped


def _patches(
    file: Path, share: int, scale: int, side: int, settings: Degradation, rng: np.random.Generator
) -> Iterator[tuple[Luma, Luma, float]]:
    """Cut `share` pairs out of one source."""
    runs = list(read_runs(file))
    while share > 0:
        coded = rng.random() < settings.coded
        canvas = _canvas(runs[rng.integers(len(runs))], scale, rng)
        run = film_look(canvas if coded else canvas[:1], settings, rng)
        lows = shrink(run, scale, rng)
        lows, quantisers = send(lows, settings, rng) if coded else (lows, [0.0])
        for _ in range(min(share, PER_CANVAS)):
            i = int(rng.integers(len(lows)))
            height, width = lows[i].shape
            y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
            truth = run[i][y * scale : (y + side) * scale, x * scale : (x + side) * scale]
            yield lows[i][y : y + side, x : x + side], truth, quantisers[i]
            share -= 1


def _canvas(run: Sequence[Luma], scale: int, rng: np.random.Generator) -> list[Luma]:
    """Cut a piece out of a run, the busiest of three; a photo becomes a run under a moving camera."""
    height, width = run[0].shape
    high = min(CANVAS * scale, height, width) // (2 * scale) * 2 * scale
    room = np.array([height - high, width - high])
    corners = [rng.integers(room + 1) for _ in range(3)]
    corner = max(corners, key=lambda c: float(_detail(run[0][c[0] : c[0] + high, c[1] : c[1] + high])))
    if len(run) > 1:
        return [frame[corner[0] : corner[0] + high, corner[1] : corner[1] + high] for frame in run]
    speed = rng.integers(-4 * scale, 4 * scale + 1, 2) * (rng.random() < 0.7)
    places = [(corner + i * speed).clip(0, room) for i in range(RUN)]
    return [run[0][y : y + high, x : x + high] for y, x in places]


def _detail(luma: Luma) -> float:
    return float(np.abs(np.diff(luma[::2].astype(np.int16), axis=1)).mean())
