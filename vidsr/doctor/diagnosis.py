"""Everything that `vidsr doctor` tells, gathered."""

import json
import os
import platform
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from vidsr.doctor.gpu_drivers import GpuState, gpus
from vidsr.doctor.hardware import Cpu, Disk, Memory, cpu, disks, memory
from vidsr.doctor.packages import Extra, extras

PATIENCE_S = 60.0  # for a runtime to load, once; a cold PyTorch takes ten
_CONTAINER = "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"

State = Literal["works", "idle", "missing", "broken"]
"""idle: installed, but there is nothing here to compute on, or with."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One engine."""

    name: str
    state: State
    version: str | None
    device: str | None
    """Where it computes if nothing is said, and how exactly."""
    precision: str | None
    precisions: tuple[str, ...]
    """Those in which it ran a network here."""
    reason: str
    """Why it does not work, or not in every precision; empty where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder or decoder of the hardware's, after it was tried."""

    name: str
    encodes: bool
    works: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Video:
    """PyAV, the FFmpeg inside it, and its codecs."""

    state: State
    pyav: str | None
    ffmpeg: str | None
    encoders: tuple[str, ...]
    decoders: tuple[str, ...]
    hardware: tuple[Codec, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model with a name."""

    name: str
    path: str
    own: bool
    """Whether it is the user's, rather than one of the shelf's."""
    scale: int | None
    """None where it carries no card, until it is opened."""
    engine: str | None
    """What runs it where none is asked for; None where it does not run."""
    reason: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A thing that could be here, and the one command that brings it."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class Report:
    """What is here. As JSON its keys are these names, and stay."""

    vidsr: str
    python: str
    system: str
    cpu: Cpu
    memory: Memory
    disks: tuple[Disk, ...]
    gpus: tuple[GpuState, ...]
    engines: tuple[Runtime, ...]
    video: Video
    models: tuple[Model, ...]
    models_reason: str
    """Why there are none, where that is a fault."""
    extras: tuple[Extra, ...]
    missing: tuple[Missing, ...]


def examine() -> Report:
    """Look at the machine and try what is installed; takes a few seconds and asks nobody outside."""
    with ThreadPoolExecutor(4) as pool:
        tried, listed = pool.submit(_ask, "video"), pool.submit(_ask, "models")
        runtimes, commands = _runtimes(pool)
        here, more = gpus(), extras()
        video, models = _video(*tried.result()), listed.result()
    lacking = [one.name for one in runtimes if one.state in ("missing", "broken")]
    missing = [Missing(f"the engine {name}", commands[name]) for name in lacking]
    missing += [Missing("video", "pip install --force-reinstall av")] if video.state != "works" else []
    known = {one.command for one in missing}
    missing += [
        Missing(f"the extra {one.name}", one.command) for one in more if one.missing and one.command not in known
    ]
    missing += [Missing("the GPU's video codecs", _CONTAINER)] if here and _shut_out(video) else []
    return Report(
        vidsr=_version(), python=platform.python_version(), system=platform.platform(), cpu=cpu(), memory=memory(),
        disks=disks(), gpus=here, engines=tuple(runtimes), video=video,
        models=tuple(_model(one, runtimes) for one in models[0] or ()), models_reason=models[1], extras=more,
        missing=tuple(missing),
    )  # fmt: skip


def _runtimes(pool: ThreadPoolExecutor) -> tuple[list[Runtime], dict[str, str]]:
    """Every engine, and the command that installs each."""
    try:
        from vidsr.engines import ENGINES, installed
    except ImportError as exc:  # numpy's, which nothing works without
        broken = Runtime("all", "broken", None, None, None, (), f"{type(exc).__name__}: {exc}")
        return [broken], {"all": "pip install --force-reinstall vidsr"}
    here = set(installed())
    asked = {name: pool.submit(_ask, "engine", name) for name in ENGINES if name in here}
    commands = {name: _quoted(one.install, again=name in here) for name, one in ENGINES.items()}
    return [_runtime(name, asked[name].result() if name in here else None) for name in ENGINES], commands


def _quoted(command: str, *, again: bool) -> str:
    """The command as every shell takes it, with what a broken package needs besides."""
    program, action, *packages = shlex.split(command)
    return shlex.join([program, action, *(["--force-reinstall"] if again else []), *packages])


def _model(facts: Any, runtimes: list[Runtime]) -> Model:
    """A model, with the engine that runs it where none is asked for: one on a GPU before the usual one."""
    from vidsr.engines import ON_GPU

    works = {one.name: one for one in runtimes if one.state == "works"}
    usual = facts["engine"]
    on_gpu = (name for name in ON_GPU if name in works and works[name].device != "cpu")
    runs = next(on_gpu, usual) if usual else None
    if runs and runs not in works:
        return Model(**{**facts, "engine": None, "reason": f"the engine {runs} is broken"})
    return Model(**{**facts, "engine": runs})


def _shut_out(video: Video) -> bool:
    """Whether the driver's libraries for video are kept from this container."""
    return any(library in one.reason for one in video.hardware for library in ("nvidia-encode", "nvcuvid"))


def _runtime(name: str, answer: tuple[Any, str] | None) -> Runtime:
    if answer is None:
        return Runtime(name, "missing", None, None, None, (), "not installed")
    facts, trouble = answer
    if facts is None:
        return Runtime(name, "broken", None, None, None, (), trouble)
    reasons = "; ".join(facts["refused"].values())
    state: State = "works" if facts["precisions"] else "idle" if facts["idle"] else "broken"
    device, precision, computed = facts["device"], facts["precision"], tuple(facts["precisions"])
    return Runtime(name, state, facts["version"], device, precision, computed, facts["idle"] or reasons)


def _video(facts: Any, trouble: str) -> Video:
    if facts is None:
        return Video("broken", None, None, (), (), (), trouble)
    hardware = tuple(Codec(**one) for one in facts["hardware"])
    return Video(
        "works", facts["pyav"], facts["ffmpeg"], tuple(facts["encoders"]), tuple(facts["decoders"]), hardware, ""
    )


def _ask(*question: str) -> tuple[Any, str]:
    """Ask `vidsr.doctor.packages` in a process of its own: the answer, or None and what went wrong."""
    command = [sys.executable, "-P", "-m", "vidsr.doctor.packages", *question]
    path = {"PYTHONPATH": os.pathsep.join(sys.path)}  # it finds what this process does
    try:
        done = subprocess.run(
            command, env=os.environ | path, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"it does not answer within {PATIENCE_S:g} s"
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1]), ""
    lines = done.stderr.strip().splitlines()
    return None, lines[-1] if done.returncode > 0 and lines else f"it crashes (exit status {done.returncode})"


def _version() -> str:
    try:
        return version("vidsr")
    except PackageNotFoundError:
        return "not installed"
