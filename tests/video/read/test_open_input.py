"""What may be opened on behalf of an input, which anyone may have written, and how large its pictures may be."""

import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.video.videos import drawing, frames_of, make_video
from vidsr.errors import InputError, NotAVideo, StreamBroken
from vidsr.video.read.source import open_source

LIST = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.5,\n{}\n#EXT-X-ENDLIST\n"


class Server:
    """A web server on loopback that serves a folder and notes down what it was asked for."""

    def __init__(self, folder: Path) -> None:
        asked = self.asked = list[str]()

        class Handler(SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                super().do_GET()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    make_video(tmp_path / "part.ts")
    (tmp_path / "part.txt").write_bytes((tmp_path / "part.ts").read_bytes())
    server = Server(tmp_path)
    yield server
    server.close()


def playlist(folder: Path, entry: str) -> Path:
    path = folder / "list.m3u8"
    path.write_text(LIST.format(entry))
    return path


def test_a_playlist_beside_its_parts_is_read(server: Server, tmp_path: Path) -> None:
    assert len(frames_of(playlist(tmp_path, "part.ts"))) == 12


@pytest.mark.parametrize("entry", ["{}/part.ts", "concat:{}/part.ts", "data+{}/part.ts", "{}/list2.m3u8"])
def test_a_playlist_on_disk_fetches_nothing_from_the_network(server: Server, tmp_path: Path, entry: str) -> None:
    with pytest.raises(InputError):
        frames_of(playlist(tmp_path, entry.format(server.address)))
    assert server.asked == []


def test_a_playlist_on_disk_opens_nothing_but_media(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        frames_of(playlist(tmp_path, "part.txt"))


@pytest.mark.parametrize("entry", ["http", "part.ts", "absolute", "file"])
def test_a_playlist_from_a_pipe_opens_nothing(server: Server, tmp_path: Path, entry: str) -> None:
    part = tmp_path / "part.ts"
    place = {"http": f"{server.address}/part.ts", "absolute": str(part), "file": f"file://{part}"}.get(entry, entry)
    content = LIST.format(place).encode()
    command = [sys.executable, "-m", "vidsr", "upscale", "-m", "nearest", "-", str(tmp_path / "out.mkv")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, input=content, cwd=tmp_path, capture_output=True, env=environment, timeout=60)
    assert done.returncode == 3, done.stderr
    assert server.asked == [] and not (tmp_path / "out.mkv").exists()
    with pytest.raises(InputError), open_source(io.BytesIO(content)):
        pass
    with playlist(tmp_path, place).open("rb") as file, pytest.raises(InputError), open_source(file):
        pass
    assert server.asked == []


def test_a_playlist_from_the_web_fetches_its_parts_there_and_opens_no_file(server: Server, tmp_path: Path) -> None:
    playlist(tmp_path, "part.ts")
    assert len(frames_of(f"{server.address}/list.m3u8")) == 12
    for entry in (f"file://{tmp_path}/part.ts", f"file:{tmp_path}/part.ts", f"concat:{tmp_path}/part.ts"):
        playlist(tmp_path, entry)
        with pytest.raises(InputError):
            frames_of(f"{server.address}/list.m3u8")


@pytest.mark.parametrize("entry", ["{}/part.ts", "/etc/hosts", "../part.ts"])
def test_a_list_for_concatenation_opens_neither_addresses_nor_files_elsewhere(
    server: Server, tmp_path: Path, entry: str
) -> None:
    path = tmp_path / "a" / "list.ffconcat"
    path.parent.mkdir()
    path.write_text(f"ffconcat version 1.0\nfile {entry.format(server.address)}\n")
    with pytest.raises(InputError):
        frames_of(path)
    assert server.asked == []


def test_a_session_description_listens_to_no_port(tmp_path: Path) -> None:
    path = tmp_path / "a.sdp"
    path.write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 33\n")
    with pytest.raises(InputError):
        frames_of(path)


@pytest.mark.parametrize(
    "name", ["concat:{0}|{0}", "subfile,,start,0,end,0,,:{0}", "cache:{0}", "crypto:{0}", "data:text/plain,x"]
)
def test_a_name_is_a_path_even_if_it_looks_like_a_protocol_of_ffmpegs(name: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.ts")
    with pytest.raises(StreamBroken, match="is not there"):
        frames_of(name.format(video))


@pytest.mark.parametrize("scheme", ["concat", "subfile", "cache", "async", "crypto", "pipe", "fd", "unix", "srt"])
def test_an_address_is_one_of_a_network(scheme: str, tmp_path: Path) -> None:
    video = make_video(tmp_path / "a.ts")
    with pytest.raises(StreamBroken, match="unknown protocol"):
        frames_of(f"{scheme}://{video}")


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def patched(kind: str, place: Callable[[bytes], int], layout: str) -> Callable[[int, int], bytes]:
    def make(width: int, height: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(drawing(64, 48)).save(file, kind)
        content = bytearray(file.getvalue())
        sides = (height, width) if kind == "JPEG" else (width, height)
        struct.pack_into(layout, content, place(bytes(content)), *(min(side, 65535) for side in sides))
        return bytes(content)

    return make


HEADERS: dict[str, Callable[[int, int], bytes]] = {
    "png": png,
    "gif": patched("GIF", lambda content: 6, "<HH"),
    "jpg": patched("JPEG", lambda content: content.index(b"\xff\xc0") + 5, ">HH"),
    "bmp": patched("BMP", lambda content: 18, "<ii"),
    "y4m": lambda width, height: b"YUV4MPEG2 W%d H%d F25:1 C420\nFRAME\n" % (width, height) + bytes(1000),
}
MEASURED = """
import re, sys
from pathlib import Path
from vidsr.errors import VidsrError
from vidsr.pipeline import upscale_video
try:
    upscale_video(sys.argv[1], sys.argv[2], model="nearest")
except VidsrError as exc:
    # Not resource.getrusage, which begins with what the parent had when it forked.
    held = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    print(type(exc).__name__, int(held[1]) // 1024)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux how much memory was held")
@pytest.mark.parametrize("side", [20000, 60000])
@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_claims_too_much_costs_no_memory(kind: str, side: int, tmp_path: Path) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(HEADERS[kind](side, side))
    command = [sys.executable, "-c", MEASURED, str(path), str(tmp_path / "out.png")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    error, resident_mb = done.stdout.split()
    assert error in ("NotAVideo", "InputError", "StreamBroken")
    assert int(resident_mb) < 300
    assert not (tmp_path / "out.png").exists()


def test_a_picture_that_is_too_large_is_refused_with_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(60000, 60000))
    with pytest.raises(NotAVideo, match=r"or larger than the .* megapixels"):
        frames_of(path)
    video = make_video(tmp_path / "a.mkv", codec="ffv1")
    monkeypatch.setattr("vidsr.system.MOST_PIXELS", 64 * 48 - 1)
    with pytest.raises(InputError, match="states a size of 64x48; at most 0 megapixels"):
        frames_of(video)


def test_a_large_picture_in_rgb_takes_little_more_than_itself() -> None:
    from vidsr.frames import Frame

    rgb = np.random.default_rng(0).integers(0, 256, (300, 200, 3), np.uint8)
    whole = Frame.from_rgb(rgb)
    parts = [Frame.from_rgb(rgb[top : top + 7]) for top in range(0, 300, 7)]
    for plane, pieces in zip(whole.planes, zip(*(part.planes for part in parts), strict=True), strict=True):
        assert np.array_equal(plane, np.concatenate(pieces))


@pytest.mark.parametrize(("name", "content", "sentence"), [
    ("a.mpd", '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>', "DASH"),
    ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nsegment.xyz\n#EXT-X-ENDLIST\n", r"segment\.xyz"),
    ("b.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nmissing.ts\n#EXT-X-ENDLIST\n", "in this playlist"),
])  # fmt: skip
def test_an_unreadable_list_is_called_what_it_is(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    make_video(tmp_path / "segment.xyz", format="mpegts")
    (tmp_path / name).write_text(content)
    with pytest.raises(NotAVideo, match=sentence):
        open_source(tmp_path / name)
