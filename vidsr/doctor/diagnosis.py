"""The report of `vidsr doctor`."""

import json
import platform
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from typing import Any, Literal

from vidsr.doctor.hardware import CpuState, DiskState, GpuState, MemoryState, cpu, disks, gpus, memory
from vidsr.system import child_environment

TIMEOUT_S = 60.0  # for a runtime to load; PyTorch takes ten with cold caches
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[(?P<extras>[\w,]+)\])?.*?(;\s*extra == [\"'](?P<extra>\w+)[\"'])?$")
_CONTAINER = "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility,video"

State = Literal["works", "idle", "missing", "broken"]
"""idle: installed, but without a device to compute on, or without an engine to run."""


@dataclass(frozen=True, slots=True)
class EngineState:
    """One engine."""

    name: str
    state: State
    version: str | None
    device: str | None
    """The default."""
    precision: str | None
    """The default."""
    precisions: tuple[str, ...]
    """Those in which it ran a network here."""
    reason: str
    """Why it does not work, or not in every precision; empty if it does."""
    other_devices: tuple[str, ...] = ()
    """Intel's GPUs and NPUs that `--device` can name."""


@dataclass(frozen=True, slots=True)
class HardwareCodec:
    """A hardware encoder or decoder, after a trial."""

    name: str
    """FFmpeg's: `h264_nvenc`, or `h264 (cuda)` for a decoder on a device."""
    encodes: bool
    works: bool
    reason: str
    """Why it does not work; empty if it does."""


@dataclass(frozen=True, slots=True)
class VideoState:
    """PyAV, its FFmpeg, and their codecs."""

    state: State
    pyav: str | None
    ffmpeg: str | None
    encoders: tuple[str, ...]
    decoders: tuple[str, ...]
    hardware: tuple[HardwareCodec, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model that has a name."""

    name: str
    path: str
    own: bool
    """Whether it is the user's, not the shelf's."""
    scale: int | None
    """None without a card: it is known when the model is opened."""
    engine: str | None
    """The default engine; None if the model does not run."""
    reason: str


@dataclass(frozen=True, slots=True)
class Extra:
    """An extra, as in `pip install 'vidsr[NAME]'`."""

    name: str
    missing: tuple[str, ...]
    """Its packages that are not installed."""
    command: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that is not installed, and the command that installs it."""

    what: str
    command: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The report. The names of its fields are the keys of the JSON output."""

    vidsr: str
    python: str
    system: str
    cpu: CpuState
    memory: MemoryState
    disks: tuple[DiskState, ...]
    gpus: tuple[GpuState, ...]
    engines: tuple[EngineState, ...]
    video: VideoState
    models: tuple[ModelState, ...]
    models_reason: str
    """Why no models are listed, if that is an error."""
    extras: tuple[Extra, ...]
    missing: tuple[Missing, ...]


def examine() -> Diagnosis:
    """Examine the machine, and try everything that is installed. Takes a few seconds; nothing leaves the machine."""
    with ThreadPoolExecutor(4) as pool:
        pending_video, pending_models = pool.submit(_ask, "video"), pool.submit(_ask, "models")
        engines, commands = _engines(pool)
        found_gpus, found_extras = gpus(), _extras()
        video, (models, models_reason) = _video(*pending_video.result()), pending_models.result()
    missing = [Missing(f"the engine {one.name}", commands[one.name]) for one in engines if _is_lacking(one.state)]
    missing += [Missing("video", "pip install --force-reinstall av")] if _is_lacking(video.state) else []
    known = {one.command for one in missing}
    missing += [
        Missing(f"the extra {one.name}", one.command)
        for one in found_extras
        if one.missing and one.command not in known
    ]
    missing += [Missing("the GPU's video codecs", _CONTAINER)] if found_gpus and _lacks_video_libraries(video) else []
    return Diagnosis(
        vidsr=_version(), python=platform.python_version(), system=platform.platform(), cpu=cpu(), memory=memory(),
        disks=disks(), gpus=found_gpus, engines=tuple(engines), video=video,
        models=tuple(_model(one, engines) for one in models or ()), models_reason=models_reason, extras=found_extras,
        missing=tuple(missing),
    )  # fmt: skip


def _engines(pool: ThreadPoolExecutor) -> tuple[list[EngineState], dict[str, str]]:
    """Return every engine, and the command that installs each."""
    try:
        from vidsr.engines import ENGINES, installed
    except ImportError as exc:  # numpy is broken, without which nothing works
        broken = EngineState("all", "broken", None, None, None, (), f"{type(exc).__name__}: {exc}")
        return [broken], {"all": "pip install --force-reinstall vidsr"}
    here = set(installed())
    answers = {name: pool.submit(_ask, "engine", name) for name in ENGINES if name in here}
    commands = {name: _install_command(one.install, again=name in here) for name, one in ENGINES.items()}
    return [_engine(name, answers[name].result() if name in here else None) for name in ENGINES], commands


def _install_command(command: str, *, again: bool) -> str:
    """Return the command, quoted for every shell. again: reinstall a broken package."""
    program, action, *packages = shlex.split(command)
    return shlex.join([program, action, *(["--force-reinstall"] if again else []), *packages])


def _engine(name: str, answer: tuple[Any, str] | None) -> EngineState:
    if answer is None:
        return EngineState(name, "missing", None, None, None, (), "not installed")
    facts, trouble = answer
    if facts is None:
        return EngineState(name, "broken", None, None, None, (), trouble)
    reasons = "; ".join(facts["refused"].values())
    state: State = "works" if facts["precisions"] else "idle" if facts["idle"] else "broken"
    device, precision, computed = facts["device"], facts["precision"], tuple(facts["precisions"])
    reason = facts["idle"] or reasons
    return EngineState(
        name, state, facts["version"], device, precision, computed, reason, tuple(facts["other_devices"])
    )


def _model(facts: dict[str, Any], engines: list[EngineState]) -> ModelState:
    """Return a model with its default engine: one that works on a GPU, or else the CPU's default."""
    from vidsr.engines import ON_GPU

    working = {one.name: one for one in engines if one.state == "works"}
    default = facts["engine"]
    on_gpu = (name for name in ON_GPU if name in working and working[name].device != "cpu")
    engine = next(on_gpu, default) if default else None
    if engine and engine not in working:
        return ModelState(**{**facts, "engine": None, "reason": f"the engine {engine} is broken"})
    return ModelState(**{**facts, "engine": engine})


def _video(facts: Any, trouble: str) -> VideoState:
    if facts is None:
        return VideoState("broken", None, None, (), (), (), trouble)
    hardware = tuple(HardwareCodec(**one) for one in facts["hardware"])
    return VideoState(
        "works", facts["pyav"], facts["ffmpeg"], tuple(facts["encoders"]), tuple(facts["decoders"]), hardware, ""
    )


def _extras() -> tuple[Extra, ...]:
    """Return vidsr's extras; empty in a checkout that is not installed."""
    try:
        required = distribution("vidsr").requires or []
    except PackageNotFoundError:
        return ()
    wanted: dict[str, list[re.Match[str]]] = {}
    for line in required:
        if (match := _REQUIREMENT.match(line)) and match["extra"]:
            wanted.setdefault(match["extra"], []).append(match)
    return tuple(
        Extra(name, tuple(_missing_of(name, wanted)), f"pip install 'vidsr[{name}]'")
        for name in wanted
        if name != "dev"
    )


def _missing_of(extra: str, wanted: dict[str, list[re.Match[str]]]) -> list[str]:
    found: list[str] = []
    for match in wanted.get(extra, []):
        if match["name"] == "vidsr":
            for other in match["extras"].split(","):
                found += _missing_of(other, wanted)
        elif not _is_installed(match["name"]):
            found.append(match["name"])
    return found


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _is_lacking(state: State) -> bool:
    return state in ("missing", "broken")


def _lacks_video_libraries(video: VideoState) -> bool:
    """Return whether this container was started without the driver's video libraries."""
    return any(library in one.reason for one in video.hardware for library in ("nvidia-encode", "nvcuvid"))


def _ask(*question: str) -> tuple[Any, str]:
    """Ask `vidsr.doctor.packages` in a new process. Return the answer, or None and the reason if it fails."""
    command = [sys.executable, "-P", "-m", "vidsr.doctor.packages", *question]
    try:
        done = subprocess.run(
            command, env=child_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None, f"it does not answer within {TIMEOUT_S:g} s"
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1]), ""
    lines = done.stderr.strip().splitlines()
    return None, lines[-1] if done.returncode > 0 and lines else f"it crashes (exit status {done.returncode})"


def _version() -> str:
    try:
        return version("vidsr")
    except PackageNotFoundError:
        return "not installed"
