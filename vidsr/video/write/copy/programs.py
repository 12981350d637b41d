"""Programmes of MPEG-TS: an output has one, with the number and the PIDs that it had in the input."""

from collections import Counter

from vidsr.context import Code, Notice
from vidsr.video.copy_info import CopyInfo, TsProgram

_PIDS = range(0x20, 0x1FFF)
"""Those that streams and tables may have (ISO 13818-1 and DVB reserve the others)."""
_PMT_PID = 0x1000
"""Where FFmpeg's muxer puts the program map table."""


def other_programs(copy: CopyInfo) -> dict[int, Notice]:
    """Return the streams of other programmes than that of the video, with a warning for each programme.

    FFmpeg's muxer would put the streams of all of them into one.
    """
    own, found = copy.program, dict[int, Notice]()
    if own is None:
        return found
    for program in copy.programs:
        others = tuple(index for index in program.streams if index not in (*own.streams, *found))
        what = f"programme {_title(program)} is left out: an output holds one, and {_title(own)} has the video"
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
