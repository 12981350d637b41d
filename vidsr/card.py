"""The card of a model: facts about the network that travel inside its file."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal, Self, get_type_hints

from vidsr.errors import CardMismatch, NotAModel
from vidsr.system import MOST_SCALE, MOST_STEP

KEY = "vidsr.card"
"""Key of the card in ONNX metadata_props and in the safetensors header."""

QP_NAME = "quantiser"  # allowed word: in stored files
"""Name of the constant (1, 1, 1, 1) float32 of a network that uses the codec's QP: QP / 51."""

OLD_KEYS = {"reach": "receptive_field", "quantiser": "qp"}  # allowed word: in cards written before 0.2
GAIN_NUMBERS = 5
BICUBIC_PREFIX = "bicubic_"
"""Prefix of the metrics of bicubic, to compare the network's with."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Facts about a network. The fields are the keys of the JSON."""

    name: str
    scale: int
    channels: Literal[1, 3]
    """1: luma, 3: RGB."""
    receptive_field: int
    """Radius in input pixels: pixels further away do not affect an output pixel."""
    step: int = 1
    """The sides of the network's input must be multiples of it."""
    qp: bool = False
    """Whether the network uses the frame's QP."""
    parameters: int = 0
    macs: int = 0
    """Multiply-adds per input pixel."""
    licence: str = "unknown"
    data: str = "unknown"
    """The training data, and its licences."""
    recipe: str = ""
    """Name and hash of the recipe."""
    metrics: dict[str, float] = field(default_factory=dict)
    gains: list[list[float]] = field(default_factory=list)
    """What the network changes and gets wrong in video, by QP and curvature, for luma networks.

    Rows of five: QP; then log and power of the mean squared change against a Lanczos resize, and of the mean squared
    error, as functions of the mean |Laplacian| of an area; see `vidsr.upscaling.compute.compute_plan.Gains`.
    """

    def to_json(self) -> str:
        """Return the card as one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> Self:
        """Parse a card, ignoring unknown keys. where: the file, for messages. Raises CardMismatch."""
        try:
            values = {OLD_KEYS.get(key, key): value for key, value in json.loads(text).items()}
            known = {f.name for f in fields(cls)}
            card = cls(**{key: value for key, value in values.items() if key in known})
            _check(card)
        except (ValueError, TypeError, AttributeError, RecursionError) as exc:
            raise CardMismatch(f"{where}: its card cannot be read ({exc}); export the model again") from exc
        return card


def read_card(path: Path) -> ModelCard | None:
    """Return the card of an .onnx or .safetensors file, or None if it has no card. Raises NotAModel, CardMismatch."""
    text = _safetensors_card(path) if path.suffix == ".safetensors" else _onnx_card(path)
    return None if text is None else ModelCard.from_json(text, where=str(path))


def with_card(path: Path, card: ModelCard) -> bytes:
    """Return the content of an ONNX file with another card."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {**{p.key: p.value for p in model.metadata_props}, KEY: card.to_json()})
    return bytes(model.SerializeToString())


def _check(card: ModelCard) -> None:
    """Raise ValueError if a field has a wrong type or an impossible value: the file may come from anyone."""
    for name, kind in get_type_hints(ModelCard).items():
        value = getattr(card, name)
        if kind in (str, int, bool) and type(value) is not kind:
            raise ValueError(f"expected {name} to be of type {kind.__name__}; got {value!r:.40}")
    allowed = {
        "scale": range(1, MOST_SCALE + 1), "channels": (1, 3), "step": range(1, MOST_STEP + 1),
        "receptive_field": range(2**63), "parameters": range(2**63), "macs": range(2**63),
    }  # fmt: skip
    for name, values in allowed.items():
        if getattr(card, name) not in values:
            raise ValueError(f"{name} cannot be {getattr(card, name)}")
    if not isinstance(card.metrics, dict) or not all(isinstance(v, int | float) for v in card.metrics.values()):
        raise ValueError("its metrics are not numbers")
    if not isinstance(card.gains, list) or not all(
        isinstance(row, list) and len(row) == GAIN_NUMBERS and all(isinstance(v, int | float) for v in row)
        for row in card.gains
    ):
        raise ValueError(f"its gains are not rows of {GAIN_NUMBERS} numbers")


def _onnx_card(path: Path) -> str | None:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as exc:
        raise NotAModel(f"{path} is not an ONNX file; give an .onnx file, or a name that `vidsr models` lists") from exc
    return next((entry.value for entry in model.metadata_props if entry.key == KEY), None)


def _safetensors_card(path: Path) -> str | None:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(size)) if size < 1 << 26 else None
        except (ValueError, RecursionError):
            header = None
    if not isinstance(header, dict):
        raise NotAModel(f"{path} is not a safetensors file")
    metadata = header.get("__metadata__")
    text = metadata.get(KEY) if isinstance(metadata, dict) else None
    return None if text is None else str(text)
