"""The parts a store is made of while it is being prepared: a file a canvas, a note a source; what is there is kept."""

import io
import json
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore, Event
from typing import Any, TypeVar

import numpy as np

from vidsr.data.crops import CLIP, PER_CANVAS, Canvas, cut_canvas, cut_pairs
from vidsr.data.photos import is_large
from vidsr.data.sources import is_video, open_runs
from vidsr.data.store import ARRAYS, MANIFEST, SPLITS, Settings, Split, shapes, to_manifest
from vidsr.errors import DataError
from vidsr.io.atomic import write_atomically

RUNS = 48  # taken of a film at most
RICH = 8 * PER_CANVAS  # pairs of one source: with more, its canvases are handed out one by one

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it is done, of how much."""
Submit = Callable[..., Future[int]]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source:
    """One photo or film, and what it is to give."""

    path: Path
    name: str
    """As the manifest knows it: under the folder that was named."""
    sha256: str
    licence: str
    split: Split
    share: int
    """Pairs."""


def begin(partial: Path, digest: str) -> None:
    """Keep what an interrupted run for the same store left; anything else goes."""
    file = partial / "digest"
    if not file.exists() or file.read_text() != digest:
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "parts").mkdir(parents=True)
        write_atomically(file, digest.encode())


def cut(sources: Sequence[Source], partial: Path, settings: Settings, workers: int, report: Progress) -> None:
    """Leave a part a canvas, and a note a source.

    Threads take photos whole; films, and photos that are large or give much, are decoded here, one by one, and their
    canvases handed out.
    """
    waiting: deque[Callable[[], None]] = deque()
    done, total = 0, sum(source.share for source in sources)
    with _Pool(workers) as pool:
        for number, source in enumerate(sources):
            report("cutting pairs", done, total)
            note = partial / "parts" / f"{number:06}.json"
            if note.exists():
                pass
            elif source.share > RICH or is_video(source.path) or is_large(source.path):
                waiting.append(_cut_source(source, number, note, settings, pool.submit))
            else:
                waiting.append(pool.submit(_cut_photo, source, number, note, settings, pool.do_at_once).result)
            while len(waiting) > 2 * workers:  # not at once, or the threads would have nothing to do meanwhile
                waiting.popleft()()
            done += source.share
        for wait in waiting:
            wait()
    report("cutting pairs", total, total)


def _cut_photo(source: Source, number: int, note: Path, settings: Settings, do_at_once: Submit) -> None:
    _cut_source(source, number, note, settings, do_at_once)()


def _cut_source(source: Source, number: int, note: Path, settings: Settings, submit: Submit) -> Callable[[], None]:
    """Decode a source and submit its canvases; gives what waits for them, and then notes what the source gave."""
    canvases = -(-source.share // PER_CANVAS)
    each = -(-canvases // RUNS) if is_video(source.path) else canvases
    found: dict[str, Any] = {"width": 0, "height": 0, "frames": 0, "reason": ""}
    parts: list[Future[int]] = []
    runs = open_runs(
        source.path, channels=settings.channels, length=max(CLIP, settings.frames), at_most=min(RUNS, canvases)
    )
    try:
        for run in runs:
            height, width = run.pictures[0].shape[:2]
            if min(height, width) < settings.side * settings.scale:
                raise DataError(f"{width}x{height} is less than {settings.side * settings.scale} pixels a side")
            found |= {"width": width, "height": height, "frames": found["frames"] + len(run.pictures)}
            for place in range(len(parts), min(len(parts) + each, canvases)):
                rng = np.random.default_rng((settings.seed, int(source.sha256[:16], 16), place))
                canvas = cut_canvas(run.pictures, settings, min(PER_CANVAS, source.share - place * PER_CANVAS), rng)
                parts.append(submit(_write_part, note.with_suffix(f".{place}.npz"), canvas, settings, number))
    except DataError as exc:
        found["reason"] = str(exc).replace(str(source.path), source.path.name)  # the same wherever it lies
    return lambda: write_atomically(note, json.dumps({**found, "parts": [part.result() for part in parts]}).encode())


def _write_part(part: Path, canvas: Canvas, settings: Settings, number: int) -> int:
    """Cut the pairs of one canvas into a file, unless it is there; gives their number."""
    if part.exists():
        with np.load(part) as arrays:
            return len(arrays["index"])
    arrays = cut_pairs(canvas, settings, number)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # numpy takes its own keyword for one of ours
    write_atomically(part, buffer.getvalue())
    return len(arrays["index"])


class _Pool:
    """Threads that take no more work than they can begin soon, so that pictures do not pile up."""

    def __init__(self, workers: int) -> None:
        self._threads, self._room = ThreadPoolExecutor(workers), BoundedSemaphore(2 * workers)
        self._closing = Event()

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._threads.shutdown(cancel_futures=True)

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Wait for room, then hand the work to a thread."""
        self._room.acquire()
        future = self._threads.submit(work, *arguments)
        future.add_done_callback(lambda _: self._room.release())
        return future

    def do_at_once(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Do the work in the thread that asks; CancelledError once the pool closes, so that nobody waits for long."""
        if self._closing.is_set():
            raise CancelledError
        future: Future[T] = Future()
        future.set_result(work(*arguments))
        return future


def assemble(
    sources: Sequence[Source],
    skipped: list[dict[str, str]],
    partial: Path,
    settings: Settings,
    digest: str,
    report: Progress,
) -> None:
    """Join the parts, split by split, into arrays, the manifest last; where there are none, DataError, nothing kept."""
    parts = partial / "parts"
    notes = [json.loads((parts / f"{number:06}.json").read_text()) for number in range(len(sources))]
    listed = []
    for source, note in zip(sources, notes, strict=True):
        crops, reason = sum(note["parts"]), note["reason"] or "nothing in it but flat areas"
        if note["reason"] or not crops:
            skipped = [*skipped, {"file": source.name, "reason": f"{'only in part: ' if crops else ''}{reason}"}]
        facts = {"file": source.name, "sha256": source.sha256, "licence": source.licence, "split": source.split}
        listed.append({**facts, **{key: note[key] for key in ("width", "height", "frames")}, "crops": crops})
    if not any(source["crops"] for source in listed):
        shutil.rmtree(partial)
        raise DataError(f"none of the {len(sources)} pictures and films can be used; the first: {skipped[0]['reason']}")
    manifest = to_manifest(settings, listed, skipped, digest)
    for split in SPLITS:
        report("joining", SPLITS.index(split), len(SPLITS))
        files = [
            parts / f"{number:06}.{place}.npz"
            for number, (source, note) in enumerate(zip(sources, notes, strict=True))
            for place in range(len(note["parts"]))
            if source.split == split
        ]
        _join(files, partial / split, settings, manifest["splits"][split])
    write_atomically(partial / MANIFEST, json.dumps(manifest, indent=1).encode())
    (partial / "digest").unlink()
    shutil.rmtree(parts)


def _join(parts: Sequence[Path], folder: Path, settings: Settings, count: int) -> None:
    """Write the arrays of one split, a part at a time; plain writes, since a memory map would count as memory."""
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{name}.npy").open("wb")) for name in ARRAYS}
        for name, (shape, kind) in shapes(settings, count).items():
            header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(files[name], header)
        for part in parts:
            with np.load(part) as arrays:
                for name, file in files.items():
                    file.write(arrays[name].tobytes())
