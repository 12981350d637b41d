"""Recipes: everything that decides what a training run produces."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import ClassVar, Literal

from vidsr.data.degradation import Degradation

PixelLoss = Literal["l1", "mse", "charbonnier"]

MAX_VALIDATION_PAIRS = 256  # taken from the store's validation split if no folder of images is given


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactConfig:
    """Arguments of `nets.compact.Compact`."""

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
    int8: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SRResNetConfig:
    """Arguments of `nets.srresnet.SRResNet`."""

    kind: Literal["srresnet"]
    scale: int
    width: int = 64
    blocks: int = 16
    tanh: bool = False

    channels: ClassVar[Literal[3]] = 3
    qp: ClassVar[bool] = False
    columns: ClassVar[int] = 1


NetConfig = CompactConfig | SRResNetConfig
NETS: dict[str, type[NetConfig]] = {"compact": CompactConfig, "srresnet": SRResNetConfig}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Number and size of the training pairs; see `data.store.StoreSettings`."""

    patches: int = 65536
    side: int = 48
    frames: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelStage:
    """The first stage, which minimises pixel differences only."""

    steps: int = 100_000
    batch: int = 32
    rate: float = 1e-3
    """Peak learning rate of Adam: linear warm-up, then cosine decay to a thousandth."""
    warmup: int = 500
    loss: PixelLoss = "l1"
    balance: float = 0.5
    """Each sample's loss is divided by the error of bilinear interpolation to this power, so that blurred images weigh
    more; 0 weighs all samples equally."""
    fft: float = 0.0
    """Weight of the L1 difference of the spectra."""
    clip: float = 0.5
    """Maximum norm of the gradient."""
    ema: float = 0.999
    full_range: float = 0.25
    """Share of batches that are converted from limited to full range, since video uses both."""
    validate_every: int = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8Stage(PixelStage):
    """The last stage: continues from the averaged weights as a network that computes in int8, and learns to give what
    it gave before. So the kind of image that it was trained for does not change, whatever the data now are."""

    steps: int = 0
    rate: float = 2e-4
    warmup: int = 100
    loss: PixelLoss = "mse"
    balance: float = 0.0
    validate_every: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class GanStage:
    """The second stage: continues from the averaged weights of the first, against a discriminator.

    `adversarial`, `pixel`, `fft`, `perceptual`, `features`, `artifact`, `texture`, `grid` and `flicker` are weights of
    losses.
    """

    steps: int = 0
    batch: int = 16
    rate: float = 1e-4
    """Peak learning rate of the network, without warm-up."""
    discriminator_rate: float = 1e-4
    warmup: int = 0
    discriminator: Literal["unet", "srgan", "patch"] = "unet"
    """`unet` scores every pixel and is spectrally normalised; `srgan` is the SRGAN paper's; `patch` scores
    patches, at a fiftieth of the cost of `unet`."""
    discriminator_width: int = 64
    discriminator_steps: int = 1
    """Discriminator steps for each step of the network: 5 for wasserstein."""
    kind: Literal["vanilla", "least_squares", "hinge", "relativistic", "wasserstein"] = "vanilla"
    adversarial: float = 5e-3
    penalty: float = 10.0
    """Weight of the gradient penalty in the discriminator's loss, for kinds that use one."""
    loss: PixelLoss = "l1"
    pixel: float = 1e-2
    fft: float = 0.0
    perceptual: float = 0.0
    """On VGG19's features at `layer`, measured by `distance`."""
    layer: str = "conv5_4"
    distance: Literal["l1", "mse"] = "l1"
    features: float = 0.0
    """Feature matching on the discriminator, which needs no VGG19."""
    artifact: float = 0.0
    texture: float = 0.0
    """On the local strength of texture, regardless of where exactly it lies."""
    grid: float = 0.0
    """Against the checkerboard pattern of upsampling."""
    flicker: float = 0.0
    """On differences between consecutive frames."""
    window: int = 1
    """Consecutive frames that the discriminator is given at once: 3 against flicker."""
    clip: float = 1.0
    ema: float = 0.999
    full_range: float = 0.25
    validate_every: int = 2500


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A complete training configuration."""

    name: str
    seed: int = 0
    start: str = ""
    """Weights file, exported model or name of a model to initialise from; layers whose shapes differ, or that it
    lacks, are initialised anew."""
    net: NetConfig
    data: DataConfig = field(default_factory=DataConfig)
    degradation: Degradation = field(default_factory=Degradation)
    pixel: PixelStage = field(default_factory=PixelStage)
    gan: GanStage = field(default_factory=GanStage)
    int8: Int8Stage = field(default_factory=Int8Stage)
    not_finite: Literal["stop", "skip"] = "stop"
    """Whether a step whose loss or gradient is not finite stops the run or is skipped."""

    @property
    def stages(self) -> list[PixelStage | GanStage]:
        """The stages that have steps."""
        return [stage for stage in (self.pixel, self.gan, self.int8) if stage.steps]

    @property
    def ends(self) -> tuple[int, int, int]:
        """The step at which each stage ends, counted over all of them: pixel, gan, int8."""
        gan = self.pixel.steps + self.gan.steps
        return self.pixel.steps, gan, gan + self.int8.steps

    @property
    def steps(self) -> int:
        """Steps of all stages together."""
        return self.ends[-1]

    def in_int8(self) -> "Recipe":
        """Return the recipe with the network of the last stage."""
        assert isinstance(self.net, CompactConfig), "checked by the recipe's reader"
        return replace(self, net=replace(self.net, int8=True))

    def to_json(self) -> str:
        """Return the recipe as JSON, including defaults."""
        return json.dumps(asdict(self), indent=1)

    def digest(self) -> str:
        """Return eight hex digits that identify the recipe."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:8]
