"""Photos and films from Pixabay, with author and licence written down: https://pixabay.com/api/docs/."""

import filecmp
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidsr.data.fetch import Client
from vidsr.data.fetch__licences import Licences
from vidsr.data.sources import LICENCES
from vidsr.errors import DataError, InputError, StreamBroken
from vidsr.runs import write_whole

if TYPE_CHECKING:
    import httpx

ADDRESS = "https://pixabay.com/api/"
LICENCE = "Pixabay Content License"
PER_PAGE = 200  # the most Pixabay gives
CACHED_S = 24 * 3600  # as its terms ask; the addresses in an answer are good for as long
WIDEST_FILM = 1920  # of the sizes offered; 4K takes five times the bytes and is seldom sharp at pixel level
FAILED_IN_A_ROW = 3  # then it is not the file


@dataclass(frozen=True, slots=True)
class Hit:
    """One photo or film that was found."""

    name: str
    """What it is called on disk."""
    url: str
    size: tuple[int, int]
    """Width and height that Pixabay states; of a photo it is the original's, not that of `url`."""
    author: str
    page: str
    """Where people find it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What is there now."""

    files: list[Path]
    """Of this query, those that were there before included."""
    new: int
    """How many of them were downloaded now."""
    notices: list[str]
    """Sentences: what was not to be had, and why."""


