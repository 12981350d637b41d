"""A video with all that verify compares, and harm done to an output of it; `tests/bars/mutations.py` tries all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from tests.verify.remuxed import CHAPTERS, captioned
from tests.video.videos import make_video, resize_video
from vidsr.context import Code, Notice
from vidsr.video.convert.side_data import display_matrix
from vidsr.video.metadata import stream_tags

TAGS = {"title": "A film", "artist": "Somebody", "date": "2024"}
PARAMS = "colorprim=bt709:transfer=bt709:colormatrix=bt709:chromaloc=1"
LIGHT = ":mastering-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1):cll=1000,400"
SUBTITLES = "1\n00:00:00,100 --> 00:00:00,400\n{}\n\n2\n00:00:00,500 --> 00:00:00,900\n{} again\n"


@dataclass(frozen=True)
class Harm:
    """What is done to an output, packet by packet; `verify` must find it by one of these names."""

    name: str
    code: Code | None = None
    """The property that is harmed; if a warning announced it, the container cannot hold it."""
    stream: int | None = None
    """Of which copied stream."""
    packets: Callable[[Any, int], int | bytes] = lambda packet, index: 1
    """Sees each packet with its number in its stream, may change it, and says how often it is written, or gives other
    bytes."""
    streams: Callable[[Any], bool] = lambda stream: True
    describe: Callable[[Any, dict[int, Any]], None] = lambda out, copies: None
    """Changes the container and its streams, by their index in the output that is harmed, before the header."""
    filters: str = ""
    """FFmpeg's bitstream filter on the video."""
    order: Sequence[int] = ()
    """Instead of all that: the pictures of the video in another order."""
    swap: tuple[int, int] = ()  # type: ignore[assignment]
    """Two streams that change their packets."""


def source(folder: Path, *, order: Sequence[int] = tuple(range(24))) -> Path:
    """A video with captions, rotation, colours, mastering data, two sounds, two subtitles, chapters, a font, tags."""
    folder.mkdir(exist_ok=True)

    def colours(_: Any, stream: Any) -> None:
        stream.codec_context.options = {"x264-params": PARAMS + LIGHT}
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    video = captioned(folder / "captioned.ts", colours, order=order, pts=range(24), size=(96, 64))
    sounds = [make_video(folder / f"sound{i}.mkv", sound="aac", pts=range(24), tone=440 + 200 * i) for i in (0, 1)]
    subtitles = []
    for word in ("Hello", "Salut"):
        subtitles.append(folder / f"{word}.srt")
        subtitles[-1].write_text(SUBTITLES.format(word, word))
    with ExitStack() as stack, av.open(str(folder / "source.mkv"), "w") as out:
        inputs = [stack.enter_context(av.open(str(path))) for path in (video, *sounds, *subtitles)]
        given = [inp.streams.audio[0] if inp.streams.audio else inp.streams[0] for inp in inputs]
        copies = [out.add_stream_from_template(stream, opaque=True) for stream in given]
        languages = ("und", "jpn", "eng", "eng", "fra")
        for copy, language, title in zip(copies, languages, ("", "Original", "Remarks", "", "Texte"), strict=True):
            copy.metadata.update({"language": language} | ({"title": title} if title else {}))
        copies[0].set_display_matrix((0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30))
        copies[1].disposition, copies[2].disposition, copies[3].disposition = 1, 8, 64
        out.add_attachment("letters.ttf", "font/ttf", b"\0\1\0\0" + bytes(range(200)))
        out.set_chapters(CHAPTERS)
        out.metadata.update(TAGS)
        packets = [
            (packet.pts * packet.time_base, index, packet)
            for index, (inp, stream) in enumerate(zip(inputs, given, strict=True))
            for packet in inp.demux(stream)
            if packet.size
        ]
        for _, index, packet in sorted(packets, key=lambda item: item[:2]):
            packet.stream = copies[index]
            out.mux(packet)
    return folder / "source.mkv"


def output(video: Path, target: Path) -> list[Notice]:
    """Upscale as a faithful run does; the warnings."""
    return resize_video(video, target, preset="ultrafast", crf=15, overwrite=True)


def harmed(good: Path, target: Path, harm: Harm) -> Path:
    """Copy an output with the harm done to it."""
    counts: dict[int, int] = {}
    options = {"avoid_negative_ts": "disabled"}
    if good.suffix in (".mp4", ".mov"):
        options["movie_timescale"] = "1152000"  # else a tick would be rounded away
    with av.open(str(good)) as inp, av.open(str(target), "w", container_options=options) as out:
        kept = [s for s in inp.streams if harm.streams(s) and not (s.type == "data" and inp.chapters())]
        copies = {}
        for stream in kept:
            copies[stream.index] = copy = out.add_stream_from_template(stream, opaque=True)
            copy.metadata.update({"language": stream.metadata.get("language", "und")} | stream_tags(stream))
            copy.disposition = stream.disposition
        video = inp.streams.video[0]
        matrix = _matrix_of(good)
        if matrix and video.index in copies:
            copies[video.index].set_display_matrix(matrix)
        out.set_chapters(inp.chapters())
        out.metadata.update(inp.metadata)
        bitstream = av.BitStreamFilterContext(harm.filters, video, copies[video.index]) if harm.filters else None
        harm.describe(out, copies)
        for packet in inp.demux():
            index = packet.stream.index
            if not packet.size or index not in copies:
                continue
            counts[index] = counts.get(index, -1) + 1
            for each in bitstream.filter(packet) if bitstream and index == video.index else [packet]:
                for ready in list(_applied(harm, each, counts[index])):
                    place = harm.swap[1 - harm.swap.index(index)] if index in harm.swap else index
                    ready.stream = copies[place]
                    out.mux(ready)
    return target


def _matrix_of(path: Path) -> tuple[int, ...]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    return display_matrix(frame) or ()


def _applied(harm: Harm, packet: Any, number: int) -> Iterator[Any]:
    result = harm.packets(packet, number)
    if isinstance(result, bytes):
        packet.update(result)
        result = 1
    for again in range(result):
        copy = av.Packet(bytes(packet)) if again else packet
        if again:
            copy.pts, copy.dts, copy.time_base = packet.pts + 1, packet.dts + 1, packet.time_base
        yield copy
