"""Download photos and videos from Pixabay: rate limits are respected, failures retried, and only whole files kept."""

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
FIRST_WAIT_S = 1.0  # doubled after each failure, unless the server says how long to wait
LONGEST_WAIT_S = 120.0  # longer than the windows of common rate limits; a longer wait is left to the user
TIMEOUT_S = 30.0

ADDRESS = "https://pixabay.com/api/"
LICENCE = "Pixabay Content License"
PER_PAGE = 200  # Pixabay's maximum
CACHED_S = 24 * 3600  # for which its terms ask to cache answers; the addresses in an answer are valid as long
WIDEST_VIDEO = 1920  # pixels; 4K takes five times the bytes and is seldom sharp at pixel level
FAILED_IN_A_ROW = 3  # files after which the cause is not the file

T = TypeVar("T")


class Client:
    """An HTTP client with retries, for a with-block. sleep: waits a number of seconds."""

    def __init__(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        try:
            import httpx
        except ImportError as exc:
            raise ExtraMissing("fetching needs httpx; install it with: pip install 'vidsr[train]'") from exc
        headers = {"User-Agent": "vidsr", "Accept-Encoding": "identity"}  # files as they are stored
        self._http = httpx.Client(timeout=TIMEOUT_S, follow_redirects=True, headers=headers)
        self._failures = (httpx.RequestError, StreamBroken)
        self._unreachable = httpx.ConnectError
        self._sleep = sleep
        self._not_before: dict[str, float] = {}  # by address: the rate limit of searches does not delay downloads

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, url: str, read: Callable[["httpx.Response"], T], params: dict[str, Any] | None = None) -> T:
        """Request `url` and return what `read` makes of the response; `read` raises StreamBroken to have it retried.

        Status 429, server errors and broken connections are retried, after as long as the server asks for.
        Raises StreamBroken if the host cannot be reached, keeps failing, or asks for a wait over LONGEST_WAIT_S.
        """
        host = urlsplit(url).netloc
        reason = ""
        for attempt in range(ATTEMPTS):
            self._wait_for(url)
            wait = FIRST_WAIT_S * 2**attempt
            try:
                with self._http.stream("GET", url, params=params) as response:
                    if response.status_code != 429 and response.status_code < 500:
                        result = read(response)
                        if response.headers.get("X-RateLimit-Remaining") == "0":
                            self._not_before[url] = time.monotonic() + _retry_after_s(response, wait)
                        return result
                    reason, wait = f"it answered {response.status_code}", _retry_after_s(response, wait)
            except self._unreachable as exc:
                raise StreamBroken(f"{host} cannot be reached ({exc}); try again when online") from exc
            except self._failures as exc:
                reason = str(exc) or type(exc).__name__
            self._not_before[url] = time.monotonic() + wait
        raise StreamBroken(f"{host} failed {ATTEMPTS} times, at last because {reason}; try again later")

    def download(self, url: str, partial: Path, check: Callable[[Path], T]) -> T:
        """Write the body under `url` to `partial` and return what `check` makes of the file.

        `check` raises StreamBroken if the file is damaged, to have it downloaded again. Raises as `get`, and InputError
        if the server has no such file, DiskFull.
        """

        def read(response: "httpx.Response") -> T:
            if response.status_code != 200:
                raise InputError(f"{url.partition('?')[0]} answered {response.status_code} instead of a file")
            try:
                with partial.open("wb") as file:
                    for part in response.iter_raw():  # httpx raises if the body is shorter than announced
                        file.write(part)
            except OSError as exc:
                raise DiskFull(f"{partial} could not be written ({exc.strerror}); free some space") from exc
            return check(partial)

        return self.get(url, read)

    def _wait_for(self, url: str) -> None:
        seconds = self._not_before.pop(url, 0.0) - time.monotonic()
        if seconds > LONGEST_WAIT_S:
            raise StreamBroken(f"{urlsplit(url).netloc} asks to wait {seconds:.0f} s; run the command again then")
        if seconds > 0:
            self._sleep(seconds)


