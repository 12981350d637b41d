"""Programmes of MPEG-TS: an output has one, with the number and the PIDs that it had in the input."""

from collections import Counter
from collections.abc import Iterator

from vidsr.context import Code, Notice
from vidsr.video.copy_info import CopyInfo, TsProgram
from vidsr.video.write.copy.containers import Muxer

_PIDS = range(0x20, 0x1FFF)
"""Those that streams and tables may have (ISO 13818-1 and DVB reserve the others)."""
_BLURAY_PIDS = range(0x1011, 0x1B20)
_PMT_PID = 0x1000
"""Where FFmpeg's muxer puts the program map table."""


def other_programs(copy: CopyInfo) -> dict[int, Notice]:
    """Return the streams of other programmes than that of the video, with a warning for each programme.

    FFmpeg's muxer would put the streams of all of them into one.
    """
    own, found = copy.program, dict[int, Notice]()
    if own is None:
        return found
    kind = "variant" if copy.video_stream.container.format.name == "hls" else "programme"
    for program in copy.programs:
        others = tuple(index for index in program.streams if index not in (*own.streams, *found))
        what = f"{kind} {_title(program)} is left out: an output holds one, and {_title(own)} has the video"
        found |= dict.fromkeys(others, Notice(what, (Code.STREAM,), others))
    return found


def _title(program: TsProgram) -> str:
    name = program.tags.get("service_name", "")
    return f"{program.number} ({name})" if name else str(program.number)


def program_options(copy: CopyInfo) -> dict[str, str]:
    """Return the options of FFmpeg's mpegts muxer that keep the number of the programme and leave its PIDs free."""
    program, taken = copy.program, pids_of(copy).values()
    if program is None or not taken:
        return {}
    free = next(pid for pid in _PIDS if pid >= _PMT_PID and pid not in taken)
    options = {"mpegts_pmt_start_pid": str(free)} if free != _PMT_PID else {}
    return options | ({"mpegts_service_id": str(program.number)} if 0 < program.number < 1 << 16 else {})


def pids_of(copy: CopyInfo) -> dict[int, int]:
    """Return the PID of each stream of MPEG-TS, by its index, but for streams that share one, as on Blu-ray discs."""
    if copy.video_stream.container.format.name != "mpegts":
        return {}
    pids = {stream.index: stream.id for stream in (copy.video_stream, *copy.streams)}
    times = Counter(pids.values())
    return {index: pid for index, pid in pids.items() if pid in _PIDS and times[pid] == 1}


def kept_pids(muxer: Muxer, copy: CopyInfo) -> dict[int, int]:
    """Return the PID that each stream keeps in an output, by its index in the input; none if the muxer assigns them."""
    pids = pids_of(copy) if muxer.name == "mpegts" else {}
    if muxer.bluray and (len(pids) <= len(copy.streams) or not {*pids.values()} <= {*_BLURAY_PIDS}):
        return {}
    return pids


def changed_pids(muxer: Muxer, copy: CopyInfo) -> Iterator[Notice]:
    """Give the warnings that streams get other PIDs than in the input."""
    if muxer.bluray and pids_of(copy) and not kept_pids(muxer, copy):
        yield Notice(f"the video gets another PID: {muxer.title} prescribes them", (Code.PROGRAM,))
        others = tuple(stream.index for stream in copy.streams)
        if others:
            yield Notice(f"the other streams get other PIDs: {muxer.title} prescribes them", (Code.PROGRAM,), others)
