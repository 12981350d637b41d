"""The card of a model file that has none: found by running it."""

from pathlib import Path

from vidsr.card import ModelCard
from vidsr.errors import NotAModel


def probe(path: Path) -> ModelCard:
    raise NotAModel(f"{path} has no card")
