"""The store: pairs of small and large pictures, made once by `prepare`, then read from disk as plain arrays."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vidsr.data.degradation import Degradation
from vidsr.errors import DataError

VERSION = 3
MANIFEST = "manifest.json"

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
ARRAYS = ("low", "high", "quantiser", "index")

INDEX = np.dtype([("source", "<i4"), ("kind", "<U24"), ("crf", "<f4"), ("looks", "<U64")])
"""Of each pair: the place of its source in the manifest, its codec ("clean" for none), that codec's CRF or QP (NaN for
none), and what else was done to it, joined by +."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that decides, with the sources, what a store holds."""

    scale: int = 4
    pairs: int = 65536
    """About how many; flat crops are left out, and a source gives no more than it has."""
    side: int = 32
    """Of the small pictures, in pixels."""
    frames: int = 1
    """Consecutive ones in a pair: 1, or 3 to 7 for a loss over time."""
    channels: int = 1
    """1: BT.601 luma of limited range; 3: RGB."""
    seed: int = 0
    validation: float = 0.02
    """Share of the sources whose pairs are never trained on; at least one, where there are two sources."""
    test: float = 0.02
    """The same, for a last look; at least one, where there are three."""
    degradation: Degradation = field(default_factory=Degradation)

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4):
            raise DataError(f"scale is {self.scale}; a store is made for 2, 3 or 4")
        if self.channels not in (1, 3) or self.frames not in (1, 3, 4, 5, 6, 7):
            raise DataError("a pair has 1 or 3 channels, and 1 frame or 3 to 7")
        if min(self.pairs, self.side) < 1 or not 0 <= self.validation + self.test < 1:
            raise DataError("pairs and side must be over 0, and validation and test together a share below 1")


@dataclass(frozen=True, slots=True)
class Pairs:
    """The pairs of one split, on disk."""

    low: NDArray[np.uint8]
    """(n, frames, side, side, channels), as they arrive."""
    high: NDArray[np.uint8]
    """(n, frames, side * scale, side * scale, channels), the truth."""
    qp: NDArray[np.float32]
    """(n, frames), QP 0 to 51 that a codec used on the frame; 0: never coded."""
    index: NDArray[Any]
    """(n,) of INDEX: where each pair is from, and what was done to it."""

    def __len__(self) -> int:
        return len(self.low)


@dataclass(frozen=True, slots=True)
class Store:
    """A folder of pairs and its manifest."""

    folder: Path
    settings: Settings
    manifest: dict[str, Any]
    """`sources` (file, sha256, licence, split, width, height, frames, crops), `skipped` (file, reason), `splits`."""

    def split(self, name: Split) -> Pairs:
        """The pairs of a split: those of other sources are in others. Raises DataError where a file is lost or torn."""
        try:
            return Pairs(*(np.load(self.folder / name / f"{array}.npy", mmap_mode="r") for array in ARRAYS))
        except (OSError, ValueError) as exc:
            raise DataError(f"the store {self.folder} is damaged ({exc}); prepare it anew") from exc


def is_store(path: Path) -> bool:
    """Whether `path` is the folder of a store, whole."""
    return (path / MANIFEST).is_file()


def read_store(folder: Path) -> Store:
    """Open the store in `folder`. Raises DataError where there is none, or one of another version."""
    if not is_store(folder):
        raise DataError(f"{folder} holds no store; 'vidsr prepare PICTURES... -o {folder}' makes one")
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["version"] != VERSION:
            raise DataError(f"the store {folder} is of version {manifest['version']}, not {VERSION}; prepare it anew")
        settings = dict(manifest["settings"])
        ranges: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in settings.pop("degradation").items()
        }
        return Store(folder, Settings(**settings, degradation=Degradation(**ranges)), manifest)
    except (json.JSONDecodeError, KeyError, TypeError) as exc:
        raise DataError(f"{folder / MANIFEST} is damaged ({exc}); prepare the store anew") from exc


def shapes(settings: Settings, count: int) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of each array of `count` pairs."""
    low = (count, settings.frames, settings.side, settings.side, settings.channels)
    high = (*low[:2], settings.side * settings.scale, settings.side * settings.scale, settings.channels)
    byte, real = np.dtype(np.uint8), np.dtype(np.float32)
    return {"low": (low, byte), "high": (high, byte), "quantiser": (low[:2], real), "index": ((count,), INDEX)}


def to_manifest(
    settings: Settings, sources: list[dict[str, Any]], skipped: list[dict[str, str]], digest: str
) -> dict[str, Any]:
    """Write down what a store holds; nothing in it depends on when or where it was made."""
    crops = {split: sum(source["crops"] for source in sources if source["split"] == split) for split in SPLITS}
    return {
        "version": VERSION,
        "digest": digest,
        "settings": asdict(settings),
        "splits": crops,
        "sources": sources,
        "skipped": skipped,
    }
