"""Is the exported file the network it was made from?"""

import numpy as np
import torch
from onnx import ModelProto, numpy_helper
from torch import nn

from vidsr.card import QP_NAME, ModelCard
from vidsr.engines import open_engine
from vidsr.errors import ParityFailed

SIZES = ((17, 23), (40, 9), (31, 64))
QPS = (0.0, 0.55)
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
        for qp in QPS if card.qp else QPS[:1]:
            inputs = (picture, torch.full((1, 1, 1, 1), qp)) if card.qp else (picture,)
            with open_engine(_fixed(model, height, width, qp), engine=engine, precision="f32") as opened:
                (ours,) = opened.submit({model.graph.input[0].name: picture.numpy()}).result().values()
                worst = max(worst, float(np.abs(ours - net(*inputs).numpy()).max()))
    if not worst < LIMIT:
        raise ParityFailed(f"{card.name}: the exported file differs from PyTorch by {worst:.4f}; nothing was written")
    return worst


def _fixed(model: ModelProto, height: int, width: int, qp: float) -> bytes:
    """The model for pictures of one size and one quantiser."""
    fixed = ModelProto()
    fixed.CopyFrom(model)
    for dim, size in zip(fixed.graph.input[0].type.tensor_type.shape.dim, (1, None, height, width), strict=True):
        if size is not None:
            dim.dim_value = size
    for constant in [constant for constant in fixed.graph.initializer if constant.name == QP_NAME]:
        constant.CopyFrom(numpy_helper.from_array(np.full((1, 1, 1, 1), qp, np.float32), QP_NAME))
    return bytes(fixed.SerializeToString())
