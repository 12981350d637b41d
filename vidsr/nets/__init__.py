"""The networks, by the name a recipe gives them."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from vidsr.nets.compact import Compact

NETS: dict[str, type[nn.Module]] = {"compact": Compact}


def build(spec: Mapping[str, Any]) -> nn.Module:
    """Build an untrained network. spec: its `kind`, one of NETS, and the arguments of that class."""
    return NETS[spec["kind"]](**{key: value for key, value in spec.items() if key != "kind"})
