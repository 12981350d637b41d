"""The settings of `degrade`: every fault by its name, how often it comes, and within which range."""

from dataclasses import dataclass, fields

from vidsr.errors import DataError

BOUNDS = {"crf": (0, 42), "wear": (0, 51), "jpeg_quality": (1, 100), "enlarged": (1, 8), "blur": (0.1, 100)}
"""Within which a range must lie, else 0 to 100: x264 knows CRFs up to 51, and SVT-AV1's last, 63, stands for 42."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """How pictures are spoilt: numbers are shares from 0 to 1, pairs the ends of a uniform range.

    `soft` to `wear` are film's own looks, which the truth keeps. `blurred` to `second_strength` are faults of the small
    picture alone, which a network is to mend: Real-ESRGAN's (arXiv 2107.10833), milder, since films are better kept
    than what is found on the web. Raises DataError where a share or range makes no sense.
    """

    coded: float = 0.5
    """Share sent through a codec."""
    crf: tuple[float, float] = (14, 40)
    """Quality of x264, and the QP of x265; SVT-AV1's scale is stretched to match."""
    x265: float = 0.15
    """Share of the coded ones that x265 codes."""
    av1: float = 0.1
    """Share of the coded ones that SVT-AV1 codes."""
    soft: float = 0.4
    """Share softened before shrinking, truth and all: film is often soft, and must stay so."""
    blur: tuple[float, float] = (0.3, 1.5)
    """Half of the soft: the sigma of a blur, in pixels of the truth."""
    enlarged: tuple[float, float] = (1.2, 2.4)
    """The other half: how much larger than its camera saw it the truth is, as from webcams and old films."""
    sharpened: float = 0.5
    """Share of the soft that the camera sharpened again."""
    noisy: float = 0.2
    """Share given sensor noise, truth and all."""
    noise: tuple[float, float] = (1, 6)
    """Sigma in levels at middle grey; it grows with the square root of the light."""
    dark: float = 0.15
    """Share darkened, truth and all."""
    worn: float = 0.25
    """Share whose truth was compressed before, as most films one finds were."""
    wear: tuple[float, float] = (12, 26)
    """The CRF of that."""
    blurred: float = 0.1
    """Share blurred before shrinking, the truth not."""
    blurred_sigma: tuple[float, float] = (0.2, 2)
    """Of that Gaussian, in pixels of the truth."""
    stretched: float = 0.5
    """Share of the blurred whose Gaussian has two sigmas, at any angle, as from shake."""
    resized: float = 0.1
    """Share resized after shrinking and back again, by two kernels, as on a way with stations."""
    resized_up: float = 0.4
    """Share of the resized that are enlarged on the way; the others are made smaller."""
    resized_factor: tuple[float, float] = (0.5, 1.5)
    """By how much at least (below 1) and at most (above)."""
    grainy: float = 0.1
    """Share of which the small picture alone has noise."""
    grain: tuple[float, float] = (1, 8)
    """Its sigma in levels, at middle grey."""
    poisson: float = 0.4
    """Share of the grainy whose noise is that of counted light (Poisson's); the others' is Gaussian."""
    grain_grey: float = 0.4
    """Share of the grainy whose noise is the same in red, green and blue."""
    jpeg: float = 0.05
    """Share sent through JPEG, picture by picture, as webcams do."""
    jpeg_quality: tuple[float, float] = (60, 95)
    """Of Pillow's encoder, 4:2:0."""
    second: float = 0.3
    """Share of those with a fault of the small picture that go through the same faults again, drawn anew."""
    second_strength: float = 0.5
    """How strong they are then, beside the first time."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                least, most = BOUNDS.get(field.name, (0, 100))
                if not least <= value[0] <= value[1] <= most:
                    wanted = f"two numbers from {least} to {most}, the smaller one first"
                    raise DataError(f"the range {field.name} is {value}; give {wanted}")
            elif not 0 <= value <= 1:
                raise DataError(f"{field.name} is {value}; it must be between 0 and 1")
        if not self.resized_factor[0] <= 1 <= self.resized_factor[1]:
            raise DataError(f"the range resized_factor is {self.resized_factor}; 1 must lie within it")
