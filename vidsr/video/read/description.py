"""What FFmpeg says about an input and PyAV has no attribute for: programmes, cropping, Dolby Vision.

`av_dump_format` prints all of it, and PyAV returns the text. It is the only way to these values that needs neither
another process nor a parser for each container, and it takes a tenth of a millisecond.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from av.container import InputContainer

from vidsr.frames import Frame
from vidsr.video import ebml
from vidsr.video._compat import dump_format
from vidsr.video.boxes import extended_languages
from vidsr.video.convert.resizer import cropped
from vidsr.video.copy_info import TsProgram
from vidsr.video.metadata import ATTACHED
from vidsr.video.read.truncation import path_of

_STREAM = re.compile(r"  Stream #0:(\d+)\b")
_PROGRAM = re.compile(r"  Program (\d+)\b")
_TRACK_TYPES = {bytes([kind]) for kind in (1, 2, 17, 33)}
"""Of Matroska's tracks, those that FFmpeg reads: video, audio, subtitles, metadata."""
_IPT_PROFILES = (5, 10, 20)
"""Of Dolby Vision, those that have no compatible base layer unless they state one."""
_SERVICE = {"service_name": "Service01", "service_provider": "FFmpeg"}
_ENTRY = re.compile(r"      (\S.*?) *: ?(.*)")


@dataclass(frozen=True, slots=True)
class Cropping:
    """Edges that are decoded but not shown, in pixels."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any((self.left, self.right, self.top, self.bottom))

    def apply(self, frame: Frame) -> Frame:
        """Return the part of a frame that is shown, with whole chroma samples; all of a frame that is too small."""
        across, down = frame.color.subsampling if len(frame.planes) > 1 else (0, 0)
        left, top = self.left >> across << across, self.top >> down << down
        width, height = frame.width - left - self.right, frame.height - top - self.bottom
        return cropped(frame, width, height, left=left, top=top) if self and min(width, height) > 0 else frame


@dataclass(frozen=True, slots=True)
class Description:
    """What `av_dump_format` prints."""

    programs: tuple[TsProgram, ...] = ()
    """Those that have streams."""
    side_data: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    """Side data of each stream: its name and value, as FFmpeg prints them."""

    def service_tags(self, stream: int) -> dict[str, str]:
        """Return name and provider of the service with a stream, unless FFmpeg's muxer made them up."""
        tags = next((program.tags for program in self.programs if stream in program.streams), {})
        return {key: tags[key] for key, made_up in _SERVICE.items() if tags.get(key, made_up) != made_up}

    def crop(self, stream: int) -> Cropping:
        """Return the cropping that the container asks for: PixelCrop in Matroska, clean aperture in mp4."""
        text = self.side_data.get(stream, {}).get("Frame Cropping", "")
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        return Cropping(*numbers) if len(numbers) == 4 else Cropping()

    def dolby_vision_ipt(self, stream: int) -> int | None:
        """Return the profile of Dolby Vision whose samples are IPT instead of YCbCr; None for others."""
        text = self.side_data.get(stream, {}).get("DOVI configuration record", "")
        found = re.search(r"profile: (\d+).*compatibility id: (\d+)", text)
        profile, compatible = (int(found[1]), int(found[2])) if found else (0, 0)
        return profile if profile in _IPT_PROFILES and not compatible else None


def describe_input(container: InputContainer) -> Description:
    """Return what FFmpeg prints of an open container, parsed."""
    return parse(dump_format(container))


def languages_of(container: InputContainer) -> dict[int, str]:
    """Return the languages of a file that ISO 639-2 cannot name, such as pt-BR, by index of the stream.

    FFmpeg does not read them from Matroska or mp4. Empty for what is not a file on disk.
    """
    path = path_of(container)
    if path is None:
        return {}
    tags: dict[int, str] = {}
    with path.open("rb") as file:
        if container.format.name == "matroska,webm":
            tags = _matroska_languages(file, container)
        elif container.format.name.startswith("mov"):
            known = extended_languages(file)
            tags = {stream.index: known.get(stream.id, "") for stream in container.streams}
    languages = {index: container.streams[index].metadata.get("language", "eng") for index in tags}
    return {index: tag for index, tag in tags.items() if _says_more(tag, languages[index])}


def _says_more(tag: str, language: str) -> bool:
    if len(tag) == 2:  # two letters name what three do, as en and eng; Matroska's default is English
        return language == "und" or (language == "eng" and tag != "en")
    return len(tag) > 3 or tag not in ("", "und", language)


def _matroska_languages(file: BinaryIO, container: InputContainer) -> dict[int, str]:
    # Empty where FFmpeg reads other tracks.
    found = ebml.find_tracks(file)
    entries = [list(ebml.elements(part.body)) for part in ebml.elements(found[1] if found else b"")]
    tags = [_language(entry) for entry in entries if _body(entry, ebml.TRACK_TYPE) in _TRACK_TYPES]
    cover_art = (stream for stream in container.streams if stream.disposition & ATTACHED)
    attached = {stream.index for stream in (*cover_art, *container.streams.attachments)}
    streams = [stream for stream in container.streams if stream.index not in attached]
    return {stream.index: tag for stream, tag in zip(streams, tags, strict=False)} if len(tags) == len(streams) else {}


def _language(entry: list[ebml.Element]) -> str:
    return _body(entry, ebml.LANGUAGE_BCP47).rstrip(b"\0").decode("ascii", "replace")


def _body(entry: list[ebml.Element], kind: int) -> bytes:
    return next((part.body for part in entry if part.id == kind), b"")


def parse(dump: str) -> Description:
    """Parse the text of `av_dump_format`. Lines of tags are indented, so that no tag looks like a stream."""
    programs, tags, streams = list[int](), dict[int, dict[str, str]](), dict[int, list[int]]()
    side_data = dict[int, dict[str, str]]()
    program: int | None = None
    entries = dict[str, str]()  # of the section that is read
    section = entries
    for line in dump.split("\n"):
        if found := _STREAM.match(line):
            stream, section = int(found[1]), {}
            side_data[stream] = {}
            if program is not None:
                streams[program].append(stream)
        elif found := _PROGRAM.match(line):
            program = int(found[1])
            programs.append(program)
            section = tags[program] = {}
            streams[program] = []
        elif line.startswith("  No Program"):
            program = None
        elif line.startswith("    Side data:"):
            section = side_data[stream]
        elif line.startswith("    Metadata:") and program is not None and not streams[program]:
            section = tags[program]
        elif line.startswith("    ") and line[4:5].strip():
            section = {}
        elif found := _ENTRY.match(line):
            section[found[1]] = found[2].strip()
    known = tuple(TsProgram(number, tags[number], tuple(streams[number])) for number in programs if streams[number])
    return Description(known, side_data)
