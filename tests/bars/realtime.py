"""`--realtime` under disturbance: frames lost, latency, share computed and seconds on each rung.

`pipe`: 640x360 -> 1280x720 at 30 fps, fed frame by frame as NUT for SECONDS, while a busy process takes one core for
ten seconds, twice. Latency is measured from outside: from the last byte of a frame written to the last byte of its
packet read. `udp`: 320x180 -> 640x360 through UDP in MPEG-TS on the loopback, sent by this process; frames are counted
at the other end.

Bars: no frame lost; p99 at most 100 ms outside the disturbed seconds, and back under it two seconds after each; UDP: no
frame lost, p99 at most 60 ms. The share of the CPU that others use is printed, since they disturb it, too.
"""

import json
import multiprocessing
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from statistics import quantiles

import av
import numpy as np
from common import VIDSR, parser, table
from live_pipe import coded, packet_ends, read_all, times_at
from numpy.typing import NDArray

START_S, BUSY_S, SETTLES_S = 4, 10, 2
RATE = 30


def pictures(width: int, height: int, count: int) -> Iterator[NDArray[np.uint8]]:
    """A moving picture with grain."""
    rng = np.random.default_rng(0)
    wide = rng.normal(0, 24, (height, 2 * width)).astype(np.float32)
    wide = 128 + 2 * (wide + np.roll(wide, 1, 1) + np.roll(wide, 1, 0))
    for number in range(count):
        place = (2 * number) % width
        yield wide[:, place : place + width].clip(16, 235).astype(np.uint8)


def spin(until: float) -> None:
    """Keep a core busy."""
    while time.time() < until:
        sum(range(1000))


