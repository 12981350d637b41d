"""The extras of vidsr's own package, and which of them are installed."""

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from typing import Any, get_args

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[(?P<extras>[\w,]+)\])?.*?(;\s*extra == [\"'](?P<extra>\w+)[\"'])?$")


@dataclass(frozen=True, slots=True)
class Extra:
    """What `pip install 'vidsr[NAME]'` brings."""

    name: str
    missing: tuple[str, ...]
    """Packages of it that are not installed."""
    command: str


def extras() -> tuple[Extra, ...]:
    """Every extra there is; none where vidsr runs without being installed."""
    try:
        required = distribution("vidsr").requires or []
    except PackageNotFoundError:
        return ()
    wanted: dict[str, list[re.Match[str]]] = {}
    for line in required:
        if (match := _REQUIREMENT.match(line)) and match["extra"]:
            wanted.setdefault(match["extra"], []).append(match)
    return tuple(
        Extra(name, tuple(_missing(name, wanted)), f"pip install 'vidsr[{name}]'") for name in wanted if name != "dev"
    )


def _missing(extra: str, wanted: dict[str, list[re.Match[str]]]) -> list[str]:
    found: list[str] = []
    for match in wanted.get(extra, []):
        if match["name"] == "vidsr":
            for other in match["extras"].split(","):
                found += _missing(other, wanted)
        elif not _installed(match["name"]):
            found.append(match["name"])
    return found


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def video() -> dict[str, Any]:
    """Versions and codecs; the hardware's tried."""
    from vidsr.doctor import codecs as hardware

    pyav, ffmpeg = hardware.versions()
    encoders, decoders = hardware.software()
    tried = [asdict(trial) for trial in hardware.trials()]
    return {"pyav": pyav, "ffmpeg": ffmpeg, "encoders": encoders, "decoders": decoders, "hardware": tried}


def engine(name: str) -> dict[str, Any]:
    """The runtime's version, what it takes where nothing is said, and the precisions in which it ran a network.

    Instead of the latter, why it has nothing to compute on or with here.
    """
    import numpy as np

    from vidsr import zoo
    from vidsr.color import ColorSpec
    from vidsr.engines import ENGINES, Precision, settle
    from vidsr.errors import EngineError, EngineMissing
    from vidsr.frames import Frame
    from vidsr.upscaling.upscaler import load_upscaler

    found = [version(distribution) for distribution in packages_distributions().get(ENGINES[name].package, [])]
    facts: dict[str, Any] = {"version": found[0] if found else None, "precisions": [], "refused": {}, "idle": ""}
    try:
        setup = settle(engine=name)
    except EngineError as exc:
        return facts | {"device": None, "precision": None, "idle": str(exc)}
    facts |= {"device": setup.device, "precision": setup.precision}
    model, planes = zoo.by_scale(2), tuple(np.full((side, side), 128, np.uint8) for side in (32, 16, 16))
    for precision in get_args(Precision)[1:]:  # the first is auto
        try:
            with load_upscaler(model, engine=name, precision=precision, in_flight=1) as upscaler:
                upscaler.submit(Frame(planes, ColorSpec(1, full_range=False))).result()
            facts["precisions"].append(precision)
        except EngineMissing as exc:  # TensorRT runs what was built ahead
            facts["idle"] = str(exc)
        except EngineError as exc:
            facts["refused"][precision] = str(exc)
    return facts


def models() -> list[dict[str, Any]]:
    """The shelf's models and the user's, with the engine that would run each."""
    from vidsr import zoo
    from vidsr.card import read_card
    from vidsr.engines import choose, settle
    from vidsr.engines.gpus import gpus
    from vidsr.errors import VidsrError

    try:
        runs, trouble = settle().engine if gpus() else choose(), ""
    except VidsrError as exc:
        runs, trouble = "", str(exc)
    found: list[dict[str, Any]] = []
    shelf = [path for path, _ in zoo.shelf()]
    for path in (*shelf, *sorted(zoo.user_folder().glob("*.onnx"))):
        facts = {"name": path.stem, "path": str(path), "own": path not in shelf, "scale": None, "engine": runs or None}
        try:
            card = read_card(path)
            found.append({**facts, "scale": card.scale if card else None, "reason": trouble})
        except VidsrError as exc:
            found.append({**facts, "engine": None, "reason": str(exc)})
    return found


if __name__ == "__main__":
    questions: dict[str, Callable[..., Any]] = {"video": video, "models": models, "engine": engine}
    answer = questions[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()
    os._exit(0)  # some runtimes say more, or crash, as they go
