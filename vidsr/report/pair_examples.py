"""Pairs worth looking at: some of each degradation, the small picture beside the truth."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vidsr.data.store import Pairs, Store
from vidsr.html_page import Image
from vidsr.report.statistics import BLACK, WHITE

EXAMPLES = 8  # of a codec
EXAMPLES_OF_A_LOOK = 4
GAP = 4  # pixels between the two
SHOWN = 160  # CSS pixels a side, about

Places = NDArray[np.intp]


def by_codec(pairs: Pairs) -> Iterator[tuple[str, Places, Places]]:
    """Each codec (the uncoded first), the places of its pairs, and of examples: from the best quality to the worst."""
    kinds, crf = np.asarray(pairs.index["kind"]), np.asarray(pairs.index["crf"])
    names, counts = np.unique(kinds, return_counts=True)
    for name in sorted(names, key=lambda name: (name != "clean", -counts[names == name][0], name)):
        places = np.flatnonzero(kinds == name)
        some = _one_a_source(pairs, _shuffled(places), EXAMPLES)
        some = some[np.argsort(crf[some], kind="stable")]
        spread = np.unique(np.linspace(0, len(some) - 1, min(EXAMPLES, len(some))).astype(np.intp))
        yield str(name), places, some[spread]


def by_look(pairs: Pairs) -> Iterator[tuple[str, Places, Places]]:
    """Each further degradation, the places of its pairs, and of examples where little else hides it."""
    looks, inverse = np.unique(np.asarray(pairs.index["looks"]), return_inverse=True)
    others = np.array([look.count("+") for look in looks])[inverse] + 2 * (pairs.index["kind"] != "clean")
    for name in sorted({name for look in looks for name in look.split("+") if name}):
        places = np.flatnonzero(np.array([name in look.split("+") for look in looks])[inverse])
        some = _shuffled(places)
        plainest = some[np.argsort(others[some], kind="stable")]
        yield name, places, _one_a_source(pairs, plainest, EXAMPLES_OF_A_LOOK)[:EXAMPLES_OF_A_LOOK]


def _shuffled(places: Places) -> Places:
    return np.random.default_rng(0).permutation(places)  # neighbours are from one source, and often from one picture


def _one_a_source(pairs: Pairs, places: Places, wanted: int) -> Places:
    """Keep the first of each source, in this order; all, where those would be fewer than `wanted`."""
    firsts = np.sort(np.unique(pairs.index["source"][places], return_index=True)[1])
    return places[firsts] if len(firsts) >= wanted else places


def quality(kind: str) -> str:
    """What the `crf` of the pairs of a codec is."""
    return "QP" if kind == "libx265" else "CRF"


def show(store: Store, pairs: Pairs, place: int) -> tuple[Image, str]:
    """One pair, the small picture enlarged to sharp squares beside the truth, and what it went through."""
    middle = store.settings.frames // 2
    picture = _beside(pairs.low[place, middle], pairs.high[place, middle], store.settings.scale)
    entry, qp = pairs.index[place], float(pairs.qp[place, middle])
    kind, looks = str(entry["kind"]), [look for look in str(entry["looks"]).split("+") if look]
    said = kind if np.isnan(entry["crf"]) else f"{kind} at {quality(kind)} {entry['crf']:.0f}"
    said += f" (quantiser {qp:.0f})" if qp else ""
    said = ", ".join([said, *(look for look in looks if look != kind)])
    return picture, f"{said}; {store.manifest['sources'][entry['source']]['file']}"


def strip(store: Store, pairs: Pairs, place: int) -> Image:
    """All frames of one pair in a line, the small ones above the truth."""
    low, high = pairs.low[place], pairs.high[place]
    columns = [_beside(low[i], high[i], store.settings.scale, axis=0) for i in range(len(low))]
    gap = np.full((columns[0].shape[0], GAP, *columns[0].shape[2:]), 128, np.uint8)
    parts = [part for column in columns for part in (column, gap)]
    return np.concatenate(parts[:-1], axis=1)


def shown_width(store: Store, picture: Image) -> int:
    """CSS pixels that show a picture in whole squares, near the size that people look at."""
    side, width = store.settings.side * store.settings.scale, int(picture.shape[1])
    return width * max(1, round(SHOWN / side))


def _beside(low: NDArray[np.uint8], high: NDArray[np.uint8], scale: int, axis: int = 1) -> Image:
    near = low.repeat(scale, axis=0).repeat(scale, axis=1)  # (side * scale, side * scale, channels)
    shape = (GAP, high.shape[1]) if axis == 0 else (high.shape[0], GAP)
    both = np.concatenate([_visible(near), np.full((*shape, high.shape[2]), 128, np.uint8), _visible(high)], axis=axis)
    return both[..., 0] if both.shape[2] == 1 else both


def _visible(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Limited luma as grey from black to white; RGB as it is."""
    if picture.shape[2] == 3:
        return picture
    grey = (picture.astype(np.float32) - BLACK) * (255 / (WHITE - BLACK))
    return np.asarray(np.rint(grey).clip(0, 255), np.uint8)
