"""Peers that are not there, refuse, or go away; all of them on this machine."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.faults.scene import contents, upscale
from tests.video.videos import frames_of, make_video


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A web server that answers every request so; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def peer(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A TCP peer that takes one connection and talks so; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                talk(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        finally:
            thread.join()


def nobody() -> str:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("code", [403, 404, 500])
def test_a_page_that_is_not_there_is_said(code: int, tmp_path: Path) -> None:
    with serving(lambda request: request.send_error(code)) as address:
        shown = upscale(f"{address}/a.mp4", tmp_path / "out.mkv")
    assert shown.code == 3 and shown.sentence.startswith(f"{address}/a.mp4 cannot be opened: ")
    assert "Server returned" in shown.sentence and contents(tmp_path) == {}


@pytest.mark.parametrize("scheme", ["http", "tcp", "rtmp"])
def test_a_peer_that_is_not_there_is_said(scheme: str, tmp_path: Path) -> None:
    address = f"{scheme}://{nobody()}/a"
    shown = upscale(address, tmp_path / "out.mkv")
    assert shown.code == 3 and "refused" in shown.sentence and address in shown.sentence
    assert contents(tmp_path) == {}


def test_a_protocol_that_nobody_knows_is_said(tmp_path: Path) -> None:
    shown = upscale("srt://127.0.0.1:9/a", tmp_path / "out.mkv")
    assert shown.code == 3 and "unknown protocol; receive it with another tool" in shown.sentence


def test_a_video_comes_over_http(videos: Path, tmp_path: Path) -> None:
    data = (videos / "video.mp4").read_bytes()
    with serving(lambda request: sent(request, data, len(data))) as address:
        shown = upscale(f"{address}/a.mp4", tmp_path / "out.mkv")
    assert shown.code == 0 and len(frames_of(tmp_path / "out.mkv")) == len(frames_of(videos / "video.mp4"))


def sent(request: BaseHTTPRequestHandler, data: bytes, length: int) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(length))
    request.end_headers()
    request.wfile.write(data)


def test_a_server_that_goes_away_midway_is_told_of(videos: Path, tmp_path: Path) -> None:
    data = (videos / "video.mp4").read_bytes()
    with serving(lambda request: sent(request, data[: len(data) * 3 // 4], len(data))) as address:
        shown = upscale(f"{address}/a.mp4", tmp_path / "out.mkv")
        strict = upscale("--strict", f"{address}/a.mp4", tmp_path / "strict.mkv")
    assert shown.code == 0 and "a.mp4 is damaged: " in shown.sentence and "breaks off" in shown.sentence
    assert strict.code == 7 and list(contents(tmp_path)) == ["out.mkv"]


def test_a_video_goes_over_tcp(videos: Path, tmp_path: Path) -> None:
    got = bytearray()

    def take(connection: socket.socket) -> None:
        while piece := connection.recv(1 << 16):
            got.extend(piece)

    with peer(take) as address:
        shown = upscale("-f", "nut", videos / "video.mp4", address)
    assert shown.code == 0
    (tmp_path / "out.nut").write_bytes(got)
    assert len(frames_of(tmp_path / "out.nut")) == len(frames_of(videos / "video.mp4"))


def test_a_peer_that_goes_away_while_it_is_written_to_is_said(tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.mkv", codec="ffv1", size=(320, 240), pts=range(60))

    def leave(connection: socket.socket) -> None:
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # a reset, not an end

    with peer(leave) as address:
        shown = upscale("-f", "nut", "--codec", "ffv1", video, address)
    assert shown.code == 6 and shown.sentence.startswith(f"{address} cannot be written: ")
    assert "reset" in shown.sentence or "Broken pipe" in shown.sentence


def test_a_peer_that_is_not_there_to_write_to_is_said(videos: Path) -> None:
    address = f"tcp://{nobody()}"
    shown = upscale("-f", "nut", videos / "video.mp4", address)
    assert shown.code == 6 and address in shown.sentence and "refused" in shown.sentence
