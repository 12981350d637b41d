"""What PyAV and the runtimes can do here: `python -m vidsr.doctor.packages QUESTION` prints the answer as JSON.

It runs in a new process, because a broken package may crash it.
"""

import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import packages_distributions, version
from typing import Any, get_args


def video() -> dict[str, Any]:
    """Return the versions of PyAV and FFmpeg, and their codecs. Hardware codecs are tried."""
    from vidsr.doctor import codecs

    pyav, ffmpeg = codecs.versions()
    encoders, decoders = codecs.software()
    hardware = [*codecs.trials()]
    return {"pyav": pyav, "ffmpeg": ffmpeg, "encoders": encoders, "decoders": decoders, "hardware": hardware}


def engine(name: str) -> dict[str, Any]:
    """Return a runtime's version, its default device and precision, and the precisions in which it ran a network.

    `other_devices` are those of Intel. `idle` is the reason if it has no device to compute on, or no engine to run.
    """
    import numpy as np

    from vidsr import zoo
    from vidsr.color import ColorSpec
    from vidsr.engines import ENGINES, settle
    from vidsr.errors import EngineError, EngineMissing
    from vidsr.frames import Frame
    from vidsr.options import Precision
    from vidsr.upscaling.upscaler import load_upscaler

    found = [version(distribution) for distribution in packages_distributions().get(ENGINES[name].package, [])]
    facts: dict[str, Any] = {
        "version": found[0] if found else None, "precisions": [], "refused": {}, "idle": "", "other_devices": []
    }  # fmt: skip
    try:
        setup = settle(engine=name)
    except EngineError as exc:
        return facts | {"device": None, "precision": None, "idle": str(exc)}
    facts |= {"device": setup.device, "precision": setup.precision}
    if name == "openvino":
        from vidsr.engines.openvino import other_devices

        facts["other_devices"] = other_devices()
    model, planes = zoo.by_scale(2), tuple(np.full((side, side), 128, np.uint8) for side in (32, 16, 16))
    for precision in get_args(Precision)[1:]:  # the first is auto
        try:
            with load_upscaler(model, engine=name, precision=precision, in_flight=1) as upscaler:
                upscaler.submit(Frame(planes, ColorSpec(1, full_range=False))).result()
            facts["precisions"].append(precision)
        except EngineMissing as exc:  # TensorRT runs only engines that were built for it
            facts["idle"] = str(exc)
        except EngineError as exc:
            facts["refused"][precision] = str(exc)
    return facts


def models() -> list[dict[str, Any]]:
    """Return the shelf's and the user's models, and the default engine of each; see `diagnosis.ModelState`."""
    from vidsr import zoo
    from vidsr.card import read_card
    from vidsr.engines import choose, settle
    from vidsr.engines.gpus import gpus
    from vidsr.errors import VidsrError

    try:
        default, trouble = settle().engine if gpus() else choose(), ""
    except VidsrError as exc:
        default, trouble = None, str(exc)
    found: list[dict[str, Any]] = []
    shelf = [path for path, _ in zoo.shelf()]
    for path in (*shelf, *sorted(zoo.user_folder().glob("*.onnx"))):
        facts = {"name": path.stem, "path": str(path), "own": path not in shelf, "scale": None, "engine": default}
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
    os._exit(0)  # some runtimes print more, or crash, when Python exits
