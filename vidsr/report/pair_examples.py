"""Example pairs of each degradation, the low-resolution image beside the ground truth."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vidsr.data.color_convert import displayable
from vidsr.data.degradation import OLD_NAMES
from vidsr.data.store import Pairs, Store
from vidsr.html_page import Image

EXAMPLES = 8  # of a codec
EXAMPLES_OF_A_LOOK = 4
GAP = 4  # pixels between the two images
SHOWN = 160  # CSS pixels a side, about

Indexes = NDArray[np.intp]


def by_codec(pairs: Pairs) -> Iterator[tuple[str, Indexes, Indexes]]:
    """Yield each codec, uncompressed first, with its pairs and with examples from the best quality to the worst."""
    kinds, crf = np.asarray(pairs.index["kind"]), np.asarray(pairs.index["crf"])
    names, counts = np.unique(kinds, return_counts=True)
    for name in sorted(names, key=lambda name: (name != "clean", -counts[names == name][0], name)):
        found = np.flatnonzero(kinds == name)
        some = _one_a_source(pairs, _shuffled(found), EXAMPLES)
        some = some[np.argsort(crf[some], kind="stable")]
        spread = np.unique(np.linspace(0, len(some) - 1, min(EXAMPLES, len(some))).astype(np.intp))
        yield str(name), found, some[spread]


def by_look(pairs: Pairs) -> Iterator[tuple[str, Indexes, Indexes]]:
    """Yield each other degradation with its pairs and with examples that have few other degradations."""
    looks, inverse = np.unique(np.asarray(pairs.index["looks"]), return_inverse=True)
    lists = [[OLD_NAMES.get(name, name) for name in look.split("+") if name] for look in looks]
    others = np.array([len(names) for names in lists])[inverse] + 2 * (pairs.index["kind"] != "clean")
    for name in sorted({name for names in lists for name in names}):
        found = np.flatnonzero(np.array([name in names for names in lists])[inverse])
        some = _shuffled(found)
        plainest = some[np.argsort(others[some], kind="stable")]
        yield name, found, _one_a_source(pairs, plainest, EXAMPLES_OF_A_LOOK)[:EXAMPLES_OF_A_LOOK]


def _shuffled(indexes: Indexes) -> Indexes:
    return np.random.default_rng(0).permutation(indexes)  # neighbours are often from one source, even from one image


def _one_a_source(pairs: Pairs, indexes: Indexes, wanted: int) -> Indexes:
    """Return the first pair of each source, or all pairs if that would be fewer than `wanted`."""
    firsts = np.sort(np.unique(pairs.index["source"][indexes], return_index=True)[1])
    return indexes[firsts] if len(firsts) >= wanted else indexes


def quality_name(kind: str) -> str:
    """Return what the `crf` of pairs with this codec is called."""
    return "QP" if kind == "libx265" else "CRF"


def show_pair(store: Store, pairs: Pairs, index: int) -> tuple[Image, str]:
    """Return an image of one pair, low resolution in squares and ground truth, and its degradations as a caption."""
    middle = store.settings.frames // 2
    image = _side_by_side(pairs.low[index, middle], pairs.high[index, middle], store.settings.scale)
    entry, qp = pairs.index[index], float(pairs.qp[index, middle])
    kind, looks = str(entry["kind"]), [look for look in str(entry["looks"]).split("+") if look]
    codec = kind if np.isnan(entry["crf"]) else f"{kind} at {quality_name(kind)} {entry['crf']:.0f}"
    codec += f" (frame QP {qp:.0f})" if qp else ""
    names = ", ".join([codec, *(OLD_NAMES.get(look, look) for look in looks if look != kind)])
    return image, f"{names}; {store.manifest['sources'][entry['source']]['file']}"


def show_frames(store: Store, pairs: Pairs, index: int) -> Image:
    """Return an image of all frames of one pair in a row, low resolution above the ground truth."""
    low, high = pairs.low[index], pairs.high[index]
    columns = [_side_by_side(low[i], high[i], store.settings.scale, axis=0) for i in range(len(low))]
    gap = np.full((columns[0].shape[0], GAP, *columns[0].shape[2:]), 128, np.uint8)
    parts = [part for column in columns for part in (column, gap)]
    return np.concatenate(parts[:-1], axis=1)


def shown_width(store: Store, image: Image) -> int:
    """Return the width in CSS pixels that shows an image in whole squares at about SHOWN."""
    return int(image.shape[1]) * max(1, round(SHOWN / (store.settings.side * store.settings.scale)))


def _side_by_side(low: Image, high: Image, scale: int, axis: int = 1) -> Image:
    squares, truth = displayable(low.repeat(scale, axis=0).repeat(scale, axis=1)), displayable(high)
    shape = (GAP, truth.shape[1]) if axis == 0 else (truth.shape[0], GAP)
    return np.concatenate([squares, np.full((*shape, *truth.shape[2:]), 128, np.uint8), truth], axis=axis)
