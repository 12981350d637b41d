"""A server on the loopback that answers as Pixabay documents it, and misbehaves on demand."""

import json
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

KEY = "1234567-0123456789abcdef"
VIDEO = b"\x00\x00\x00\x18ftypisom" + bytes(4000)


def draw(number: int) -> bytes:
    """A photo of its own for every number."""
    file = BytesIO()
    blocks = np.random.default_rng(number).integers(0, 256, (6, 9, 3), np.uint8)
    Image.fromarray(blocks.repeat(20, axis=0).repeat(20, axis=1)).save(file, "JPEG")
    return file.getvalue()


class Server(ThreadingHTTPServer):
    """`ids` are found, in this order; `trouble[path]` lists what goes wrong, one a request, before all is well."""

    daemon_threads = True

    def __init__(self, ids: list[int], per_page: int | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ids = ids
        self.per_page = per_page  # else what was asked for
        self.bodies = {number: draw(number) for number in ids}
        self.trouble: dict[str, list[Any]] = defaultdict(list)
        self.retry_after = "7"
        self.headers: dict[str, str] = {}  # of every answer of the API
        self.asked: Counter[str] = Counter()  # by path
        self.queries: list[dict[str, str]] = []
        self.stuck, self.go_on = threading.Event(), threading.Event()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def address(self) -> str:
        return f"{self.root}/api/"

    def photo(self, number: int) -> dict[str, Any]:
        return {
            "id": number,
            "pageURL": f"https://pixabay.com/photos/trees-{number}/",
            "type": "photo",
            "tags": "trees, wood",
            "largeImageURL": f"{self.root}/get/{number}_1280.jpg?token=a",
            "imageWidth": 5184,
            "imageHeight": 3456,
            "user_id": 48777,
            "user": 'Ann, "the" Author',
        }

    def video(self, number: int) -> dict[str, Any]:
        sizes = {"large": (3840, 2160), "medium": (1920, 1080), "small": (1280, 720), "tiny": (640, 360)}
        files = {
            name: {"url": f"{self.root}/video/{number}_{name}.mp4", "width": w, "height": h, "size": len(VIDEO)}
            for name, (w, h) in sizes.items()
        }
        if number % 2:
            files["large"] = {"url": "", "width": 0, "height": 0, "size": 0}
        return {"id": number, "pageURL": f"https://pixabay.com/videos/{number}/", "videos": files, "user": "Bob"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        self.server.asked[split.path] += 1
        troubles = self.server.trouble[split.path]
        trouble = troubles.pop(0) if troubles else None
        if isinstance(trouble, int):
            self.reply(
                trouble, b"[ERROR] try again", {"Retry-After": self.server.retry_after} if trouble == 429 else {}
            )
        elif isinstance(trouble, bytes):
            self.reply(200, trouble)
        elif split.path in ("/api/", "/api/videos/"):
            self.search({name: values[0] for name, values in parse_qs(split.query).items()}, "videos" in split.path)
        else:
            number = int(re.findall(r"(\d+)_", split.path)[0])
            body = VIDEO + str(number).encode() if split.path.startswith("/video/") else self.server.bodies[number]
            self.reply(200, body, trouble=trouble)

    def search(self, query: dict[str, str], videos: bool) -> None:
        self.server.queries.append(query)
        if (key := query.pop("key")) != KEY:
            self.reply(400, f"[ERROR 400] Invalid or missing API key {key} (https://pixabay.com/api/docs/).".encode())
            return
        per_page, page = self.server.per_page or int(query["per_page"]), int(query["page"])
        here = self.server.ids[(page - 1) * per_page : page * per_page]
        hits = [self.server.video(one) if videos else self.server.photo(one) for one in here]
        found = {"total": 9 * len(self.server.ids), "totalHits": len(self.server.ids), "hits": hits}
        self.reply(200, json.dumps(found).encode(), self.server.headers)

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None, trouble: Any = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if trouble is not None:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            if trouble == "stuck":
                self.server.stuck.set()
                self.server.go_on.wait(30)
            return
        self.wfile.write(body)


@contextmanager
def serve(ids: list[int], *, per_page: int | None = None) -> Iterator[Server]:
    """A server for a with-block."""
    with Server(ids, per_page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()
