"""The networks, by the names that recipes use."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from vidsr.nets.compact import UNDAMPED, Compact
from vidsr.nets.discriminator import Discriminator, Patch, UNet
from vidsr.nets.srresnet import SRResNet

NETS: dict[str, type[nn.Module]] = {"compact": Compact, "srresnet": SRResNet}
DISCRIMINATORS: dict[str, type[nn.Module]] = {"srgan": Discriminator, "unet": UNet, "patch": Patch}

OLD_ARGUMENTS = {"quantiser": "qp"}  # allowed word
"""Arguments of networks as recipes and weights named them before version 0.2."""


def build(spec: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network.

    spec: `kind`, a key of NETS or DISCRIMINATORS, and the keyword arguments of its class, which may have old names.
    Raises TypeError for unknown arguments.
    """
    arguments = {OLD_ARGUMENTS.get(key, key): value for key, value in spec.items()}
    kind = (NETS | DISCRIMINATORS)[arguments.pop("kind")]
    damped_as_now = arguments.get("residual") or arguments.get("width", 0) <= UNDAMPED
    if arguments.get("unshuffle") == 1 and damped_as_now:  # replaced by `columns`; other values built other networks
        del arguments["unshuffle"]
    return kind(**arguments)
