"""Between a network that is true to the pixels and the GAN grown from it: their weights, mixed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidsr.card import ModelCard
from vidsr.errors import CardMismatch
from vidsr.runs import Run, read_weights

Weights = Mapping[str, NDArray[Any]]


def mixed_weights(folder: Path, fidelity: float) -> tuple[dict[str, NDArray[Any]], ModelCard, str]:
    """Mix what a run's two stages ended with, before anything is folded; gives weights, card and recipe as one run's.

    fidelity: 1, the first stage's, true to the pixels, to 0, the GAN's. Such a mix is a working network because the
    second grew from the first (ESRGAN, arXiv 1809.00219, section 3.4). Raises CardMismatch where the folder holds no
    run with two stages, or its parts are not of one network; CheckpointError, NotAModel.
    """
    if not Run(folder).pixel.exists():
        raise CardMismatch(f"{folder} holds no run with a stage gan, so there is nothing to mix; leave --fidelity out")
    true, before, first = read_weights(Run(folder).pixel)
    painted, after, recipe = read_weights(Run(folder).weights)
    kinds = [(c.scale, c.channels, c.receptive_field, c.parameters, c.macs) for c in (before, after)]
    shapes = [{key: array.shape for key, array in weights.items()} for weights in (true, painted)]
    if kinds[0] != kinds[1] or shapes[0] != shapes[1] or json.loads(first)["net"] != json.loads(recipe)["net"]:
        raise CardMismatch(f"the two stages in {folder} are of different networks; train the second from the first")
    weights = {key: _mix(true[key], painted[key], fidelity) for key in painted}
    return weights, replace(after, recipe=f"{after.recipe}, fidelity {fidelity:g}", metrics={}), recipe


def _mix(true: NDArray[Any], painted: NDArray[Any], fidelity: float) -> NDArray[Any]:
    if not np.issubdtype(true.dtype, np.floating):  # a count of batches
        return painted
    return np.asarray(fidelity * true + (1 - fidelity) * painted, true.dtype)