def _retry_after_s(response: "httpx.Response", default: float) -> float:
    """Return the seconds that the server asks to wait: Retry-After (RFC 9110, seconds or a date) or its rate limit."""
    value = response.headers.get("Retry-After") or response.headers.get("X-RateLimit-Reset")
    if value is None:
        return default
    if value.isdigit():
        return float(value)
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except ValueError:
        return default


COLUMNS = ["file", "width", "height", "licence", "author", "source"]


class LicenceTable:
    """The licences.csv of a folder, with its other rows and columns kept.

    Raises DataError if the file has no column named file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns, self._rows = list(COLUMNS), dict[str, dict[str, str]]()
        if path.exists():
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                if "file" not in (reader.fieldnames or COLUMNS):
                    raise DataError(f"{path} has no column named file; add one, or move the table away")
                self._columns += [name for name in reader.fieldnames or () if name not in COLUMNS]
                self._rows = {row["file"]: row for row in reader}

    def __contains__(self, name: str) -> bool:
        return name in self._rows

    def add(self, name: str, size: tuple[int, int], licence: str, author: str, source: str) -> None:
        """Add a row and write the table. size: width and height in pixels. Raises DiskFull."""
        values = [name, *map(str, size), licence, author, source]
        self._rows[name] = dict(zip(COLUMNS, values, strict=True))
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows.values())
        write_atomically(self._path, text.getvalue().encode())


@dataclass(frozen=True, slots=True)
class Hit:
    """A photo or video that was found."""

    name: str
    """Of the file on disk."""
    url: str
    size: tuple[int, int]
    """Width and height as Pixabay states them; for photos those of the original, not of the file at `url`."""
    author: str
    page: str
    """Address of the page about it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result of a download."""

    files: list[Path]
    """All files of the query, including those of earlier runs."""
    new: int
    """How many of them this run downloaded."""
    notices: list[str]
    """Sentences on what could not be downloaded, and why."""


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
    """Download up to `count` photos or videos that match `query` into `folder`, and list them in its licences.csv.

    A file appears only when it is complete and listed, so an interrupted run can be repeated to download the rest.
    Of identical files, only the first is kept.
    key: the user's API key. address: of the API. progress: called with the number of files and the total. sleep: waits
    a number of seconds.
    Raises InputError for a wrong key, DataError if nothing is found, StreamBroken, DiskFull, ExtraMissing.
    """
    licences = LicenceTable(folder / LICENCES)
    files: list[Path] = []
    total, new, failed, notices = 0, 0, 0, list[str]()
    with Client(sleep=sleep) as client:
        for total, hit in _hits(client, query, folder, key, "videos/" if videos else "", address):
            if progress:
                progress(len(files), min(count, total))
            if len(files) == count:
                break
            try:
                existed = (folder / hit.name).exists()
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
                new += not existed
            else:
                notices.append(f"{hit.name} was left out: {file.name} is the same")
    if not files:
        raise StreamBroken(f"nothing could be downloaded: {'; '.join(notices)}")
    if total < count:
        what = "videos" if videos else "photos"
        notices.append(f"{total} {what} match {query!r}, fewer than the {count} requested; Pixabay shows 500 at most")
    return Fetched(files, new, notices)


def _hits(client: Client, query: str, folder: Path, key: str, kind: str, address: str) -> Iterator[tuple[int, Hit]]:
    """Yield the matches, best first and each once, with their total number."""
    seen: set[str] = set()
    total, page = 1, 1
    while (page - 1) * PER_PAGE < total:
        params = {"q": query, "image_type": "photo", "safesearch": "true", "per_page": PER_PAGE, "page": page}
        found = _search(client, address + kind, params, key, folder)
        total, page = int(found["totalHits"]), page + 1
        if not total:
            raise DataError(f"Pixabay has nothing that matches {query!r}; try fewer or other words, in English")
        for one in found["hits"]:
            try:
                hit = _video(one) if kind else _photo(one)
            except (KeyError, IndexError, TypeError, ValueError) as exc:
                raise DataError(f"Pixabay's answer lacks what its documentation promises ({exc!r})") from exc
            if hit.name not in seen:
                yield total, hit
            seen.add(hit.name)


def _search(client: Client, url: str, params: dict[str, Any], key: str, folder: Path) -> dict[str, Any]:
    """Query the API, or read the answer to the same query that was cached in `folder`."""
    digest = hashlib.sha256(json.dumps([url, params]).encode()).hexdigest()
    cached = folder / f".pixabay-{digest[:16]}.json"
    if not cached.exists() or time.time() - cached.stat().st_mtime > CACHED_S:
        write_atomically(cached, client.get(url, lambda response: _read_answer(response, key), {**params, "key": key}))
    found: dict[str, Any] = json.loads(cached.read_bytes())
    return found


def _read_answer(response: "httpx.Response", key: str) -> bytes:
    body = response.read()
    if response.status_code != 200:
        message = body.decode(errors="replace").replace(key, "…")[:200].strip()
        if "API key" in message:
            raise InputError(f"Pixabay rejects this key ({message}); {ADDRESS}docs/ shows yours once you log in")
        raise InputError(f"Pixabay rejected the search with {response.status_code} ({message})")
    try:
        found = json.loads(body)
        found["totalHits"], found["hits"]
    except (ValueError, KeyError, TypeError) as exc:
        raise StreamBroken("the answer is not Pixabay's; is there a login page in between?") from exc
    return body


def _photo(hit: dict[str, Any]) -> Hit:
    # The reduced images: they are sharp at pixel level, while the originals, which few keys can access, seldom are.
    url = hit.get("fullHDURL") or hit["largeImageURL"]
    suffix = ".png" if url.partition("?")[0].endswith(".png") else ".jpg"
    size = hit["imageWidth"], hit["imageHeight"]
    return Hit(f"pixabay-{int(hit['id'])}{suffix}", url, size, hit["user"], hit["pageURL"])


def _video(hit: dict[str, Any]) -> Hit:
    offered = sorted((one for one in hit["videos"].values() if one["url"]), key=lambda one: int(one["width"]))
    best = ([one for one in offered if one["width"] <= WIDEST_VIDEO] or offered[:1])[-1]
    return Hit(
        f"pixabay-{int(hit['id'])}.mp4", best["url"], (best["width"], best["height"]), hit["user"], hit["pageURL"]
    )


def _fetch(client: Client, hit: Hit, folder: Path, licences: LicenceTable) -> Path:
    """Download and list one file, unless it exists; return the file, or an earlier one that is identical."""
    file = folder / hit.name
    if file.exists():
        if hit.name not in licences:
            licences.add(hit.name, _size(file, hit), LICENCE, hit.author, hit.page)
        return file
    partial = file.with_name(file.name + ".part")
    try:
        size = client.download(hit.url, partial, lambda path: _size(path, hit))
        for other in folder.glob("pixabay-*"):
            if other.suffix != ".part" and filecmp.cmp(other, partial, shallow=False):
                return other
        licences.add(hit.name, size, LICENCE, hit.author, hit.page)
        return partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def _size(path: Path, hit: Hit) -> tuple[int, int]:
    """Return width and height of a file; photos are decoded. Raises StreamBroken if it is damaged."""
    from PIL import Image

    if path.suffixes[0] == ".mp4":
        with path.open("rb") as file:
            if file.read(8)[4:] != b"ftyp":  # ISO/IEC 14496-12: an MP4 begins with its file type box
                raise StreamBroken(f"{hit.name} is not an MP4 file")
        return hit.size
    try:
        with Image.open(path) as image:
            image.load()
            return image.size
    except (OSError, SyntaxError, Image.DecompressionBombError) as exc:  # UnidentifiedImageError is an OSError
        raise StreamBroken(f"{hit.name} is damaged ({exc})") from exc
