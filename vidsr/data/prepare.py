"""From photos and videos to a store: each source is decoded once, degraded on all cores, and a run can be resumed."""

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from vidsr.data.degradation import OLD_NAMES
from vidsr.data.sources import find_skipped, find_sources, is_video, read_licences
from vidsr.data.store import VERSION, Split, Store, StoreSettings, is_store, read_store
from vidsr.data.workers import Progress, SourceFile, assemble, begin, cut
from vidsr.errors import DataError, DiskFull, TargetExists
from vidsr.io.atomic import LOCK_NAME, lock_folder
from vidsr.video.convert.recode import version

VIDEO_SHARE = 7  # a video counts as much as this many photos


def open_store(
    paths: Sequence[Path], folder: Path, settings: StoreSettings, *, progress: Progress | None = None
) -> Store:
    """Open the store in `folder` that was made of these sources and settings, or prepare it.

    Raises as `prepare`.
    """
    sources, skipped = _sort(paths, settings, "", progress or _ignore)
    return _make(sources, skipped, folder / _digest(settings, sources)[:16], settings, None, progress or _ignore)


def prepare(
    paths: Sequence[Path],
    target: Path,
    settings: StoreSettings,
    *,
    licence: str = "",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Store:
    """Make a store from photos and videos, resume an interrupted run, or open the store if it is complete.

    licence: of sources that no licences.csv beside them lists. workers: threads that degrade, by default one a core.
    The same sources and settings make the same bytes, whatever the number of workers and interruptions. The manifest
    lists sources that cannot be used, with the reason. The store appears only when it is complete.
    Raises DataError if no source can be used, TargetExists if `target` is something else, OutputError if another run
    is preparing it, DiskFull.
    """
    sources, skipped = _sort(paths, settings, licence, progress or _ignore)
    return _make(sources, skipped, target, settings, workers, progress or _ignore)


def _make(
    sources: Sequence[SourceFile],
    skipped: list[dict[str, str]],
    target: Path,
    settings: StoreSettings,
    workers: int | None,
    progress: Progress,
) -> Store:
    digest = _digest(settings, sources)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        if is_store(target) and read_store(target).manifest["digest"] == digest:
            return read_store(target)
        raise TargetExists(f"{target} exists and contains something else; give another name, or delete it")
    partial = target.with_name(target.name + ".part")
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            with suppress(OSError):  # the file system supports no locks
                stack.callback(lock_folder(partial).release)
            begin(partial, digest)
            cut(sources, partial, settings, workers or os.cpu_count() or 1, progress)
            assemble(sources, skipped, partial, settings, digest, progress)
        (partial / LOCK_NAME).unlink(missing_ok=True)
        partial.rename(target)
    except OSError as exc:
        cause = exc.__cause__ if isinstance(exc.__cause__, OSError) else exc  # of DiskFull, whose text names a part
        raise DiskFull(
            f"the store {target} could not be written ({cause.strerror}); fix that and run the command again to resume"
        ) from exc
    return read_store(target)


def _sort(
    paths: Sequence[Path], settings: StoreSettings, licence: str, progress: Progress
) -> tuple[list[SourceFile], list[dict[str, str]]]:
    """Hash every source, skip duplicates, and assign splits and numbers of pairs."""
    files, known, unfit = find_sources(paths), read_licences(paths), find_skipped(paths)
    names, by_hash = _names([*files, *unfit], paths), dict[str, Path]()
    skipped = [{"file": names[file], "reason": reason} for file, reason in unfit.items()]
    for done, file in enumerate(files):
        progress("reading sources", done, len(files))
        try:
            with file.open("rb") as opened:
                sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        except OSError as exc:
            skipped.append({"file": names[file], "reason": f"cannot be opened ({exc.strerror})"})
            continue
        if first := by_hash.get(sha256):
            skipped.append({"file": names[file], "reason": f"the same as {names[first]}"})
        by_hash.setdefault(sha256, file)
    if not by_hash:
        raise DataError(f"none of the {len(files)} images and videos can be used; the first: {skipped[0]['reason']}")
    splits = _split(sorted(by_hash), settings)
    weights = [VIDEO_SHARE if is_video(file) else 1 for file in by_hash.values()]
    edges = np.rint(np.cumsum(weights) / sum(weights) * settings.pairs).astype(int)
    shares = np.diff(edges, prepend=0).clip(1).tolist()
    sources = [
        SourceFile(file, names[file], sha256, known.get(file, licence), splits[sha256], share)
        for (sha256, file), share in zip(by_hash.items(), shares, strict=True)
    ]
    return sources, skipped


def _names(files: Sequence[Path], paths: Sequence[Path]) -> dict[Path, str]:
    """Name files from the folder they were found in, with as many folders above it as make the names unique."""
    above = 1
    while True:
        names = {file: _name(file, paths, above) for file in files}
        if len({*names.values()}) == len(names):
            return names
        above += 1


def _name(file: Path, paths: Sequence[Path], above: int) -> str:
    root = next((path for path in paths if path.is_dir() and file.is_relative_to(path)), None)
    if root is None:
        return str(Path(*file.absolute().parts[-above:]))
    return str(Path(*root.resolve().parts[-above:]) / file.relative_to(root))


def _split(hashes: Sequence[str], settings: StoreSettings) -> dict[str, Split]:
    """Assign sources to validation and test in the order of their hashes: random, but the same every time."""
    count = len(hashes)
    validation = max(round(settings.validation * count), min(1, count - 1)) if settings.validation else 0
    test = max(round(settings.test * count), min(1, count - 2)) if settings.test and count > 2 else 0
    counts: dict[Split, int] = {"validation": validation, "test": test, "train": count - validation - test}
    return dict(zip(hashes, (split for split in counts for _ in range(counts[split])), strict=True))


def _digest(settings: StoreSettings, sources: Sequence[SourceFile]) -> str:
    """Return a digest that differs if stores differ: other codec versions compress the same images differently."""
    values = asdict(settings)
    old = {new: old for old, new in OLD_NAMES.items()}  # by which stores made before version 0.2 are still found
    facts = {
        "version": VERSION,
        "codecs": version(),
        "settings": values | {"degradation": {old.get(k, k): v for k, v in values["degradation"].items()}},
        "sources": [(s.name, s.sha256, s.licence) for s in sources],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _ignore(*_: object) -> None:
    pass
