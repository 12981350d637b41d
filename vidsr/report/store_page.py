"""The report of a store: splits, statistics, degradations, examples, sources and licences."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from vidsr.data.store import SPLITS, Pairs, Store
from vidsr.html_page import Page
from vidsr.report.charts import chart_grid, draw_bars, draw_outlines, draw_stacked
from vidsr.report.pair_examples import by_codec, by_look, quality_name, show_frames, show_pair, shown_width
from vidsr.report.statistics import measure

LISTED = 2000  # sources at most
SEQUENCES = 3  # of frames
TITLES = {"clean": "Not compressed", "jpeg": "Compressed as JPEG only"}


def report_store(store: Store) -> str:
    """Return an HTML page about a store, with statistics of a sample of its pairs. Raises ExtraMissing."""
    splits: dict[str, Pairs] = {name: pairs for name in SPLITS if len(pairs := store.split(name))}
    page = Page(f"Store {store.folder.resolve().name}")
    _summary(page, store)
    _splits(page, store, splits)
    _statistics(page, store, splits)
    name, pairs = next(iter(splits.items()))
    _degradations(page, name, pairs)
    _examples(page, store, pairs)
    _sources(page, store)
    page.heading("Settings")
    page.table(["setting", "value"], list(flatten(store.manifest["settings"])))
    return page.to_html()


def _summary(page: Page, store: Store) -> None:
    made, manifest = store.settings, store.manifest
    count = sum(manifest["splits"].values())
    each = "images" if made.frames == 1 else f"sequences of {made.frames} frames"
    large = made.side * made.scale
    used = sum(1 for source in manifest["sources"] if source["crops"])
    page.paragraph(
        f"{count:,} pairs of {each} in {'RGB' if made.channels == 3 else 'luma'}: {made.side}×{made.side} pixels, and "
        f"the ground truth of {large}×{large}, {made.scale} times larger. Cut from {used:,} sources. "
        f"Files skipped, completely or in part: {len(manifest['skipped']):,}."
    )


def _splits(page: Page, store: Store, splits: dict[str, Pairs]) -> None:
    page.heading("Splits")
    page.paragraph("A source is in one split only, so that no video is both trained and tested on.")
    total = sum(map(len, splits.values()))
    rows: list[list[str]] = []
    for name, pairs in splits.items():
        sources = [source for source in store.manifest["sources"] if source["split"] == name and source["crops"]]
        coded = float(np.mean(pairs.index["kind"] != "clean"))
        rows.append([name, f"{len(sources):,}", f"{len(pairs):,}", f"{len(pairs) / total:.1%}", f"{coded:.1%}"])
    page.table(["split", "sources", "pairs", "share", "compressed"], rows)


def _statistics(page: Page, store: Store, splits: dict[str, Pairs]) -> None:
    page.heading("Sizes, brightness, detail")
    found = {name: measure(store, pairs) for name, pairs in splits.items()}
    used = [source for source in store.manifest["sources"] if source["crops"]]
    sizes = {
        name: np.array([source["width"] * source["height"] / 1e6 for source in used if source["split"] == name])
        for name in splits
    }
    largest = max(float(each.max(initial=0)) for each in sizes.values())
    figure, (size, brightness, detail, psnr) = chart_grid(2, 2)
    draw_stacked(size, "Size of the sources", "megapixels", "sources", sizes, np.linspace(0, largest * 1.02, 25))
    by = {name: one.brightness for name, one in found.items()}
    draw_outlines(brightness, "Brightness", "mean luma, % of white", by, limits=(0, 100))
    by = {name: one.detail for name, one in found.items()}
    draw_outlines(detail, "Detail", "mean absolute Laplacian, levels", by, limits=(0, 60))
    by = {name: one.psnr for name, one in found.items()}
    draw_outlines(psnr, "Bicubic against the ground truth", "PSNR-Y, dB", by, limits=(15, 55))
    page.chart(
        figure,
        f"Of {sum(len(one.psnr) for one in found.values()):,} pairs, spread over the store; values outside an axis "
        "are counted at its end. Detail and brightness are those of the ground truth.",
    )


def _degradations(page: Page, split: str, pairs: Pairs) -> None:
    page.heading("Degradations")
    page.paragraph(
        "Soft, sharpened, dark, noisy and recompressed: of the ground truth too, since videos are like that. Blurred, "
        "resized, grainy and jpeg: of the low-resolution image alone, for the network to remove. Again: the same twice."
    )
    codecs = {name: indexes for name, indexes, _ in by_codec(pairs)}
    looks = {name: len(indexes) / len(pairs) * 100 for name, indexes, _ in by_look(pairs)}
    figure, (codec, qp, look) = chart_grid(1, 3)
    shares = {name: len(indexes) / len(pairs) * 100 for name, indexes in codecs.items()}
    draw_bars(codec, "Codecs", "% of pairs", shares)
    middle = np.asarray(pairs.qp[:, pairs.qp.shape[1] // 2])
    by = {name: middle[indexes] for name, indexes in codecs.items() if middle[indexes].any()}
    draw_stacked(qp, "QP", "QP of the frame, on H.264's scale", "pairs", by, np.arange(-0.5, 52.5))
    draw_bars(look, "Other degradations", "% of pairs", dict(sorted(looks.items(), key=lambda one: -one[1])))
    page.chart(figure, f"Of all {len(pairs):,} pairs of the {split} split.")


def _examples(page: Page, store: Store, pairs: Pairs) -> None:
    page.heading("Examples of each codec")
    page.paragraph("Left: low resolution in squares; right: the ground truth; below: what was applied.")
    for name, indexes, shown in by_codec(pairs):
        crf = pairs.index["crf"][indexes]
        ends = "" if np.isnan(crf).all() else f", {quality_name(name)} {np.nanmin(crf):.0f} to {np.nanmax(crf):.0f}"
        page.heading(f"{TITLES.get(name, name)}: {len(indexes):,} pairs{ends}", level=3)
        _show(page, store, pairs, shown.tolist())
    page.heading("Examples of each other degradation")
    for name, indexes, shown in by_look(pairs):
        page.heading(f"{name}: {len(indexes):,} pairs", level=3)
        _show(page, store, pairs, shown.tolist())
    if store.settings.frames > 1:
        page.heading("Sequences of frames")
        every = -(-len(pairs) // SEQUENCES)
        page.images(
            [(show_frames(store, pairs, i), show_pair(store, pairs, i)[1]) for i in range(0, len(pairs), every)]
        )


def _show(page: Page, store: Store, pairs: Pairs, indexes: Sequence[int]) -> None:
    images = [show_pair(store, pairs, index) for index in indexes]
    page.images(images, width=shown_width(store, images[0][0]))


def _sources(page: Page, store: Store) -> None:
    sources, skipped = store.manifest["sources"], store.manifest["skipped"]
    page.heading("Licences")
    count, crops = Counter[str](), Counter[str]()
    for source in sources:
        licence = source["licence"] or "not stated"
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
    rest = f"The first {LISTED:,} of {len(sources):,}; manifest.json lists all." if len(sources) > LISTED else ""
    page.table(["file", "licence", "split", "size", "frames", "pairs"], listed, caption=rest)


def flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """Yield a row of name and value for each setting: `table.name` within tables, `a to b` for two numbers."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield [prefix + name, _show_value(value)]


def _show_value(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value) or "-"
    pair = len(value) == 2 and all(isinstance(one, int | float) for one in value)
    return (" to " if pair else ", ").join(map(str, value))
