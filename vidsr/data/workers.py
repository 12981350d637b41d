"""The threads that prepare a store: one file per canvas and one note per source, which survive an interruption."""

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
from vidsr.data.sources import is_video, read_runs
from vidsr.data.store import ARRAYS, MANIFEST, SPLITS, Split, StoreSettings, shapes, to_manifest
from vidsr.errors import DataError
from vidsr.io.atomic import write_atomically

RUNS = 48  # taken from a video at most
RICH = 8 * PER_CANVAS  # pairs of a source above which its canvases are distributed to all threads

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and the total."""
Submit = Callable[..., Future[int]]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A photo or video to cut pairs from."""

    path: Path
    name: str
    """In the manifest: relative to the folder that was given."""
    sha256: str
    licence: str
    split: Split
    share: int
    """Pairs to cut."""


def begin(partial: Path, digest: str) -> None:
    """Keep what an interrupted run for the same store left in `partial`; delete what is left of another."""
    file, wanted = partial / "digest", f"{digest} {' '.join(ARRAYS)}"
    if not file.exists() or file.read_text() != wanted:
        for folder in ("parts", *SPLITS):
            shutil.rmtree(partial / folder, ignore_errors=True)
        for left in partial.glob("*.part"):  # of a write that was interrupted
            left.unlink()
        (partial / "parts").mkdir()
        write_atomically(file, wanted.encode())


def cut(
    sources: Sequence[SourceFile], partial: Path, settings: StoreSettings, workers: int, progress: Progress
) -> None:
    """Write one file of pairs per canvas and one note per source.

    A thread does a whole photo. Videos, and photos that are large or give many pairs, are decoded in the calling
    thread, one after the other, and their canvases are distributed to the threads.
    """
    waiting: deque[Callable[[], None]] = deque()
    done, total = 0, sum(source.share for source in sources)
    with _Pool(workers) as pool:
        for number, source in enumerate(sources):
            progress("cutting pairs", done, total)
            note = partial / "parts" / f"{number:06}.json"
            if note.exists():
                pass
            elif source.share > RICH or is_video(source.path) or is_large(source.path):
                waiting.append(_cut_source(source, number, note, settings, pool.submit))
            else:
                waiting.append(
                    pool.submit(lambda *a: _cut_source(*a)(), source, number, note, settings, pool.run_now).result
                )
            while len(waiting) > 2 * workers:  # waiting for each at once would leave the threads idle
                waiting.popleft()()
            done += source.share
        for wait in waiting:
            wait()
    progress("cutting pairs", total, total)


def _cut_source(
    source: SourceFile, number: int, note: Path, settings: StoreSettings, submit: Submit
) -> Callable[[], None]:
    """Decode a source and submit its canvases; return a function that waits for them and then writes the note."""
    canvases = -(-source.share // PER_CANVAS)
    each = -(-canvases // RUNS) if is_video(source.path) else canvases
    found: dict[str, Any] = {"width": 0, "height": 0, "frames": 0, "reason": ""}
    parts: list[Future[int]] = []
    runs = read_runs(
        source.path, channels=settings.channels, length=max(CLIP, settings.frames), at_most=min(RUNS, canvases)
    )
    try:
        for run in runs:
            height, width = run[0].shape[:2]
            if min(height, width) < settings.side * settings.scale:
                raise DataError(f"{width}x{height} is less than {settings.side * settings.scale} pixels a side")
            found |= {"width": width, "height": height, "frames": found["frames"] + len(run)}
            for place in range(len(parts), min(len(parts) + each, canvases)):
                rng = np.random.default_rng((settings.seed, int(source.sha256[:16], 16), place))
                canvas = cut_canvas(run, settings, min(PER_CANVAS, source.share - place * PER_CANVAS), rng)
                parts.append(submit(_write_part, note.with_suffix(f".{place}.npz"), canvas, settings, number))
    except DataError as exc:
        found["reason"] = str(exc).replace(str(source.path), source.path.name)  # the same wherever the file lies
    return lambda: write_atomically(note, json.dumps({**found, "parts": [part.result() for part in parts]}).encode())


def _write_part(part: Path, canvas: Canvas, settings: StoreSettings, number: int) -> int:
    """Cut the pairs of one canvas into a file, unless it exists; return how many they are."""
    if part.exists():
        with np.load(part) as arrays:
            return len(arrays["index"])
    arrays = cut_pairs(canvas, settings, number)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the arrays could shadow numpy's keyword arguments
    write_atomically(part, buffer.getvalue())
    return len(arrays["index"])


class _Pool:
    """Threads with a short queue, so that images do not pile up in memory."""

    def __init__(self, workers: int) -> None:
        self._threads, self._room = ThreadPoolExecutor(workers), BoundedSemaphore(2 * workers)
        self._closing = Event()

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._threads.shutdown(cancel_futures=True)

    def submit(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Wait for room in the queue, then hand the work to a thread."""
        self._room.acquire()
        future = self._threads.submit(work, *arguments)
        future.add_done_callback(lambda _: self._room.release())
        return future

    def run_now(self, work: Callable[..., T], *arguments: Any) -> Future[T]:
        """Do the work in the calling thread. Raises CancelledError once the pool is closing."""
        if self._closing.is_set():
            raise CancelledError
        future: Future[T] = Future()
        future.set_result(work(*arguments))
        return future


def assemble(
    sources: Sequence[SourceFile],
    skipped: list[dict[str, str]],
    partial: Path,
    settings: StoreSettings,
    digest: str,
    progress: Progress,
) -> None:
    """Join the files of all canvases into the arrays of each split; the manifest is written last.

    Raises DataError, and deletes everything, if not one pair was cut.
    """
    parts = partial / "parts"
    notes = [json.loads((parts / f"{number:06}.json").read_text()) for number in range(len(sources))]
    listed = []
    for source, note in zip(sources, notes, strict=True):
        crops, reason = sum(note["parts"]), note["reason"] or "only flat areas in it"
        if note["reason"] or not crops:
            skipped = [*skipped, {"file": source.name, "reason": f"{'only in part: ' if crops else ''}{reason}"}]
        facts = {"file": source.name, "sha256": source.sha256, "licence": source.licence, "split": source.split}
        listed.append({**facts, **{key: note[key] for key in ("width", "height", "frames")}, "crops": crops})
    if not any(source["crops"] for source in listed):
        shutil.rmtree(partial)
        raise DataError(f"none of the {len(sources)} images and videos can be used; the first: {skipped[0]['reason']}")
    manifest = to_manifest(settings, listed, skipped, digest)
    for split in SPLITS:
        progress("joining", SPLITS.index(split), len(SPLITS))
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


def _join(parts: Sequence[Path], folder: Path, settings: StoreSettings, count: int) -> None:
    """Write the arrays of one split, one part after the other; a memory map would count as used memory."""
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
