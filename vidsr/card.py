"""The card a model carries: what anyone who runs it must know."""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Literal, Self, get_type_hints

from vidsr.errors import CardMismatch, NotAModel
from vidsr.system import MOST_SCALE, MOST_STEP

KEY = "vidsr.card"  # in ONNX metadata_props and in the safetensors header
QP_NAME = "quantiser"  # the named constant of a network that knows the codec's QP / 51; (1, 1, 1, 1) float
OLD_KEYS = {"reach": "receptive_field", "quantiser": "qp"}  # as cards were written before 0.2
BESIDE = "bicubic_"  # before the name of a metric: bicubic's, which ours is held against


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Facts about a network that travel inside its file."""

    name: str
    scale: int
    channels: Literal[1, 3]
    """1: luma, 3: RGB."""
    receptive_field: int
    """Receptive radius in input pixels: farther pixels do not change an output pixel."""
    step: int = 1
    """What the sides of the pictures it takes must be multiples of."""
    qp: bool = False
    """Whether the network takes the frame's QP."""
    parameters: int = 0
    macs: int = 0
    """Multiply-adds for one input pixel."""
    licence: str = "unknown"
    data: str = "unknown"
    """What it was trained on, with the licences of that."""
    recipe: str = ""
    """Name and hash of the recipe."""
    metrics: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, *, where: str) -> Self:
        """Read a card back; `where` names the file in errors. Raises CardMismatch where it is no card of ours."""
        try:
            values = {OLD_KEYS.get(key, key): value for key, value in json.loads(text).items()}
            known = {f.name for f in fields(cls)}
            card = cls(**{key: value for key, value in values.items() if key in known})
            _check(card)
        except (ValueError, TypeError, AttributeError, RecursionError) as exc:
            raise CardMismatch(f"{where}: its card cannot be read ({exc}); export the model again") from exc
        return card


def _check(card: ModelCard) -> None:
    """Raise ValueError where a value is none that a network can have: anyone may have written the file."""
    for name, kind in get_type_hints(ModelCard).items():
        value = getattr(card, name)
        if kind in (str, int, bool) and type(value) is not kind:
            raise ValueError(f"{name} is {value!r:.40}, no {kind.__name__}")
    if (
        not 1 <= card.scale <= MOST_SCALE
        or card.channels not in (1, 3)
        or not 1 <= card.step <= MOST_STEP
        or min(card.receptive_field, card.parameters, card.macs) < 0
    ):
        found = (
            f"scale {card.scale}, {card.channels} channels, receptive field {card.receptive_field}, step {card.step}"
        )
        raise ValueError(f"{found} make no sense")
    if not isinstance(card.metrics, dict) or not all(isinstance(v, int | float) for v in card.metrics.values()):
        raise ValueError("its metrics are no numbers")


def read_card(path: Path) -> ModelCard | None:
    """Read the card of a model file (.onnx or .safetensors); None where it carries none.

    Raises NotAModel where the file is neither.
    """
    text = _safetensors_card(path) if path.suffix == ".safetensors" else _onnx_card(path)
    return None if text is None else ModelCard.from_json(text, where=str(path))


def with_card(path: Path, card: ModelCard) -> bytes:
    """Give the bytes of an ONNX file with this card in place of its own."""
    import onnx

    model = onnx.load(path)
    onnx.helper.set_model_props(model, {**{p.key: p.value for p in model.metadata_props}, KEY: card.to_json()})
    return bytes(model.SerializeToString())


def _onnx_card(path: Path) -> str | None:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as exc:
        raise NotAModel(f"{path} is no ONNX file; give an .onnx file, or a name that `vidsr models` lists") from exc
    return next((entry.value for entry in model.metadata_props if entry.key == KEY), None)


def _safetensors_card(path: Path) -> str | None:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(size)) if size < 1 << 26 else None
        except (ValueError, RecursionError):
            header = None
    if not isinstance(header, dict):
        raise NotAModel(f"{path} is no safetensors file")
    notes = header.get("__metadata__")
    text = notes.get(KEY) if isinstance(notes, dict) else None
    return None if text is None else str(text)
