"""Recipes: all that decides what a training makes."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import ClassVar, Literal

from vidsr.data.degradation import Degradation

PixelLoss = Literal["l1", "mse", "charbonnier"]

VALIDATED = 256  # pairs of the store's validation split at most, where no folder of pictures is given


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """The arguments of `nets.compact.Compact`."""

    kind: Literal["compact"] = "compact"
    scale: int
    channels: Literal[1, 3] = 1
    width: int = 16
    depth: int = 4
    head_size: int = 3
    slope: float = 0.1
    columns: int = 1
    qp: bool = True
    residual: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SRResNet:
    """The arguments of `nets.srresnet.SRResNet`."""

    kind: Literal["srresnet"]
    scale: int
    width: int = 64
    blocks: int = 16
    tanh: bool = False

    channels: ClassVar[Literal[3]] = 3
    qp: ClassVar[bool] = False
    columns: ClassVar[int] = 1


Net = Compact | SRResNet
NETS: dict[str, type[Net]] = {"compact": Compact, "srresnet": SRResNet}


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """How many pairs are cut, and how large; see `data.store.StoreSettings`."""

    patches: int = 65536
    side: int = 48
    frames: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixel:
    """The stage that learns from pixel differences alone."""

    steps: int = 100_000
    batch: int = 32
    rate: float = 1e-3
    """Learning rate of Adam at its highest; it warms up, then falls to a thousandth along a cosine."""
    warmup: int = 500
    loss: PixelLoss = "l1"
    balance: float = 0.5
    """How far soft pictures count as much as sharp ones: each sample's loss is divided by the error of a plain
    enlargement, to this power; 0 counts every level of difference the same."""
    fft: float = 0.0
    """Weight of the L1 difference of the spectra."""
    clip: float = 0.5
    """Largest norm of the gradient."""
    ema: float = 0.999
    full_range: float = 0.25
    """Share of batches stretched from limited to full range, since films come in both."""
    validate_every: int = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gan:
    """The stage that goes on from the averaged weights of the first, against a discriminator; losses by weight."""

    steps: int = 0
    """None unless given."""
    batch: int = 16
    rate: float = 1e-4
    """Of the network; as in the first stage, without a warm-up."""
    judge_rate: float = 1e-4
    """Of the discriminator."""
    warmup: int = 0
    judge: Literal["unet", "srgan"] = "unet"
    """`unet` judges every pixel and is spectrally normalised; `srgan` is the paper's."""
    judge_width: int = 64
    judge_steps: int = 1
    """Steps of the discriminator for one of the network: 5 for wasserstein."""
    kind: Literal["vanilla", "least_squares", "hinge", "relativistic", "wasserstein"] = "vanilla"
    adversarial: float = 5e-3
    penalty: float = 10.0
    """Weight of the gradient penalty, on the discriminator's side, where the kind wants one."""
    loss: PixelLoss = "l1"
    pixel: float = 1e-2
    fft: float = 0.0
    perceptual: float = 0.0
    """On VGG19's features at `layer`, by `distance`."""
    layer: str = "conv5_4"
    distance: Literal["l1", "mse"] = "l1"
    features: float = 0.0
    """Feature matching on the discriminator, where no VGG19 can be had."""
    artifact: float = 0.0
    grid: float = 0.0
    """Against the pattern that upsampling prints."""
    flicker: float = 0.0
    """On what changes from frame to frame."""
    window: int = 1
    """Consecutive frames that the discriminator sees at once: 3 against flicker."""
    clip: float = 1.0
    ema: float = 0.999
    full_range: float = 0.25
    validate_every: int = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole training."""

    name: str
    seed: int = 0
    start: str = ""
    """A weights file to start from; layers whose shapes differ start anew."""
    net: Net
    data: Data = field(default_factory=Data)
    degradation: Degradation = field(default_factory=Degradation)
    pixel: Pixel = field(default_factory=Pixel)
    gan: Gan = field(default_factory=Gan)
    not_finite: Literal["stop", "skip"] = "stop"
    """What a step does whose loss is no number."""

    @property
    def stages(self) -> list[Pixel | Gan]:
        """Those that have steps."""
        return [stage for stage in (self.pixel, self.gan) if stage.steps]

    @property
    def steps(self) -> int:
        """Of both stages."""
        return self.pixel.steps + self.gan.steps

    def to_json(self) -> str:
        """The recipe as used, defaults filled in."""
        return json.dumps(asdict(self), indent=1)

    def digest(self) -> str:
        """Eight hex digits that two recipes share only if they are equal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:8]
