"""One of ONNX's operators in the making."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vidsr.errors import NotAModel

Function = Callable[..., Any]
"""Of an operator's inputs in their order, None for one that is left out; gives its output, or a tuple of them."""


@dataclass(frozen=True, slots=True)
class Node:
    """One operator in the making: how it is set, and its inputs in a trial run."""

    operator: str
    attributes: Mapping[str, Any]
    inputs: Sequence[Tensor | None]
    known: Sequence[Tensor | None]
    """The same on the CPU where it is known before a picture comes, else None."""
    outputs: int
    """How many it has."""
    kinds: Mapping[int, torch.dtype]
    """What becomes of ONNX's types."""

    def get(self, name: str, default: Any) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def refuse(self, what: str) -> NotAModel:
        """The error that says what of this operator is not understood."""
        return NotAModel(f"PyTorch cannot run the network: its {self.operator} {what}; use --engine openvino")

    def numbers(self, index: int, name: str = "", default: Any = None) -> Any:
        """Numbers that are given as an input, or, in older operators, as an attribute."""
        if index >= len(self.inputs) or self.inputs[index] is None:
            return self.attributes.get(name, default)
        if (value := self.known[index]) is None:
            raise self.refuse("is set by what is in the picture")
        return value.reshape(-1).tolist()


Builder = Callable[[Node], Function]
