"""HTML pages of text, tables, images and charts: one self-contained file, without scripts."""

import re
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO, StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""(height, width) gray or (height, width, 3) RGB."""

Cell = str | int | float | None
"""A table cell: floats are printed with six significant digits, None as a dash."""

LOSSLESS_PIXELS = 1 << 20  # larger images are embedded as JPEG: a 1080p frame as PNG takes megabytes
JPEG_QUALITY = 95
_NUMBER = re.compile(r"[-+×x~]?\d[\d.,:× x]*(\s?[\w%/²]{1,7})?|-?|nan|inf")

STYLE = """
:root { color-scheme: light dark; --ink: #1d1f21; --soft: #64686d; --line: #d9dbde; --paper: #fff; --band: #f5f6f7 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e5e7; --soft: #9a9fa5; --line: #3a3e43; --paper: #16181a; --band: #1e2124 }
  .chart svg { filter: invert(1) hue-rotate(180deg) }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 76rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .7rem; padding-top: .9rem; border-top: 1px solid var(--line) }
h3 { font-size: 1rem; margin: 1.8rem 0 .5rem }
p { max-width: 48rem; margin: .6rem 0 }
p, figcaption { overflow-wrap: anywhere }
.wide { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
caption, figcaption { color: var(--soft); font-size: .85rem; line-height: 1.4; text-align: left }
caption { caption-side: bottom; padding-top: .5rem }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line) }
th { font-weight: 600; border-bottom-width: 2px; white-space: nowrap }
th + th, td + td { padding-left: .8rem }
tbody tr:hover { background: var(--band) }
.number { text-align: right; white-space: nowrap }
figure { margin: 0; max-width: 100%; width: fit-content }
figure img, figure svg { display: block; max-width: 100%; height: auto }
figcaption { padding-top: .35rem; width: 0; min-width: max(100%, 8rem) }
.images { display: flex; flex-wrap: wrap; gap: 1.1rem; margin: 1rem 0; align-items: flex-start }
.zoomed { image-rendering: pixelated }
"""


class Page:
    """A page under construction: add headings, text, tables, images and charts in order, then call `to_html`."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._parts: list[str] = []
        self._charts = 0

    def heading(self, text: str, *, level: int = 2) -> None:
        """Start a section (level 2) or a subsection (level 3)."""
        self._parts.append(f"<h{level}>{escape(text)}</h{level}>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph of plain text."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "") -> None:
        """Add a table. Columns that hold only numbers are right-aligned."""
        shown = [[_show(cell) for cell in row] for row in rows]
        assert all(len(row) == len(header) for row in shown), "every row needs one cell for each column"
        numeric = [_are_numbers([row[i] for row in shown]) for i in range(len(header))]
        head = _row("th", header, numeric)
        body = "\n".join(_row("td", row, numeric) for row in shown)
        note = f"<caption>{escape(caption)}</caption>" if caption else ""
        self._parts.append(
            f'<div class="wide"><table>{note}<thead>{head}</thead><tbody>\n{body}\n</tbody></table></div>'
        )

    def image(self, array: Image, caption: str = "", width: int | None = None) -> None:
        """Add one image, `width` CSS pixels wide; see `images`."""
        self.images([(array, caption)], width=width)

    def images(self, images: Sequence[tuple[Image, str]], *, width: int | None = None) -> None:
        """Add images with captions side by side, as many to a row as fit.

        width: of each, in CSS pixels; None uses the image's width. Upscaled pixels are shown as sharp squares.
        """
        figures = "\n".join(_figure(array, caption, width) for array, caption in images)
        self._parts.append(f'<div class="images">\n{figures}\n</div>')

    def chart(self, figure: Any, caption: str = "") -> None:
        """Add a matplotlib Figure as inline SVG; equal figures give equal text."""
        self._charts += 1
        note = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        drawing = _drawing(figure, f"c{self._charts}", caption or "chart")
        self._parts.append(f'<div class="images"><figure class="chart">{drawing}{note}</figure></div>')

    def to_html(self) -> str:
        """Return the page as HTML5. It loads nothing from elsewhere and runs no scripts."""
        title, body = escape(self.title), "\n".join(self._parts)
        # The empty icon keeps browsers from requesting one.
        return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>{STYLE}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def _show(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _are_numbers(column: Sequence[str]) -> bool:
    return all(map(_NUMBER.fullmatch, column)) and not {*column} <= {"", "-"}


def _row(tag: str, cells: Sequence[str], numeric: Sequence[bool]) -> str:
    kinds = [' class="number"' if number else "" for number in numeric]
    return (
        "<tr>"
        + "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for cell, kind in zip(cells, kinds, strict=True))
        + "</tr>"
    )


def _figure(array: Image, caption: str, width: int | None) -> str:
    zoomed = ' class="zoomed"' if width is not None and width > array.shape[1] else ""
    width = width or array.shape[1]
    alt, note = escape(caption or "image"), f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img{zoomed} width="{width}" alt="{alt}" src="{_data_uri(array)}">{note}</figure>'


def _data_uri(array: Image) -> str:
    """Return an image as a data URI: PNG, or JPEG at 4:4:4 if it is large."""
    from PIL import Image as PillowImage

    assert array.dtype == np.uint8 and (array.ndim == 2 or array.shape[2:] == (3,)), (array.dtype, array.shape)
    kind = "jpeg" if array.shape[0] * array.shape[1] > LOSSLESS_PIXELS else "png"
    options: dict[str, Any] = {"quality": JPEG_QUALITY, "subsampling": 0} if kind == "jpeg" else {"optimize": True}
    file = BytesIO()
    PillowImage.fromarray(np.ascontiguousarray(array)).save(file, kind, **options)
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"


def _drawing(figure: Any, prefix: str, label: str) -> str:
    """Return a figure as an <svg> element. Its ids are numbered instead of random, and unique on the page."""
    file = StringIO()
    figure.savefig(file, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    numbers = {name: f"{prefix}-{i}" for i, name in enumerate(dict.fromkeys(re.findall(r' id="([^"]+)"', svg)))}
    svg = re.sub(r'( id="|href="#|url\(#)([^")]+)', lambda found: found[1] + numbers[found[2]], svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1).strip()
