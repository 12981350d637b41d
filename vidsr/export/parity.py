"""Is the exported file the network it was made from?"""

import numpy as np
import torch
from onnx import ModelProto, numpy_helper
from torch import nn

from vidsr.card import QUANTISER, ModelCard
from vidsr.engines import open_engine
from vidsr.errors import ParityFailed

SIZES = ((17, 23), (40, 9), (31, 64))
QUANTISERS = (0.0, 0.55)
LIMIT = 1 / 255


@torch.no_grad()
def check_parity(model: ModelProto, net: nn.Module, card: ModelCard, *, engine: str = "auto") -> float:
    """Run file and network on noise of odd sizes, where it takes them, clean and coded.

    Gives the largest difference, in units of [0, 1]. Raises ParityFailed where it reaches 1/255.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for height, width in ((side - side % card.step for side in size) for size in SIZES):
        picture = torch.rand(1, card.channels, height, width, generator=generator)
        for quantiser in QUANTISERS if card.quantiser else QUANTISERS[:1]:
            inputs = (picture, torch.full((1, 1, 1, 1), quantiser)) if card.quantiser else (picture,)
            with open_engine(_fixed(model, height, width, quantiser), engine=engine, precision="f32") as opened:
                (ours,) = opened.submit({model.graph.input[0].name: picture.numpy()}).result().values()
                worst = max(worst, float(np.abs(ours - net(*inputs).numpy()).max()))
    if not worst < LIMIT:
        raise ParityFailed(f"{card.name}: the exported file differs from PyTorch by {worst:.4f}; nothing was written")
    return worst


def _fixed(model: ModelProto, height: int, width: int, quantiser: float) -> bytes:
    """The model for pictures of one size and one quantiser."""
    fixed = ModelProto()
    fixed.CopyFrom(model)
    for dim, size in zip(fixed.graph.input[0].type.tensor_type.shape.dim, (1, None, height, width), strict=True):
        if size is not None:
            dim.dim_value = size
    for constant in [constant for constant in fixed.graph.initializer if constant.name == QUANTISER]:
        constant.CopyFrom(numpy_helper.from_array(np.full((1, 1, 1, 1), quantiser, np.float32), QUANTISER))
    return bytes(fixed.SerializeToString())