def busy_after(seconds: float) -> threading.Thread:
    """Take a core for a while, later."""

    def work() -> None:
        time.sleep(seconds)
        multiprocessing.get_context("spawn").Process(target=spin, args=(time.time() + BUSY_S,)).start()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def cpu_ticks() -> tuple[int, int]:
    """Of the machine: (busy, all)."""
    ticks = [int(each) for each in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def pipe(seconds: int, model: list[str], latency: int) -> None:
    """Print the table of the pipe."""
    pieces = coded(pictures(640, 360, RATE * seconds), RATE, "nut", gop=RATE)
    disturbed = [seconds // 4, 5 * seconds // 8]
    command = [*VIDSR, "upscale", *model, "--realtime", "--latency", str(latency), "--json", "-", "-"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin and process.stdout and process.stderr
    out, reads, said = BytesIO(), list[tuple[int, float]](), list[bytes]()

    readers = [
        threading.Thread(target=read_all, args=(process.stdout, reads, out)),
        threading.Thread(target=lambda: said.append(process.stderr.read())),  # type: ignore[union-attr]
    ]
    for each in readers:
        each.start()
    written, began = list[float](), time.perf_counter()
    for after in disturbed:
        busy_after(after)
    before, own = cpu_ticks(), os.times()
    for number, piece in enumerate(pieces):
        time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        process.stdin.write(piece)
        process.stdin.flush()
        written.append(time.perf_counter())
    process.stdin.close()
    for each in readers:
        each.join()
    process.wait()
    after, mine = cpu_ticks(), os.times()
    numbers, ends = packet_ends(out.getvalue(), RATE)
    left = times_at(ends, reads)
    latencies = [1000 * (t - written[number]) for number, t in zip(numbers, left, strict=True)]
    print_result("pipe 640x360 -> 1280x720", said, len(written), len(ends))
    spent = sum(mine[:4]) - sum(own[:4])
    everyone = (after[0] - before[0]) / os.sysconf("SC_CLK_TCK")
    print(f"CPU of the machine {everyone / (after[1] - before[1]) * os.sysconf('SC_CLK_TCK'):.0%} busy, ", end="")
    print(f"{everyone - spent:.0f} CPU seconds of {everyone:.0f} by others and the disturbance")
    since = [written[number] - began for number in numbers]
    calm = [
        late
        for late, at in zip(latencies, since, strict=False)
        if at > START_S and not any(d <= at < d + BUSY_S + SETTLES_S for d in disturbed)
    ]
    hard = [late for late, at in zip(latencies, since, strict=False) if any(d <= at < d + BUSY_S for d in disturbed)]
    settled = [
        late
        for late, at in zip(latencies, since, strict=False)
        if any(d + SETTLES_S <= at < d + BUSY_S or d + BUSY_S + SETTLES_S <= at < d + BUSY_S + 5 for d in disturbed)
    ]
    rows = [
        [name, *(f"{each:.0f}" for each in percentiles(some)), bar]
        for name, some, bar in (
            ("undisturbed", calm, 100), ("disturbed", hard, ""), ("2 s after each change", settled, 100)
        )
        if len(some) > 2
    ]  # fmt: skip
    table(["latency, ms", "p50", "p95", "p99", "longest", "bar of p99"], rows)


def percentiles(values: list[float]) -> tuple[float, float, float, float]:
    """Median, 95th and 99th percentile, largest."""
    cuts = quantiles(values, n=100)
    return cuts[49], cuts[94], cuts[98], max(values)


def print_result(what: str, said: list[bytes], sent: int, received: int) -> None:
    """Print what the command reported."""
    lines = b"".join(said).decode().splitlines()
    for line in lines[:-1]:
        print(line)
    found = json.loads(lines[-1])["realtime"]
    print(f"{what}: {sent} frames sent, {received} received, {found['dropped']} dropped by vidsr")
    print("as vidsr reports:", {key: value for key, value in found.items()})


def udp(seconds: int, model: list[str]) -> None:
    """Print what becomes of a stream over UDP."""
    pieces = coded(pictures(320, 180, RATE * seconds), RATE, "mpegts", gop=RATE)
    ports = [free_port(), free_port()]
    received = bytearray()
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sink.bind(("127.0.0.1", ports[1]))
    sink.settimeout(1.0)
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                received.extend(sink.recv(65536))
            except TimeoutError:
                continue

    reader = threading.Thread(target=read)
    reader.start()
    source = f"udp://127.0.0.1:{ports[0]}?timeout=3000000"
    target = f"udp://127.0.0.1:{ports[1]}?pkt_size=1316"
    command = [*VIDSR, "upscale", *model, "--format", "mpegts", "--latency", "60", "--json", source, target]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    time.sleep(3)  # it listens by then; what is sent earlier is lost
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    began = time.perf_counter()
    for number, piece in enumerate(pieces):
        time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        for start in range(0, len(piece), 1316):
            sender.sendto(piece[start : start + 1316], ("127.0.0.1", ports[0]))
    _, said = process.communicate()
    done.set()
    reader.join()
    with av.open(BytesIO(bytes(received)), format="mpegts") as container:
        stamps = [packet.pts for packet in container.demux(video=0) if packet.size and packet.pts is not None]
    expected = 1 + round((max(stamps) - min(stamps)) * RATE / 90_000)
    print_result("UDP 320x180 -> 640x360", [said], len(pieces), len(stamps))
    print(f"{expected - len(stamps)} frames are missing between the first and the last that were received")


def free_port() -> int:
    """A port of UDP that nothing uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def main() -> None:
    """Run what was asked for."""
    options = parser(__doc__)
    options.add_argument("--what", choices=["pipe", "udp"], nargs="+", default=["pipe", "udp"])
    options.add_argument("--seconds", type=int, default=600)
    options.add_argument("--model", default="live-x2")
    options.add_argument("--latency", type=int, default=100)
    options.add_argument("--preset", default="veryfast")
    given = options.parse_args()
    model = ["--model", given.model, "--preset", given.preset]
    if "pipe" in given.what:
        pipe(given.seconds, model, given.latency)
    if "udp" in given.what:
        udp(min(given.seconds, 60), model)


if __name__ == "__main__":
    main()
