"""Fetching over HTTP: limits heeded, what fails tried again, and a file kept only when it is whole."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from vidsr.errors import DiskFull, ExtraMissing, InputError, StreamBroken

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
