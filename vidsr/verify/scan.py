"""Read a file to its end and take its inventory."""

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidsr.context import Context, Stop, ignore
from vidsr.frames import Carried
from vidsr.options import ReadOptions
from vidsr.verify.inventory import UNTIMED, Chapter, Inventory, Track
from vidsr.verify.labels import comparable_stream_tags, comparable_tags, image_colors, image_tags, mastering_numbers
from vidsr.verify.payload import config_of, is_continued, is_filler, payload
from vidsr.verify.subtitle_text import TextReader
from vidsr.verify.thumbnails import SHAPE, thumbnail
from vidsr.video.convert.immersive import spherical_mapping, stereo_layout
from vidsr.video.convert.resizer import pixel_format_of
from vidsr.video.convert.side_data import DYNAMIC_HDR, LOST_SIDE_DATA, lost_side_data, side_data
from vidsr.video.metadata import ATTACHED, codec_of
from vidsr.video.pcm_samples import SampleClock, is_pcm, samples_of
from vidsr.video.read.source import Source, open_source
from vidsr.video.timing import rational
from vidsr.video.write.copy.programs import pids_of

_SHORTEST = 0.001  # seconds; some containers store no shorter duration of a frame


def read_inventory(name: str | Path, options: ReadOptions | None = None, *, stop: Stop | None = None) -> Inventory:
    """Read a file, or a part of it, as `upscale_video` would, but for deinterlacing. Raises as `open_source` does."""
    options = replace(options or ReadOptions(), deinterlace="off")
    with open_source(name, options, context=Context(ignore, stop=stop or Stop())) as source:
        return _read(source)


class _Tally:
    """One stream beside the video, while it is read."""

    def __init__(self, stream: Any) -> None:
        context = stream.codec_context
        self.codec = codec_of(stream) if context is None else context.codec.canonical_name
        self.config = config_of(stream)
        self.times, self.packets, self.digest = array("q"), 0, hashlib.blake2b(digest_size=16)
        self.spans, self.text = stream.type == "subtitle", TextReader(stream)
        self.sound = ""
        if stream.type == "audio" and context is not None:
            self.sound = f"{context.sample_rate} Hz, {context.layout.nb_channels} channels"
        # FFmpeg's demuxer of Matroska drops times before 0, and derives them from durations, which are rounded.
        self.derived = stream.type == "audio" and stream.container.format.name.startswith("matroska")
        self.once = bool(stream.disposition & ATTACHED)  # a seek may repeat it
        self.tick = rational(stream.time_base) or Fraction(1, 90000)
        self.clock = SampleClock(context.sample_rate, self.tick) if is_pcm(stream) else None
        self.silence = 0  # bytes
        if stream.type == "attachment":
            self.digest.update(stream.data or b"")

    def add(self, packet: Any) -> None:
        if is_filler(packet, self.codec) or (self.once and self.packets):
            return
        if self.packets and is_continued(packet, self.codec):
            self.digest.update(bytes(packet))
            return
        self.packets += 1
        pts = packet.pts if packet.pts is not None else packet.dts
        if self.clock is not None:  # muxers cut samples into any packets
            samples, count = samples_of(packet)
            sounding = samples.rstrip(b"\0")
            if sounding:  # but not the silence at the end, with which Blu-ray's packets are filled
                self.digest.update(bytes(self.silence) + sounding)
            self.silence = len(samples) - len(sounding) + (0 if sounding else self.silence)
            if self.clock.place(pts, count)[1]:
                self.times.append(UNTIMED if pts is None else pts)
            return
        self.digest.update(payload(packet, self.codec, self.config))
        self.times.append(UNTIMED if pts is None or (self.derived and pts < 0) else pts)
        self.text.add(packet, self.tick)
        if self.spans:
            self.times.append(UNTIMED if pts is None or not packet.duration else pts + packet.duration)


