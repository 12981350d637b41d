import re

import numpy as np
import pytest

from tests.browser import opened
from vidsr.html_page import LOSSLESS_PIXELS, Page

rng = np.random.default_rng(0)


def crop(*shape: int) -> np.ndarray:
    return rng.integers(0, 256, shape, np.uint8)


def full_page() -> Page:
    page = Page("All of it")
    page.heading("Figures")
    page.paragraph("What was measured.")
    page.table(["model", "PSNR-Y"], [["bicubic", 33.67], ["mine", None]], caption="Set5, ×2")
    page.image(crop(16, 16), "grey, upscaled", width=128)
    page.images([(crop(24, 32, 3), "colour"), (crop(24, 32), "")])
    return page


def test_text_is_escaped():
    page = Page("a < b & c")
    nasty = """<script>alert("x")</script>'&"""
    page.heading(nasty)
    page.paragraph(nasty)
    page.table([nasty], [[nasty]], caption=nasty)
    page.image(crop(4, 4), caption=nasty)
    html = page.to_html()
    assert "<script" not in html
    assert "<title>a &lt; b &amp; c</title>" in html
    assert html.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#x27;&amp;") == 7  # alt and caption


def test_a_page_needs_nothing_but_itself():
    page = full_page()
    page.image(crop(1100, 1000, 3))
    html = page.to_html()
    assert "<script" not in html and "http" not in html
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^"]*)"', html))


def test_pictures_are_lossless_unless_they_are_large():
    page = Page("sizes")
    page.image(np.zeros((1024, LOSSLESS_PIXELS // 1024), np.uint8))
    page.image(np.zeros((1024, LOSSLESS_PIXELS // 1024 + 1), np.uint8))
    assert re.findall(r"data:image/(\w+)", page.to_html()) == ["png", "jpeg"]


def test_only_what_is_upscaled_is_shown_in_sharp_squares():
    for width, zoomed in ((None, False), (16, False), (64, True)):
        page = Page("zoom")
        page.image(crop(8, 16), width=width)
        assert (' class="zoomed"' in page.to_html()) is zoomed


@pytest.mark.parametrize("cell", [1, 2.5, None, "-3.4", "+0.12", "12.3 kB", "×4", "320×180", "97 %", "1 234"])
def test_columns_of_numbers_are_right_aligned(cell):
    page = Page("table")
    page.table(["name", "figure"], [["one", cell], ["two", 17]])
    html = page.to_html()
    assert '<th class="number">figure</th>' in html and "<th>name</th>" in html


@pytest.mark.parametrize("cells", [["12", "about a dozen"], [None, None], []])
def test_other_columns_are_left_aligned(cells):
    page = Page("table")
    page.table(["figure"], [[cell] for cell in cells])
    assert 'class="number"' not in page.to_html()


def test_a_browser_shows_the_page_and_has_nothing_to_say(tmp_path):
    (tmp_path / "page.html").write_text(full_page().to_html(), encoding="utf-8")
    shown = opened(tmp_path / "page.html")
    assert (shown.console, shown.pictures, shown.broken) == ([], 3, 0)


def test_a_browser_notices_what_is_wrong_with_a_page(tmp_path):
    """Else the test above could not fail."""
    html = full_page().to_html().replace("data:image/png;base64,i", "data:image/png;base64,A", 1)
    html = html.replace("</body>", '<img src="gone.png" alt=""><script>console.error("wrong")</script></body>')
    (tmp_path / "page.html").write_text(html, encoding="utf-8")
    shown = opened(tmp_path / "page.html")
    assert (shown.pictures, shown.broken) == (2, 2)
    assert any("wrong" in line for line in shown.console)


def chart():
    pytest.importorskip("matplotlib", reason="charts need vidsr[evaluate]")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot([1, 2, 3], [3, 1, 2], "o-", label="one")
    axes.set_title("A < B")
    axes.legend()
    return figure


def test_a_chart_is_inline_and_the_same_each_time(tmp_path):
    texts = []
    for _ in range(2):
        page = Page("charts")
        page.chart(chart(), caption="first")
        page.chart(chart())
        texts.append(page.to_html())
    assert texts[0] == texts[1]
    assert "<?xml" not in texts[0] and "<metadata" not in texts[0]
    ids = re.findall(r' id="([^"]+)"', texts[0])
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:href="|url\()#([^")]+)', texts[0])
    assert used and set(used) <= set(ids)
    (tmp_path / "page.html").write_text(texts[0], encoding="utf-8")
    shown = opened(tmp_path / "page.html")
    assert (shown.console, shown.pictures, shown.broken) == ([], 2, 0)
