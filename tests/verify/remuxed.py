"""Videos to be held against one another, and what happens to a video on a bad way."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from tests.video.videos import make_video

SECOND = Fraction(1)


def chapter(start: int, end: int, title: str) -> dict[str, Any]:
    """A chapter; milliseconds."""
    return {"id": start + 1, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": title}}


CHAPTERS = [chapter(0, 400, "One"), chapter(400, 960, "Two")]


def rich(path: Path, **options: Any) -> Path:
    """24 frames with a Japanese tone, two chapters and a title."""

    def decorate(container: Any, stream: Any) -> None:
        container.set_chapters(CHAPTERS)
        container.metadata["title"] = "A film"
        container.streams[1].metadata["language"] = "jpn"

    options = {"sound": "aac", "pts": range(24), "decorate": decorate, **options}
    return make_video(path, **options)


def remux(
    source: Path,
    target: Path,
    *,
    packets: Callable[[Any, int], bool] = lambda packet, index: True,
    streams: Callable[[Any], bool] = lambda stream: True,
    describe: Callable[[Any], None] = lambda container: None,
    options: dict[str, str] | None = None,
) -> Path:
    """Copy a video packet by packet.

    packets: sees each with its number in its stream, may change it, and says whether it is kept. streams: says which
    are. describe: changes the container before its header is written.
    """
    counts: dict[int, int] = {}
    options = {"avoid_negative_ts": "disabled"} if options is None else options
    with av.open(str(source)) as inp, av.open(str(target), "w", container_options=options) as out:
        copies = {s.index: out.add_stream_from_template(s, opaque=True) for s in inp.streams if streams(s)}
        for index, copy in copies.items():
            copy.metadata.update(inp.streams[index].metadata)
            copy.disposition = inp.streams[index].disposition
        out.set_chapters(inp.chapters())
        out.metadata.update(inp.metadata)
        describe(out)
        for packet in inp.demux():
            index = packet.stream.index
            if packet.size and index in copies:
                counts[index] = counts.get(index, -1) + 1
                if packets(packet, counts[index]):
                    packet.stream = copies[index]
                    out.mux(packet)
    return target


def captioned(
    path: Path, decorate: Callable[[Any, Any], None] = lambda container, stream: None, **options: Any
) -> Path:
    """An H.264 video with closed captions (ATSC A/53, in SEI messages). decorate, options: as for make_video."""
    message = bytes.fromhex("b500314741393403") + b"\x41\xff" + b"\xfc\x94\x2c" + b"\xff"
    unit = b"\0\0\0\1\x06\x04" + bytes([len(message)]) + message + b"\x80"
    plain = make_video(path.with_name("plain.ts"), decorate=decorate, **options)
    with av.open(str(plain)) as inp, av.open(str(path), "w") as out:
        copy = out.add_stream_from_template(inp.streams[0], opaque=True)
        for packet in inp.demux():
            if packet.size:
                larger = av.Packet(unit + bytes(packet))
                larger.pts, larger.dts, larger.duration = packet.pts, packet.dts, packet.duration
                larger.time_base, larger.is_keyframe, larger.stream = packet.time_base, packet.is_keyframe, copy
                out.mux(larger)
    return path
