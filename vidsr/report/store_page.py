"""The report of a store: what is in it, where from, on what terms, and what it looks like."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from vidsr.data.store import SPLITS, Pairs, Store
from vidsr.html_page import Page
from vidsr.report.charts import bars, outlines, panels, stacked
from vidsr.report.pair_examples import by_codec, by_look, quality, show, shown_width, strip
from vidsr.report.statistics import measure

LISTED = 2000  # sources; a page of a million lines helps nobody
RUNS = 3  # of frames
TITLES = {"clean": "No codec", "jpeg": "No codec but JPEG"}


def report_store(store: Store) -> str:
    """Describe a store in one HTML page with pictures, from a sample of its pairs. Raises ExtraMissing."""
    splits: dict[str, Pairs] = {name: pairs for name in SPLITS if len(pairs := store.split(name))}
    page = Page(f"Store {store.folder.resolve().name}")
    _summary(page, store)
    _splits(page, store, splits)
    _content(page, store, splits)
    name, pairs = next(iter(splits.items()))
    _degradations(page, name, pairs)
    _examples(page, store, pairs)
    _sources(page, store)
    page.heading("Settings")
    page.table(["setting", "value"], list(flat(store.manifest["settings"])))
    return page.to_html()


def _summary(page: Page, store: Store) -> None:
    made, manifest = store.settings, store.manifest
    count = sum(manifest["splits"].values())
    each = "pictures" if made.frames == 1 else f"runs of {made.frames} frames"
    large = made.side * made.scale
    used = sum(1 for source in manifest["sources"] if source["crops"])
    page.paragraph(
        f"{count:,} pairs of {each} in {'RGB' if made.channels == 3 else 'luma'}: {made.side}×{made.side} pixels, and "
        f"{large}×{large} as they were before, {made.scale} times larger. Cut from {used:,} sources. "
        f"Files skipped, wholly or in part: {len(manifest['skipped']):,}."
    )


def _splits(page: Page, store: Store, splits: dict[str, Pairs]) -> None:
    page.heading("Splits")
    page.paragraph("A source is in one split only, so no film is both learned from and measured on.")
    total = sum(map(len, splits.values()))
    rows: list[list[str]] = []
    for name, pairs in splits.items():
        sources = [source for source in store.manifest["sources"] if source["split"] == name and source["crops"]]
        coded = float(np.mean(pairs.index["kind"] != "clean"))
        rows.append([name, f"{len(sources):,}", f"{len(pairs):,}", f"{len(pairs) / total:.1%}", f"{coded:.1%}"])
    page.table(["split", "sources", "pairs", "share", "through a codec"], rows)


def _content(page: Page, store: Store, splits: dict[str, Pairs]) -> None:
    page.heading("Sizes, brightness, detail")
    found = {name: measure(store, pairs) for name, pairs in splits.items()}
    used = [source for source in store.manifest["sources"] if source["crops"]]
    megapixels = {
        name: np.array([source["width"] * source["height"] / 1e6 for source in used if source["split"] == name])
        for name in splits
    }
    largest = max(float(sizes.max(initial=0)) for sizes in megapixels.values())
    figure, (size, brightness, detail, psnr) = panels(2, 2)
    stacked(size, "Size of the sources", "megapixels", "sources", megapixels, np.linspace(0, largest * 1.02, 25))
    by = {name: one.brightness for name, one in found.items()}
    outlines(brightness, "Brightness", "mean luma, % of white", by, limits=(0, 100))
    by = {name: one.detail for name, one in found.items()}
    outlines(detail, "Detail", "mean absolute Laplacian, levels", by, limits=(0, 60))
    by = {name: one.psnr for name, one in found.items()}
    outlines(psnr, "What bicubic regains", "PSNR-Y, dB", by, limits=(15, 55))
    page.chart(
        figure,
        f"Of {sum(len(one.psnr) for one in found.values()):,} pairs, spread over the store; what lies outside an axis "
        "is counted at its end. Detail and brightness are those of the truth.",
    )


def _degradations(page: Page, split: str, pairs: Pairs) -> None:
    page.heading("What was done to the pictures")
    page.paragraph(
        "Soft, sharpened, dark, noisy and worn is film itself, so the truth is, too. Blurred, resized, grainy and jpeg "
        "is the small picture alone, for a network to mend; again: with the same faults a second time."
    )
    codecs = {name: places for name, places, _ in by_codec(pairs)}
    looks = {name: len(places) / len(pairs) * 100 for name, places, _ in by_look(pairs)}
    figure, (codec, qp, look) = panels(1, 3)
    bars(codec, "Codecs", "% of pairs", {name: len(places) / len(pairs) * 100 for name, places in codecs.items()})
    middle = np.asarray(pairs.qp[:, pairs.qp.shape[1] // 2])
    by = {name: middle[places] for name, places in codecs.items() if middle[places].any()}
    stacked(qp, "Quantiser", "QP of the frame, on H.264's scale", "pairs", by, np.arange(-0.5, 52.5))
    bars(look, "Further degradations", "% of pairs", dict(sorted(looks.items(), key=lambda one: -one[1])))
    page.chart(figure, f"Of all {len(pairs):,} pairs of the {split} split.")


def _examples(page: Page, store: Store, pairs: Pairs) -> None:
    page.heading("Examples of each codec")
    page.paragraph("Left what a network is given, in squares; right the truth. Below, what it went through.")
    for name, places, shown in by_codec(pairs):
        crf = pairs.index["crf"][places]
        ends = "" if np.isnan(crf).all() else f", {quality(name)} {np.nanmin(crf):.0f} to {np.nanmax(crf):.0f}"
        page.heading(f"{TITLES.get(name, name)}: {len(places):,} pairs{ends}", level=3)
        _show(page, store, pairs, shown.tolist())
    page.heading("Examples of each further degradation")
    for name, places, shown in by_look(pairs):
        page.heading(f"{name}: {len(places):,} pairs", level=3)
        _show(page, store, pairs, shown.tolist())
    if store.settings.frames > 1:
        page.heading("Runs of frames")
        every = -(-len(pairs) // RUNS)
        page.images([(strip(store, pairs, i), show(store, pairs, i)[1]) for i in range(0, len(pairs), every)])


def _show(page: Page, store: Store, pairs: Pairs, places: Sequence[int]) -> None:
    pictures = [show(store, pairs, place) for place in places]
    page.images(pictures, width=shown_width(store, pictures[0][0]))


def _sources(page: Page, store: Store) -> None:
    sources, skipped = store.manifest["sources"], store.manifest["skipped"]
    page.heading("Licences")
    count, crops = Counter[str](), Counter[str]()
    for source in sources:
        licence = source["licence"] or "none stated"
        count[licence] += 1
        crops[licence] += source["crops"]
    rows = [[licence, f"{number:,}", f"{crops[licence]:,}"] for licence, number in count.most_common()]
    page.table(["licence", "sources", "pairs"], rows)
    if skipped:
        page.heading("Skipped")
        page.table(["file", "reason"], [[one["file"], one["reason"]] for one in skipped[:LISTED]])
    page.heading("Sources")
    listed = [
        [
            source["file"],
            source["licence"] or None,
            source["split"],
            f"{source['width']}×{source['height']}",
            source["frames"],
            f"{source['crops']:,}",
        ]
        for source in sources[:LISTED]
    ]
    rest = f"The first {LISTED:,} of {len(sources):,}; manifest.json has them all." if len(sources) > LISTED else ""
    page.table(["file", "licence", "split", "size", "frames", "pairs"], listed, caption=rest)


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """Give a row of name and value for each setting, tables within tables as `table.name`; `a to b` for two numbers."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield [prefix + name, _show_value(value)]


def _show_value(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value) or "-"
    pair = len(value) == 2 and all(isinstance(one, int | float) for one in value)
    return (" to " if pair else ", ").join(map(str, value))
