"""Which codec each container keeps: what `ffmpeg -c copy` writes and ffprobe reads back, against what vidsr writes.

One small input is made for each encoder of the ffmpeg command: a video to upscale and a stream of that codec. A cell is
`both`, `ours` (ffmpeg does not keep it), `LOST` (ffmpeg keeps it and vidsr does not), `DIED` (the process ended),
`as X` (converted or repacked to X, where ffmpeg keeps nothing) or `-`. Bar: no LOST and no DIED.
"""

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import table

CONTAINERS = ("mp4", "mov", "mkv", "webm", "ts", "m2ts", "nut", "avi", "flv")
WRAPPERS = ("mkv", "nut", "mov", "avi", "wmv", "ts", "ogg", "flv", "mp4", "m2ts", "vob")
SOUNDS = ((48000, 2), (44100, 2), (44100, 1), (16000, 1), (8000, 1), (11025, 1), (22050, 1))
SIZES = ("64x48", "176x144", "720x576", "160x128")
CAPTION = "1\n00:00:00,000 --> 00:00:00,400\nHello\n"
LONGEST_S = 600


def main() -> None:
    """Print the matrix and the cells below the bar; exit with 1 if there are any."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--only", default="", help="a regular expression for the codecs")
    options.add_argument("--kinds", default="ASV", help="A audio, S subtitles, V a second video")
    options.add_argument("--ours", nargs=2, type=Path, help=argparse.SUPPRESS)
    options.add_argument("--bold", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.ours:
        write_ours(*given.ours, bold=given.bold)
        return
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        encoders = [each for each in encoders_of(given.kinds) if re.search(given.only, each[2])]
        rows = [row for row in pool.map(lambda each: row_of(Path(folder, "_".join(each)), *each), encoders) if row]
    table(("codec", *CONTAINERS), rows)
    bad = [f"{row[0]} in {name}: {cell}" for row in rows for name, cell in zip(CONTAINERS, row[1:], strict=True)]
    bad = [cell for cell in bad if cell.endswith(("LOST", "DIED"))]
    print(f"\n{len(rows)} codecs, {len(bad)} cells below the bar", *bad, sep="\n")
    sys.exit(bool(bad))


def encoders_of(kinds: str) -> Iterator[tuple[str, str, str]]:
    """Kind (A, S, V), encoder and codec of each encoder; one encoder a codec."""
    listed = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], capture_output=True, text=True, check=True).stdout
    seen = set()
    for kind, name, rest in re.findall(r"^ ([AVS])[A-Z.]{5} (\w+) +(.*)$", listed, re.MULTILINE):
        codec = match[1] if (match := re.search(r"\(codec (\S+)\)", rest)) else name
        hardware = name.endswith(("_nvenc", "_qsv", "_vaapi", "_v4l2m2m", "_omx", "_mf", "_amf"))
        if kind in kinds and codec not in seen and not hardware:
            seen.add(codec)
            yield kind, name, codec


def row_of(folder: Path, kind: str, encoder: str, codec: str) -> list[str]:
    """The codec and its cells; empty if no input can be made."""
    folder.mkdir()
    source = source_of(folder, kind, encoder, codec)
    if source is None:
        return []
    theirs, ours, written = folder / "theirs", folder / "ours", codecs_in(source)[1]
    theirs.mkdir(), ours.mkdir()
    for name in CONTAINERS:
        copied = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-i", str(source), "-map", "0", "-c", "copy"]
        silent_run([*copied, str(theirs / f"out.{name}")])
    command = [sys.executable, __file__, "--ours", str(source), str(ours)]
    state = silent_run([*command, "--bold"]) and silent_run(command)
    cells = [f"{kind} {codec}"]
    for name in CONTAINERS:
        kept, found = ([*codecs_in(each / f"out.{name}"), "", ""] for each in (theirs, ours))
        place = 1 if kind == "V" or found[0] != written else 0
        is_kept, is_found = written in kept, written in (found[1:] if kind == "V" else found)
        died = state < 0 and not (ours / f"{name}.json").exists()
        converted = f"as {found[place]}" if found[place] and not is_kept else "-"
        cells.append(
            "DIED" if died
            else ("both" if is_kept else "ours") if is_found
            else "LOST" if is_kept
            else converted
        )  # fmt: skip
    print(*cells, sep="  ", file=sys.stderr, flush=True)
    return cells


def source_of(folder: Path, kind: str, encoder: str, codec: str) -> Path | None:
    """A video with a stream of a codec, in the first wrapper that keeps it."""
    (folder / "a.srt").write_text(CAPTION)
    inputs = {
        "A": [["-f", "lavfi", "-i", f"sine=d=0.4:r={rate}", "-ac", str(channels)] for rate, channels in SOUNDS],
        "S": [["-i", str(folder / "a.srt")]],
        "V": [["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d=0.4"] for size in SIZES],
    }[kind]
    start = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
    alone = ["-strict", "-2", f"-c:{kind.lower()}", encoder, "-f", "null", "-"]
    other = next((each for each in inputs if silent_run([*start, *each, *alone]) == 0), None)
    for wrapper in () if other is None else WRAPPERS:
        target = folder / f"in.{wrapper}"
        picture = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", *(other or [])]
        codecs = ["-c:v:0", "libx264", "-c:v:1" if kind == "V" else f"-c:{kind.lower()}", encoder, "-strict", "-2"]
        silent_run([*start, *picture, "-map", "0", "-map", "1", *codecs, str(target)])
        if [each.split()[0] for each in codecs_in(target)[:2]] == ["h264", codec]:
            return target
    return None


def silent_run(command: list[str]) -> int:
    """Run a command and return its exit status."""
    try:
        return subprocess.run(command, capture_output=True, timeout=LONGEST_S).returncode
    except subprocess.TimeoutExpired:
        return 124


def codecs_in(path: Path) -> list[str]:
    """The codecs of the streams of a file, of raw video with its pixel format, as ffprobe reads them; or none."""
    if not path.exists() or not path.stat().st_size:
        return []
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=index,codec_name,pix_fmt", "-of", "json", str(path)]
    try:
        read = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S)
        streams = json.loads(read.stdout or "{}").get("streams", [])
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return []
    kinds = [(stream.get("codec_name", "unknown"), stream.get("pix_fmt")) for stream in streams]
    return [f"{name} {pixel_format}" if name == "rawvideo" else name for name, pixel_format in kinds]


def write_ours(source: Path, folder: Path, *, bold: bool) -> None:
    """Write a video into every container, with the same size, and a note of each that is finished.

    bold: try muxers in this process, which is quicker, and which they may end; then it is done again without.
    """
    from vidsr.context import Context
    from vidsr.options import EncodeOptions
    from vidsr.video.read.source import open_source
    from vidsr.video.write.copy import muxer_trial
    from vidsr.video.write.sink import open_sink

    if bold:
        muxer_trial._survives = lambda question: True  # type: ignore[assignment]
    for name in CONTAINERS:
        said: list[str] = []
        try:
            context = Context(lambda notice, said=said: said.append(str(notice)))  # type: ignore[misc]
            with open_source(source, context=context) as video:
                options = EncodeOptions(preset="ultrafast", overwrite=True)
                target = folder / f"out.{name}"
                with open_sink(target, video.info, options, copy=video.copy_info(), context=context) as sink:
                    for item in itertools.chain(video):
                        sink.write(item)
        except Exception as exc:
            said.append(repr(exc))
        (folder / f"{name}.json").write_text(json.dumps(said))


if __name__ == "__main__":
    main()