def fetch_pixabay(
    query: str,
    folder: Path,
    *,
    key: str,
    count: int = 200,
    videos: bool = False,
    address: str = ADDRESS,
    progress: Callable[[int, int], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Download up to `count` photos (or films) that match `query` into `folder`, and note them in its licences.csv.

    A file appears under its name only when it is whole, and after its line in licences.csv; so a run that was killed
    is started again, and fetches what is missing. The same picture under two numbers is kept once. `progress` takes
    how many are there, of how many. `address`: of the API. `sleep` waits seconds.
    Raises InputError (a wrong key), DataError (nothing found), StreamBroken, DiskFull, ExtraMissing.
    """
    licences = Licences(folder / LICENCES)
    files: list[Path] = []
    total, new, failed, notices = 0, 0, 0, list[str]()
    with Client(sleep=sleep) as client:
        for total, hit in _hits(client, query, folder, key, "videos/" if videos else "", address):
            if progress:
                progress(len(files), min(count, total))
            if len(files) == count:
                break
            try:
                there = (folder / hit.name).exists()
                file = _fetch(client, hit, folder, licences)
                failed = 0
            except InputError as exc:
                failed += 1
                if failed == FAILED_IN_A_ROW:
                    raise
                notices.append(f"{hit.name} was left out: {exc}")
                continue
            if file.name == hit.name:
                files.append(file)
                new += not there
            else:
                notices.append(f"{hit.name} was left out: {file.name} is the same")
    if not files:
        raise StreamBroken(f"nothing could be downloaded: {'; '.join(notices)}")
    if total < count:
        what = "films" if videos else "photos"
        notices.append(f"{total} {what} match {query!r}, fewer than the {count} asked for; Pixabay shows 500 at most")
    return Fetched(files, new, notices)


def _hits(client: Client, query: str, folder: Path, key: str, kind: str, address: str) -> Iterator[tuple[int, Hit]]:
    """Give what matches, best first and each once, with how many there are in all."""
    seen: set[str] = set()
    total, page = 1, 1
    while (page - 1) * PER_PAGE < total:
        asked = {"q": query, "image_type": "photo", "safesearch": "true", "per_page": PER_PAGE, "page": page}
        found = _ask(client, address + kind, asked, key, folder)
        total, page = int(found["totalHits"]), page + 1
        if not total:
            raise DataError(f"Pixabay has nothing that matches {query!r}; try fewer or other words, in English")
        for one in found["hits"]:
            try:
                hit = _film(one) if kind else _photo(one)
            except (KeyError, IndexError, TypeError, ValueError) as exc:
                raise DataError(f"a hit of Pixabay's lacks what its documentation promises ({exc!r})") from exc
            if hit.name not in seen:
                yield total, hit
            seen.add(hit.name)


def _ask(client: Client, url: str, asked: dict[str, Any], key: str, folder: Path) -> dict[str, Any]:
    """Ask the API, or a day's memory of it in `folder`."""
    digest = hashlib.sha256(json.dumps([url, asked]).encode()).hexdigest()
    memory = folder / f".pixabay-{digest[:16]}.json"
    if not memory.exists() or time.time() - memory.stat().st_mtime > CACHED_S:
        write_whole(memory, client.get(url, lambda answer: _read(answer, key), {**asked, "key": key}))
    found: dict[str, Any] = json.loads(memory.read_bytes())
    return found


def _read(answer: "httpx.Response", key: str) -> bytes:
    body = answer.read()
    if answer.status_code != 200:
        said = body.decode(errors="replace").replace(key, "…")[:200].strip()
        if "API key" in said:
            raise InputError(f"Pixabay does not take this key ({said}); {ADDRESS}docs/ shows yours once you log in")
        raise InputError(f"Pixabay refused the search with {answer.status_code} ({said})")
    try:
        found = json.loads(body)
        found["totalHits"], found["hits"]
    except (ValueError, KeyError, TypeError) as exc:
        raise StreamBroken("what came back is no answer of Pixabay's; is there a login page in between?") from exc
    return body


def _photo(hit: dict[str, Any]) -> Hit:
    # Reduced pictures, for they are sharp at pixel level; the originals, which few keys get, seldom are.
    url = hit.get("fullHDURL") or hit["largeImageURL"]
    suffix = ".png" if url.partition("?")[0].endswith(".png") else ".jpg"
    size = hit["imageWidth"], hit["imageHeight"]
    return Hit(f"pixabay-{int(hit['id'])}{suffix}", url, size, hit["user"], hit["pageURL"])


def _film(hit: dict[str, Any]) -> Hit:
    offered = sorted((one for one in hit["videos"].values() if one["url"]), key=lambda one: int(one["width"]))
    fitting = [one for one in offered if one["width"] <= WIDEST_FILM] or offered[:1]
    best = fitting[-1]
    size = best["width"], best["height"]
    return Hit(f"pixabay-{int(hit['id'])}.mp4", best["url"], size, hit["user"], hit["pageURL"])


def _fetch(client: Client, hit: Hit, folder: Path, licences: Licences) -> Path:
    """Have one file on disk, and its line in the list. Gives the file: that of another hit where it is the same."""
    file = folder / hit.name
    if file.exists():
        if hit.name not in licences:
            licences.note(hit.name, _size(file, hit), LICENCE, hit.author, hit.page)
        return file
    partial = file.with_name(file.name + ".part")
    try:
        size = client.download(hit.url, partial, lambda path: _size(path, hit))
        for other in folder.glob("pixabay-*"):
            if other.suffix != ".part" and filecmp.cmp(other, partial, shallow=False):
                return other
        licences.note(hit.name, size, LICENCE, hit.author, hit.page)
        return partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _size(path: Path, hit: Hit) -> tuple[int, int]:
    """Width and height of a file that is found whole: a photo by decoding it. Raises StreamBroken."""
    from PIL import Image

    if path.suffixes[0] == ".mp4":
        with path.open("rb") as file:
            if file.read(8)[4:] != b"ftyp":  # ISO/IEC 14496-12: an mp4 begins with its file type box
                raise StreamBroken(f"{hit.name} is no mp4")
        return hit.size
    try:
        with Image.open(path) as image:
            image.load()
            return image.size
    except (OSError, SyntaxError, Image.DecompressionBombError) as exc:  # UnidentifiedImageError is an OSError
        raise StreamBroken(f"{hit.name} is damaged ({exc})") from exc
