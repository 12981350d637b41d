"""Fetching over HTTP: limits heeded, what fails tried again, and a file kept only when it is whole."""

import csv
import filecmp
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from vidsr.data.sources import LICENCES
from vidsr.errors import DataError, DiskFull, ExtraMissing, InputError, StreamBroken
from vidsr.io.atomic import write_atomically

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 5
FIRST_WAIT_S = 1.0  # doubled after each failure, where the server does not say how long to wait
LONGEST_WAIT_S = 120.0  # longer than the windows that servers count requests in; whoever asks for more means: later
TIMEOUT_S = 30.0

T = TypeVar("T")


class Client:
    """One kept-alive HTTP client for a with-block; `sleep` waits a number of seconds."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        try:
            import httpx
        except ImportError as exc:
            raise ExtraMissing("fetching needs httpx; pip install 'vidsr[train]' installs it") from exc
        headers = {"User-Agent": "vidsr", "Accept-Encoding": "identity"}  # bytes as they lie there
        self._http = httpx.Client(timeout=TIMEOUT_S, follow_redirects=True, headers=headers)
        self._failures = (httpx.RequestError, StreamBroken)
        self._unreachable = httpx.ConnectError
        self._sleep = sleep
        self._not_before: dict[str, float] = {}  # by address: a spent quota of questions holds no download back

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, url: str, take: Callable[["httpx.Response"], T], params: dict[str, Any] | None = None) -> T:
        """Ask for `url` and hand the answer to `take`, which reads the body and may raise StreamBroken to try again.

        429, server errors and cut connections are tried again, after as long as the server asks for. Gives what `take`
        gives. Raises StreamBroken where the host cannot be reached, keeps failing, or asks to come back much later.
        """
        host = urlsplit(url).netloc
        reason = ""
        for attempt in range(ATTEMPTS):
            self._heed(url)
            wait = FIRST_WAIT_S * 2**attempt
            try:
                with self._http.stream("GET", url, params=params) as answer:
                    if answer.status_code != 429 and answer.status_code < 500:
                        taken = take(answer)
                        if answer.headers.get("X-RateLimit-Remaining") == "0":
                            self._wait(url, _told(answer, wait))
                        return taken
                    reason, wait = f"it answered {answer.status_code}", _told(answer, wait)
            except self._unreachable as exc:
                raise StreamBroken(f"{host} cannot be reached ({exc}); try again when online") from exc
            except self._failures as exc:
                reason = str(exc) or type(exc).__name__
            self._wait(url, wait)
        raise StreamBroken(f"{host} failed {ATTEMPTS} times, at last because {reason}; try again later")

    def download(self, url: str, partial: Path, check: Callable[[Path], T]) -> T:
        """Write the body under `url` to `partial` until it is as long as announced and `check` finds nothing wrong.

        `check` raises StreamBroken for what is damaged; what it gives is given. Raises as `get`, and InputError where
        there is no such file, DiskFull.
        """

        def take(answer: "httpx.Response") -> T:
            if answer.status_code != 200:
                raise InputError(f"{url.partition('?')[0]} answered {answer.status_code} instead of a file")
            try:
                with partial.open("wb") as file:
                    for part in answer.iter_raw():  # httpx raises where fewer bytes come than were announced
                        file.write(part)
            except OSError as exc:
                raise DiskFull(f"{partial} could not be written ({exc.strerror}); make room") from exc
            return check(partial)

        return self.get(url, take)

    def _wait(self, url: str, seconds: float) -> None:
        self._not_before[url] = time.monotonic() + seconds

    def _heed(self, url: str) -> None:
        seconds = self._not_before.pop(url, 0.0) - time.monotonic()
        if seconds > LONGEST_WAIT_S:
            raise StreamBroken(
                f"{urlsplit(url).netloc} asks to come back in {seconds:.0f} s; give the command again then"
            )
        if seconds > 0:
            self._sleep(seconds)


def _told(answer: "httpx.Response", otherwise: float) -> float:
    """Seconds that the server asks to wait: Retry-After (RFC 9110, seconds or a date), else its own window's rest."""
    told = answer.headers.get("Retry-After") or answer.headers.get("X-RateLimit-Reset")
    if told is None:
        return otherwise
    if told.isdigit():
        return float(told)
    try:
        return parsedate_to_datetime(told).timestamp() - time.time()
    except ValueError:
        return otherwise


COLUMNS = ["file", "width", "height", "licence", "author", "source"]


class Licences:
    """The list of one folder; every line is on disk before `note` returns. Other columns and lines are kept.

    Raises DataError where something else lies at `path`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns, self._rows = list(COLUMNS), dict[str, dict[str, str]]()
        if path.exists():
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                if "file" not in (reader.fieldnames or COLUMNS):
                    raise DataError(f"{path} has no column named file; add one, or move it away")
                self._columns += [name for name in reader.fieldnames or () if name not in COLUMNS]
                self._rows = {row["file"]: row for row in reader}

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def note(self, name: str, size: tuple[int, int], licence: str, author: str, source: str) -> None:
        """Write one line: of a file, its width and height in pixels, and where it comes from. Raises DiskFull."""
        values = [name, *map(str, size), licence, author, source]
        self._rows[name] = dict(zip(COLUMNS, values, strict=True))
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows.values())
        write_atomically(self._path, text.getvalue().encode())


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
                hit = _video(one) if kind else _photo(one)
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
        write_atomically(memory, client.get(url, lambda answer: _read(answer, key), {**asked, "key": key}))
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


def _video(hit: dict[str, Any]) -> Hit:
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
