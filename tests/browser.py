"""What a real browser says of an HTML file: headless Chromium, from any of its packages."""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--enable-logging=stderr",
]
TIMEOUT_S = 120
CONSOLE = re.compile(r"^\[[^\]]*CONSOLE[^\]]*\] (.*)$", re.MULTILINE)

# Every <img> has loaded or failed when the page's load event comes, and the dump is made after it.
COUNT = """
<script>
addEventListener("load", () => {
  const seen = (one) => one.getBoundingClientRect().width > 0 && one.getBoundingClientRect().height > 0;
  const images = [...document.images], drawings = [...document.querySelectorAll("svg")];
  const shown = images.filter((one) => one.complete && one.naturalWidth > 0 && seen(one)).length;
  const drawn = drawings.filter(seen).length;
  const counts = { pictures: shown + drawn, broken: images.length - shown + drawings.length - drawn };
  document.body.append("COUNTS" + JSON.stringify(counts) + "END");
});
</script>
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """A page as the browser showed it."""

    console: list[str]
    """Whatever it said in the console."""
    pictures: int
    """Images and inline drawings that were shown."""
    broken: int
    """Those that were not."""


def opened(path: Path) -> Opened:
    """Open an HTML file in headless Chromium; skips the test where there is none."""
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser here: none of {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        copy = path.with_name(f"{path.stem}.counted.html")  # beside the page, so that what it names is found or missed
        copy.write_text(path.read_text(encoding="utf-8") + COUNT, encoding="utf-8")
        command = [browser, *FLAGS, f"--user-data-dir={folder}", "--dump-dom", copy.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        finally:
            copy.unlink()
    found = re.search(r"COUNTS(\{[^}]*\})END", done.stdout.rpartition("</script>")[2])
    assert found, f"the browser did not load {path}: {done.stderr[-2000:]}"
    return Opened(console=CONSOLE.findall(done.stderr), **json.loads(found[1]))
