"""From photos and films to a store: every source decoded once, its pieces degraded on all cores, resumable."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from vidsr.data.sources import find, is_video, left_out, licences
from vidsr.data.store import VERSION, Settings, Split, Store, is_store, read_store
from vidsr.data.workers import Progress, Source, assemble, begin, cut
from vidsr.errors import DataError, DiskFull, TargetExists
from vidsr.video.recode import version

FILM = 7  # a film counts as much as so many photos


def open_store(paths: Sequence[Path], folder: Path, settings: Settings, *, progress: Progress | None = None) -> Store:
    """Open the store of these sources and settings that `folder` holds; prepare it where it is not there yet.

    Raises DataError where nothing can be used, DiskFull.
    """
    sources, skipped = _sort(paths, settings, "", progress or _say_nothing)
    return _make(sources, skipped, folder / _digest(settings, sources)[:16], settings, None, progress or _say_nothing)


def prepare(
    paths: Sequence[Path],
    target: Path,
    settings: Settings,
    *,
    licence: str = "",
    workers: int | None = None,
    progress: Progress | None = None,
) -> Store:
    """Make a store of photos and films; go on with one that was interrupted; open one that is there already.

    licence: of the sources that no licences.csv beside them speaks of. workers: threads that degrade, one a core unless
    given. The same sources and settings make the same bytes, whatever the number of workers and interruptions. What
    cannot be used is left out, and named with its reason in the manifest. The store appears whole or not at all.
    Raises DataError where nothing can be used, TargetExists where `target` is something else, DiskFull.
    """
    sources, skipped = _sort(paths, settings, licence, progress or _say_nothing)
    return _make(sources, skipped, target, settings, workers, progress or _say_nothing)


def _make(
    sources: Sequence[Source],
    skipped: list[dict[str, str]],
    target: Path,
    settings: Settings,
    workers: int | None,
    progress: Progress,
) -> Store:
    digest = _digest(settings, sources)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        if is_store(target) and read_store(target).manifest["digest"] == digest:
            return read_store(target)
        raise TargetExists(f"{target} is there already and holds something else; give another name, or delete it")
    partial = target.with_name(target.name + ".part")
    try:
        begin(partial, digest)
        cut(sources, partial, settings, workers or os.cpu_count() or 1, progress)
        assemble(sources, skipped, partial, settings, digest, progress)
        partial.rename(target)
    except OSError as exc:
        cause = exc.__cause__ if isinstance(exc.__cause__, OSError) else exc  # not a sentence within a sentence
        raise DiskFull(
            f"the store {target} could not be written ({cause.strerror}); mend that and run this again: it goes on"
        ) from exc
    return read_store(target)


def _sort(
    paths: Sequence[Path], settings: Settings, licence: str, report: Progress
) -> tuple[list[Source], list[dict[str, str]]]:
    """Hash every source, leave out doubles, and say which split it is in and how much it gives."""
    files, known, unfit = find(paths), licences(paths), left_out(paths)
    names, by_hash = _names([*files, *unfit], paths), dict[str, Path]()
    skipped = [{"file": names[file], "reason": reason} for file, reason in unfit.items()]
    for done, file in enumerate(files):
        report("reading sources", done, len(files))
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
        raise DataError(f"none of the {len(files)} pictures and films can be used; the first: {skipped[0]['reason']}")
    splits = _split(sorted(by_hash), settings)
    weights = [FILM if is_video(file) else 1 for file in by_hash.values()]
    edges = np.rint(np.cumsum(weights) / sum(weights) * settings.pairs).astype(int)
    shares = np.diff(edges, prepend=0).clip(1).tolist()
    sources = [
        Source(file, names[file], sha256, known.get(file, licence), splits[sha256], share)
        for (sha256, file), share in zip(by_hash.items(), shares, strict=True)
    ]
    return sources, skipped


def _names(files: Sequence[Path], paths: Sequence[Path]) -> dict[Path, str]:
    """Name files by the folder they were found in, and by as much above it as it takes to tell them apart."""
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


def _split(hashes: Sequence[str], settings: Settings) -> dict[str, Split]:
    """Give whole sources to validation and test, in the order of their hashes: chance, and the same every time."""
    count = len(hashes)
    validation = max(round(settings.validation * count), min(1, count - 1)) if settings.validation else 0
    test = max(round(settings.test * count), min(1, count - 2)) if settings.test and count > 2 else 0
    counts: dict[Split, int] = {"validation": validation, "test": test, "train": count - validation - test}
    return dict(zip(hashes, (split for split in counts for _ in range(counts[split])), strict=True))


def _digest(settings: Settings, sources: Sequence[Source]) -> str:
    """Two stores share it only if they hold the same: other codecs make other bytes of the same pictures."""
    facts = {
        "version": VERSION,
        "codecs": version(),
        "settings": asdict(settings),
        "sources": [(s.name, s.sha256, s.licence) for s in sources],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _say_nothing(*_: object) -> None:
    pass
