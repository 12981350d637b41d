"""Stores: pairs of low-resolution and ground truth images, made once by `prepare`, read as plain arrays."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vidsr.data.degradation import OLD_NAMES, Degradation
from vidsr.errors import DataError

VERSION = 3
MANIFEST = "manifest.json"

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
ARRAYS = ("low", "high", "qp", "index")
OLD_QP = "quantiser"  # allowed word: the name of the array qp before version 0.2

INDEX = np.dtype([("source", "<i4"), ("kind", "<U24"), ("crf", "<f4"), ("looks", "<U72")])
"""Of each pair: index of its source in the manifest, codec ("clean" without one), CRF or QP of that codec (NaN without
one), and its other degradations, joined by +."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Everything that decides, with the sources, what a store contains."""

    scale: int = 4
    pairs: int = 65536
    """About how many; flat crops are left out, and no source gives more than it has."""
    side: int = 32
    """Of the low-resolution images, in pixels."""
    frames: int = 1
    """Consecutive frames in a pair: 1, or 3 to 7 for a temporal loss."""
    channels: int = 1
    """1 for limited-range BT.601 luma, 3 for RGB."""
    seed: int = 0
    validation: float = 0.02
    """Share of the sources whose pairs are never trained on; at least one source, if there are two."""
    test: float = 0.02
    """Share of the sources for a final test; at least one source, if there are three."""
    degradation: Degradation = field(default_factory=Degradation)

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4):
            raise DataError(f"expected a scale of 2, 3 or 4, got {self.scale}")
        if self.channels not in (1, 3) or self.frames not in (1, 3, 4, 5, 6, 7):
            got = f"{self.channels} channels and {self.frames} frames"
            raise DataError(f"expected 1 or 3 channels, and 1 frame or 3 to 7; got {got}")
        if min(self.pairs, self.side) < 1 or not 0 <= self.validation + self.test < 1:
            got = f"{self.pairs} pairs, a side of {self.side}, and shares of {self.validation} and {self.test}"
            raise DataError(
                f"expected pairs and side over 0, and shares of validation and test that sum to less than 1; got {got}"
            )


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of one split, as memory maps."""

    low: NDArray[np.uint8]
    """(n, frames, side, side, channels), degraded."""
    high: NDArray[np.uint8]
    """(n, frames, side * scale, side * scale, channels), ground truth."""
    qp: NDArray[np.float32]
    """(n, frames), QP 0 to 51 of each frame; 0 if it was never compressed."""
    index: NDArray[Any]
    """(n,) of INDEX: source and degradations of each pair."""

    def __len__(self) -> int:
        return len(self.low)


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of pairs and its manifest."""

    folder: Path
    settings: StoreSettings
    manifest: dict[str, Any]
    """`sources` (file, sha256, licence, split, width, height, frames, crops), `skipped` (file, reason), `splits`."""

    def split(self, name: Split) -> Pairs:
        """Open the pairs of a split; no source is in two splits. Raises DataError if a file is missing or truncated."""
        folder = self.folder / name
        try:
            old = {"qp": OLD_QP} if (folder / f"{OLD_QP}.npy").exists() else {}
            return Pairs(*(np.load(folder / f"{old.get(array, array)}.npy", mmap_mode="r") for array in ARRAYS))
        except (OSError, ValueError) as exc:
            raise DataError(f"the store {self.folder} is damaged ({exc}); prepare it again") from exc


def is_store(path: Path) -> bool:
    """Return whether `path` is the folder of a complete store."""
    return (path / MANIFEST).is_file()


def read_store(folder: Path) -> Store:
    """Open the store in `folder`. Raises DataError if it does not exist or has another version."""
    if not is_store(folder):
        raise DataError(f"{folder} does not contain a store; 'vidsr prepare IMAGES... -o {folder}' makes one")
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["version"] != VERSION:
            raise DataError(f"the store {folder} has version {manifest['version']}, not {VERSION}; prepare it again")
        settings = dict(manifest["settings"])
        degradation: dict[str, Any] = {
            OLD_NAMES.get(name, name): tuple(value) if isinstance(value, list) else value
            for name, value in settings.pop("degradation").items()
        }
        return Store(folder, StoreSettings(**settings, degradation=Degradation(**degradation)), manifest)
    except (json.JSONDecodeError, KeyError, TypeError) as exc:
        raise DataError(f"{folder / MANIFEST} is damaged ({exc}); prepare the store again") from exc


def shapes(settings: StoreSettings, count: int) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Return shape and dtype of each array of `count` pairs."""
    low = (count, settings.frames, settings.side, settings.side, settings.channels)
    high = (*low[:2], settings.side * settings.scale, settings.side * settings.scale, settings.channels)
    byte, real = np.dtype(np.uint8), np.dtype(np.float32)
    return {"low": (low, byte), "high": (high, byte), "qp": (low[:2], real), "index": ((count,), INDEX)}


def to_manifest(
    settings: StoreSettings, sources: list[dict[str, Any]], skipped: list[dict[str, str]], digest: str
) -> dict[str, Any]:
    """Return the manifest of a store; nothing in it depends on when or where the store was made."""
    crops = {split: sum(source["crops"] for source in sources if source["split"] == split) for split in SPLITS}
    return {
        "version": VERSION,
        "digest": digest,
        "settings": asdict(settings),
        "splits": crops,
        "sources": sources,
        "skipped": skipped,
    }