def _read(source: Source) -> Inventory:
    copy = source.copy_info()
    tallies = {stream.index: _Tally(stream) for stream in copy.streams}
    times, fields, captions, transparent, thumbnails = array("q"), 0, 0, 0, bytearray()
    last = first = source.first
    kinds = set[str]()
    caption_data = hashlib.blake2b(digest_size=8)
    for item in source:
        if isinstance(item, Carried):
            if item.stream in tallies:
                tallies[item.stream].add(item.packet)
            continue
        times.append(item.pts)
        thumbnails += thumbnail(item)
        fields += bool(getattr(item.av_frame, "interlaced_frame", False))
        transparent += item.alpha is not None and int(item.alpha.min()) < (1 << item.bits) - 1
        kinds |= lost_side_data(item.av_frame)
        if (caption := side_data(item.av_frame, "A53_CC")) is not None:
            captions += 1
            caption_data.update(caption)
        last = item
    spherical = spherical_mapping(first.av_frame)
    own = copy.program.streams if copy.program is not None else ()
    video, chapters, pids = source.stream, copy.chapters, pids_of(copy)
    return Inventory(
        title=source.title,
        container=source.container.format.name,
        images=source.info.still or source.sequence is not None,
        animation=copy.image is not None and not source.info.still and source.sequence is None,
        width=first.width,
        height=first.height,
        pixel_format=pixel_format_of(first),
        color=first.color,
        aspect=source.info.aspect,
        display_matrix=copy.display_matrix,
        tick=first.time_base,
        times=times,
        thumbnails=np.frombuffer(thumbnails, np.float16).reshape(-1, *SHAPE),
        end=(last.pts + last.duration_ticks) * last.time_base if last.duration >= _SHORTEST else None,
        fields=fields,
        transparent=transparent,
        captions=captions,
        caption_data=caption_data.hexdigest(),
        side_data=tuple(sorted(LOST_SIDE_DATA[kind] for kind in kinds)),
        dynamic=tuple(name for kind, name in DYNAMIC_HDR.items() if side_data(first.av_frame, kind) is not None),
        mastering=mastering_numbers(first),
        program=copy.program.number if copy.program is not None else None,
        pid=pids.get(video.index),
        language=video.metadata.get("language", "und"),
        locale=copy.languages.get(video.index, ""),
        spherical=None if spherical is None else spherical.scaled(1 / first.width),
        stereo=stereo_layout(first.av_frame),
        disposition=int(video.disposition),
        stream_tags=comparable_stream_tags(video),
        tags=comparable_tags(copy.tags),
        image_metadata=image_tags(copy.image) | image_colors(source),
        chapters=tuple(_chapter(chapter) for chapter in chapters),
        tracks=tuple(
            _track(s, tallies[s.index], pids.get(s.index), copy.languages.get(s.index, ""))
            # Those of the programme that is kept come first, and are the first to be matched.
            for s in sorted(copy.streams, key=lambda s: s.index not in own)
            if not (chapters and _is_chapter_track(s))
        ),
        damage=source.damage,
    )


def _is_chapter_track(stream: Any) -> bool:
    # An mp4 holds its chapters as a track, too.
    return stream.type == "data" and codec_of(stream) == "bin_data"


def _track(stream: Any, tally: _Tally, pid: int | None, locale: str) -> Track:
    return Track(
        index=stream.index,
        kind="cover art" if stream.type == "video" and stream.disposition & ATTACHED else stream.type,
        codec=tally.codec,
        pid=pid,
        language=stream.metadata.get("language", "und"),
        locale=locale,
        disposition=int(stream.disposition),
        tags=comparable_stream_tags(stream),
        packets=tally.packets,
        payload=tally.digest.hexdigest(),
        tick=tally.tick,
        times=tally.times,
        texts=tuple(tally.text.texts),
        sound=tally.sound,
    )


def _chapter(chapter: Mapping[str, Any]) -> Chapter:
    tick = rational(chapter["time_base"]) or Fraction(1)
    return Chapter(chapter["start"] * tick, chapter["end"] * tick, chapter["metadata"].get("title", ""))
