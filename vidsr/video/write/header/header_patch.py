"""What is put into the header of an output once it is complete, and what must be left out of it."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from av.stream import Stream

from vidsr.context import Code, Notice
from vidsr.video.convert.immersive import SphericalMapping, StereoLayout
from vidsr.video.copy_info import CopyInfo
from vidsr.video.write.copy.containers import describe
from vidsr.video.write.encoding_plan import EncodingPlan
from vidsr.video.write.header import matroska_tracks, mp4_boxes
from vidsr.video.write.header.matroska_tracks import ROOM, TrackExtras

_MP4, _MATROSKA = ("mp4", "mov"), ("matroska", "webm")
_PLACES = ("location", "com.apple.quicktime.location.iso6709")
_WEBM_MODES = ("left_right", "right_left", "top_bottom", "bottom_top")


@dataclass(frozen=True, slots=True)
class HeaderPatch:
    """Changes to the header of a finished file."""

    spherical: SphericalMapping | None = None
    """In an mp4."""
    stereo: StereoLayout | None = None
    """In an mp4."""
    place: str = ""
    """Of an mp4: where it was recorded, as ISO 6709."""
    tracks: Mapping[int, TrackExtras] = field(default_factory=dict)
    """Of Matroska, by number, from 1."""
    warnings: tuple[Notice, ...] = ()
    """What cannot be stored."""

    def __bool__(self) -> bool:
        return bool(self.spherical or self.stereo or self.place or self.tracks)

    def reserve(self, streams: Iterable[Stream]) -> None:
        """Make room in the header that the muxer is about to write."""
        for number, stream in _numbered(streams).items():
            if number in self.tracks:
                stream.metadata["title"] = stream.metadata.get("title", "") + " " * ROOM

    def apply(self, file: BinaryIO) -> None:
        """Change the header of a finished file. Raises OutputError, and OSError as the system does."""
        if self.tracks:
            matroska_tracks.add_to_tracks(file, self.tracks)
        else:
            mp4_boxes.add_to_index(file, spherical=self.spherical, stereo=self.stereo, place=self.place)
        file.seek(0, os.SEEK_END)


def plan_header(
    plan: EncodingPlan, copy: CopyInfo, copies: Mapping[int, Stream], streams: Iterable[Stream], *, can_patch: bool
) -> HeaderPatch:
    """Return what is put into the header afterwards, with warnings of what the output cannot store.

    copies: the streams of the output by index in the input. streams: all of them. can_patch: whether the finished file
    can be changed.
    """
    muxer, spherical, stereo = plan.muxer.name, plan.spherical, plan.stereo
    languages = {index: tag for index, tag in copy.languages.items() if index in copies}
    warnings = tuple(_warnings(plan, can_patch=can_patch))
    if muxer != "matroska" or not can_patch:
        warnings += tuple(_language_warnings(muxer, copy, languages))
    spherical = None if any(Code.SPHERICAL in notice.codes for notice in warnings) else spherical
    if muxer in _MP4 and can_patch:
        tags = {key.lower(): value for key, value in plan.tags.items()}
        place = next((tags[key] for key in _PLACES if key in tags), "")
        return HeaderPatch(spherical, stereo if mp4_boxes.can_store(None, stereo) else None, place, warnings=warnings)
    tracks: dict[int, TrackExtras] = {}
    if muxer in _MATROSKA and can_patch:
        numbers = {stream.index: number for number, stream in _numbered(streams).items()}
        if muxer == "matroska":
            tracks = {numbers[copies[index].index]: TrackExtras(language=tag) for index, tag in languages.items()}
        if spherical is not None:
            tracks[1] = replace(tracks.get(1, TrackExtras()), spherical=spherical)
    return HeaderPatch(tracks=tracks, warnings=warnings)


def _numbered(streams: Iterable[Stream]) -> dict[int, Stream]:
    # As Matroska's muxer numbers tracks; attachments are none.
    return dict(enumerate((stream for stream in streams if stream.type != "attachment"), 1))


def stereo_mode(muxer: str, stereo: StereoLayout | None) -> str | None:
    """Return the tag with which Matroska's muxer writes a stereo layout; None if it cannot."""
    mode = None if stereo is None or muxer not in _MATROSKA else stereo.matroska_mode
    return mode if muxer == "matroska" or mode in _WEBM_MODES else None


def _warnings(plan: EncodingPlan, *, can_patch: bool) -> Iterator[Notice]:
    muxer, spherical, stereo = plan.muxer.name, plan.spherical, plan.stereo
    if spherical is not None:
        in_mp4 = muxer in _MP4 and mp4_boxes.can_store(spherical, None)
        in_matroska = muxer in _MATROSKA and matroska_tracks.can_store(spherical)
        if not can_patch or not (in_mp4 or in_matroska):
            what = f"the 360 degree mapping ({spherical}) is left out: {muxer} cannot store it"
            yield Notice(f"{what}{'' if can_patch else ' in a pipe'}; use a file, .mp4 or .mkv", (Code.SPHERICAL,))
    if stereo is None or stereo_mode(muxer, stereo) is not None or (plan.encoder == "libx264" and stereo.in_h264):
        return
    if not (can_patch and muxer in _MP4 and mp4_boxes.can_store(None, stereo)):
        what = f"the stereo 3D layout ({stereo}) is left out: {plan.encoder} in {muxer} cannot store it"
        yield Notice(f"{what}; use .mkv", (Code.STEREO,))


def _language_warnings(muxer: str, copy: CopyInfo, languages: Mapping[int, str]) -> Iterator[Notice]:
    for index, tag in languages.items():
        is_video = index == copy.video_stream.index
        stream = copy.video_stream if is_video else next(each for each in copy.streams if each.index == index)
        title, streams = ("the video", ()) if is_video else (describe(stream), (index,))
        less = stream.metadata.get("language", "und")
        what = f"{title}: {muxer} cannot store the language {tag}, only {less}; use .mkv, as a file"
        yield Notice(what, (Code.LANGUAGE,), streams)
