"""The networks, by the name a recipe gives them."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from vidsr.nets.compact import Compact
from vidsr.nets.discriminator import Discriminator, UNet
from vidsr.nets.srresnet import SRResNet

NETS: dict[str, type[nn.Module]] = {"compact": Compact, "srresnet": SRResNet}
DISCRIMINATORS: dict[str, type[nn.Module]] = {"srgan": Discriminator, "unet": UNet}


def build(spec: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network. spec: its `kind`, of NETS or DISCRIMINATORS, and the arguments of that class."""
    kinds = NETS | DISCRIMINATORS
    return kinds[spec["kind"]](**{key: value for key, value in spec.items() if key != "kind"})
