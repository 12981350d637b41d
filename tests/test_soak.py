"""A long video through a pipe at full speed: memory stays flat, and sound and picture end together.

VIDSR_SOAK_SECONDS: how much film (120); 3600 for the hour.
"""

import os
import re
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

RATE, SOUND_RATE = 25, 8000
FEED = f"""
import sys
from fractions import Fraction
import av, numpy as np
frames = int(sys.argv[1])
with av.open(sys.stdout.buffer, "w", format="nut") as out:
    film, tone = out.add_stream("rawvideo", rate={RATE}), out.add_stream("pcm_s16le", rate={SOUND_RATE}, layout="mono")
    film.width, film.height, film.pix_fmt = 64, 36, "yuv420p"
    picture = av.VideoFrame(64, 36, "yuv420p")
    sound = av.AudioFrame.from_ndarray(np.zeros((1, {SOUND_RATE // RATE}), np.int16), format="s16", layout="mono")
    sound.sample_rate = {SOUND_RATE}
    for index in range(frames):
        picture.planes[0].update(bytes([index % 256]) * picture.planes[0].buffer_size)
        picture.pts, picture.time_base = index, Fraction(1, {RATE})
        sound.pts, sound.time_base = index * {SOUND_RATE // RATE}, Fraction(1, {SOUND_RATE})
        out.mux(film.encode(picture))
        out.mux(tone.encode(sound))
"""


def resident_mb(process: subprocess.Popen[bytes]) -> float:
    """What a process holds in memory now."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="watches memory through Linux's /proc")
def test_an_hour_through_a_pipe_takes_no_more_memory_than_a_minute_and_drifts_nowhere(tmp_path: Path) -> None:
    frames = int(os.environ.get("VIDSR_SOAK_SECONDS", 120)) * RATE
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    upscale = [sys.executable, "-m", "vidsr", "upscale", "-q", "-m", "nearest", "--preset", "ultrafast", "-", "-"]
    held: dict[int, float] = {}
    ends: dict[str, Any] = {}
    counts = {"video": 0, "audio": 0}
    began = time.monotonic()
    pipe = subprocess.PIPE
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen([sys.executable, "-c", FEED, str(frames)], stdout=pipe, env=environment) as feeder,
        subprocess.Popen(upscale, stdin=feeder.stdout, stdout=pipe, stderr=said, env=environment) as process,
    ):
        assert feeder.stdout is not None and process.stdout is not None
        feeder.stdout.close()  # it belongs to the other process now
        try:
            with av.open(process.stdout, format="nut") as result:
                for packet in result.demux():
                    if not packet.size or packet.pts is None:
                        continue
                    kind = packet.stream.type
                    counts[kind] += 1
                    ends[kind] = packet.pts * Fraction(packet.time_base.numerator, packet.time_base.denominator)
                    if kind == "video" and counts[kind] in (frames // 10, frames // 2, frames - 100):
                        held[counts[kind]] = resident_mb(process)
            assert (process.wait(60), feeder.wait(60)) == (0, 0), (tmp_path / "said").read_text()
        finally:
            feeder.kill()
            process.kill()
    seconds = time.monotonic() - began
    told = ", ".join(f"{mb:.1f} MB after {count} frames" for count, mb in held.items())
    print(f"{frames} frames in {seconds:.0f} s, {frames / seconds:.0f} fps; {told}")
    assert counts["video"] == frames
    assert ends["video"] == Fraction(frames - 1, RATE)
    length = Fraction(1, RATE)  # of a packet of sound
    assert abs(ends["audio"] + length - Fraction(frames, RATE)) <= 2 * length
    early, _, late = held.values()
    assert late - early < 8, told
