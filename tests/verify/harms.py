"""The list of harms that `verify` must find in an output."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from tests.verify.harm import Harm, harmed, output, source
from tests.verify.remuxed import CHAPTERS, chapter
from vidsr.context import Code
from vidsr.verify import verify_video
from vidsr.video.metadata import codec_of, video_tags

IDENTITY = tuple(range(24))
UPRIGHT = (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)


def trials(folder: Path, kind: str, wanted: Callable[[Harm], bool] = lambda harm: True) -> Iterator[tuple[str, str]]:
    """Harm an output in this container in every way; name each harm and say whether it was found.

    Of the output and of its copy: whether they hold. "cannot hold": a warning announced what would be harmed.
    """
    video = folder / "source.mkv"
    if not video.exists():
        source(folder)
    good, copy = folder / f"good.{kind}", folder / f"harmed.{kind}"
    notices = output(video, good)
    for name, path in (("none", good), ("none, copied", harmed(good, copy, Harm("")))):
        differences = verify_video(video, path, notices=notices).differences
        yield name, "FALSE: " + ", ".join(finding.name for finding in differences) if differences else "holds"
    lost = {(code, stream) for notice in notices for code in notice.codes for stream in notice.streams or (None,)}
    with av.open(str(good)) as container:
        streams = {
            stream.index: Labels(stream.type, codec_of(stream), int(stream.disposition), dict(stream.metadata))
            for stream in container.streams
            if stream.index and stream.type in ("audio", "subtitle", "attachment")
        }
        tags, chapters = video_tags(container.metadata), bool(container.chapters())
    for harm in harms_of(streams, tags, chapters=chapters):
        if not wanted(harm):
            continue
        if (harm.code, harm.stream) in lost or (harm.code is Code.DURATION and kind in ("ts", "nut")):
            yield harm.name, "cannot hold"
            continue
        if harm.order:
            output(source(folder / "other", order=harm.order), copy)
        else:
            harmed(good, copy, harm)
        found = verify_video(video, copy, notices=notices).differences
        held = harm.code is not Code.DISPOSITION or _dispositions(copy) != _dispositions(good)
        yield harm.name, "found" if found else "MISSED" if held else "cannot hold"


def _dispositions(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [int(stream.disposition) for stream in container.streams]


@dataclass(frozen=True)
class Labels:
    """What of a stream decides how it can be harmed."""

    type: str
    codec: str
    disposition: int
    metadata: dict[str, str]


def harms_of(streams: dict[int, Labels], tags: dict[str, str], *, chapters: bool) -> Iterator[Harm]:
    """Every harm that fits an output with these streams (by index, without the video), tags and chapters."""
    yield from _video_harms()
    for index, stream in streams.items():
        yield from _stream_harms(index, stream)
    for kind in ("audio", "subtitle"):
        same = [index for index, stream in streams.items() if stream.type == kind]
        if len(same) == 2:
            yield from _swaps(kind, (same[0], same[1]), {index: streams[index] for index in same})
    for tag in tags:
        yield Harm(f"tag {tag} dropped", Code.TAGS, describe=_without_tag(tag))
        yield Harm(f"tag {tag} changed", Code.TAGS, describe=_with_tag(tag))
    if chapters:
        yield Harm("chapter dropped", Code.CHAPTERS, describe=lambda out, _: out.set_chapters(CHAPTERS[:1]))
        moved = [CHAPTERS[0], chapter(402, 960, "Two")]
        yield Harm("chapter moved by 2 ms", Code.CHAPTERS, describe=lambda out, _: out.set_chapters(moved))
        named = [CHAPTERS[0], chapter(400, 960, "Too")]
        yield Harm("chapter renamed", Code.CHAPTERS, describe=lambda out, _: out.set_chapters(named))


def _video_harms() -> Iterator[Harm]:
    swapped, twice, other = [*IDENTITY], [*IDENTITY], [*IDENTITY]
    swapped[9], swapped[10], twice[10], other[12] = 10, 9, 9, 60
    yield Harm("two frames swapped", order=swapped)
    yield Harm("a frame shown twice, one lost", order=twice)
    yield Harm("a frame of another picture", order=other)
    yield Harm("frames one later", order=[0, *IDENTITY[:-1]])
    yield Harm("last frame lost", packets=_lost(0, 23))
    yield Harm("a frame a tick later", Code.PTS, packets=_later(0, 1, only=12))
    yield Harm("video a tick later", packets=_later(0, 1))
    yield Harm("last frame 40 ms longer", Code.DURATION, packets=_longer(0, 23))
    yield Harm("byte of a frame flipped", packets=_flipped(0, 0))
    yield Harm("rotation dropped", Code.ROTATION, describe=lambda _, out: out[0].set_display_matrix(UPRIGHT))
    yield Harm("rotated otherwise", Code.ROTATION, describe=lambda _, out: out[0].set_display_rotation(180))
    square = "h264_metadata=sample_aspect_ratio=1/1"
    yield Harm("aspect changed", Code.ASPECT, filters=square, describe=_square)
    for what, filters in {
        "primaries": "h264_metadata=colour_primaries=9",
        "transfer": "h264_metadata=transfer_characteristics=16", "matrix": "h264_metadata=matrix_coefficients=6",
        "range": "h264_metadata=video_full_range_flag=1", "chroma location": "h264_metadata=chroma_sample_loc_type=0",
        "size": "h264_metadata=crop_right=16", "captions": "filter_units=remove_types=6",
    }.items():  # fmt: skip
        yield Harm(f"{what} changed", Code(what), filters=filters)
    for name, (old, new) in {
        "captions": (b"\xfc\x94\x2c", b"\xfc\x94\x2d"),
        "mastering": ((10000000).to_bytes(4, "big"), (20000000).to_bytes(4, "big")),
    }.items():
        yield Harm(f"{name} altered", Code(name), packets=_replaced(0, old, new))


def _stream_harms(index: int, stream: Labels) -> Iterator[Harm]:
    name = f"stream {index} ({stream.type})"
    yield Harm(f"{name} dropped", streams=lambda s: s.index != index)
    if stream.type == "attachment":
        yield Harm(f"{name}: other bytes", streams=lambda s: s.index != index, describe=_attach)
        return
    first, last = {"audio": (0, 40), "subtitle": (0, 1)}[stream.type]
    if stream.codec == "mov_text":  # which has an empty packet before each cue
        first, last = 1, 3
    for number in {first, 20 if stream.type == "audio" else last, last}:
        yield Harm(f"{name}: packet {number} lost", packets=_lost(index, number))
    yield Harm(f"{name}: packet twice", packets=_twice(index, last))
    yield Harm(f"{name}: byte flipped", packets=_flipped(index, first))
    yield Harm(f"{name}: a tick later", packets=_later(index, 1))
    yield Harm(f"{name}: a packet a tick later", packets=_later(index, 1, only=first))
    yield Harm(f"{name}: 40 ms later", packets=_later(index, Fraction(40, 1000)))
    if stream.type == "subtitle":
        yield Harm(f"{name}: shown longer", packets=_longer(index, first))
    yield Harm(
        f"{name}: language", Code.LANGUAGE, index, describe=lambda _, out: out[index].metadata.update(language="kor")
    )
    yield Harm(
        f"{name}: no language", Code.LANGUAGE, index, describe=lambda _, out: out[index].metadata.update(language="und")
    )
    yield Harm(
        f"{name}: disposition",
        Code.DISPOSITION,
        index,
        describe=lambda _, out: setattr(out[index], "disposition", 128 | stream.disposition & 1),
    )
    if "title" in stream.metadata or "name" in stream.metadata:
        yield Harm(
            f"{name}: title",
            Code.STREAM_TAGS,
            index,
            describe=lambda _, out: out[index].metadata.update(title="Another"),
        )


def _swaps(kind: str, pair: tuple[int, int], streams: dict[int, Labels]) -> Iterator[Harm]:
    a, b = pair
    languages = [streams[index].metadata.get("language", "und") for index in (b, a)]

    def swap(_: Any, out: dict[int, Any]) -> None:
        for index, language in zip(pair, languages, strict=True):
            out[index].metadata["language"] = language

    yield Harm(f"languages of {kind} swapped", describe=swap)
    yield Harm(f"packets of {kind} swapped", swap=(a, b))


def _square(_: Any, out: dict[int, Any]) -> None:
    out[0].codec_context.sample_aspect_ratio = Fraction(1)  # which an mp4 stores


def _attach(out: Any, _: Any) -> None:
    out.add_attachment("letters.ttf", "font/ttf", b"\0\1\0\0" + bytes(range(1, 201)))


def _lost(which: int, number: int) -> Callable[[Any, int], bool]:
    return lambda packet, index: (packet.stream.index, index) != (which, number)


def _twice(which: int, number: int) -> Callable[[Any, int], int]:
    return lambda packet, index: 1 + ((packet.stream.index, index) == (which, number))


def _later(which: int, by: int | Fraction, *, only: int | None = None) -> Callable[[Any, int], bool]:
    def move(packet: Any, index: int) -> bool:
        if packet.stream.index == which and only in (None, index):
            ticks = by if isinstance(by, int) else round(by / Fraction(packet.time_base))
            packet.pts += ticks
            if only is None or packet.dts == packet.pts - ticks:
                packet.dts += ticks
        return True

    return move


def _longer(which: int, number: int) -> Callable[[Any, int], bool]:
    def stretch(packet: Any, index: int) -> bool:
        if (packet.stream.index, index) == (which, number):
            packet.duration += round(Fraction(40, 1000) / Fraction(packet.time_base))
        return True

    return stretch


def _flipped(which: int, number: int) -> Callable[[Any, int], int | bytes]:
    def flip(packet: Any, index: int) -> int | bytes:
        if (packet.stream.index, index) != (which, number):
            return True
        data = bytearray(bytes(packet))
        data[len(data) // 2] ^= 4
        return bytes(data)

    return flip


def _replaced(which: int, old: bytes, new: bytes) -> Callable[[Any, int], int | bytes]:
    return lambda packet, _: bytes(packet).replace(old, new) if packet.stream.index == which else True


def _without_tag(tag: str) -> Callable[[Any, dict[int, Any]], None]:
    return lambda out, _: out.metadata.pop(tag)


def _with_tag(tag: str) -> Callable[[Any, dict[int, Any]], None]:
    return lambda out, _: out.metadata.update({tag: "2001"})
