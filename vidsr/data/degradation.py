"""The settings of `degrade`: how often each degradation is applied, and how strongly."""

from dataclasses import dataclass, fields

from vidsr.errors import DataError

BOUNDS = {"crf": (0, 42), "recompressed_crf": (0, 51), "jpeg_quality": (1, 100), "upscaled": (1, 8), "blur": (0.1, 100)}
"""Limits of ranges, by default 0 to 100. x264 accepts CRFs up to 51; an x264 CRF of 42 corresponds to SVT-AV1's 63."""

OLD_NAMES = {"enlarged": "upscaled", "wear": "recompressed_crf", "worn": "recompressed"}  # allowed word
"""Settings as recipes and stores named them before version 0.2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """How images are degraded: numbers are shares from 0 to 1, pairs are the ends of a uniform range.

    `soft` to `recompressed_crf` are degradations that videos have themselves and that upscaling keeps, so they are
    applied to the ground truth. `blurred` to `second_strength` are applied to the low-resolution image alone, for the
    network to remove; they are Real-ESRGAN's (arXiv 2107.10833), but weaker, since videos are usually in better
    condition than images from the web. Raises DataError for a share or range that is out of bounds.
    """

    coded: float = 0.5
    """Share that is compressed by a video codec."""
    crf: tuple[float, float] = (14, 40)
    """CRF of x264 and QP of x265; for SVT-AV1 it is stretched to its scale."""
    x265: float = 0.15
    """Share of the compressed images that x265 compresses."""
    av1: float = 0.1
    """Share of the compressed images that SVT-AV1 compresses."""
    soft: float = 0.4
    """Share made soft, as videos often are and must stay."""
    blur: tuple[float, float] = (0.3, 1.5)
    """Sigma of the blur that softens half of them, in pixels of the ground truth."""
    upscaled: tuple[float, float] = (1.2, 2.4)
    """Factor by which the other half are downscaled and upscaled again, like videos from webcams."""
    sharpened: float = 0.5
    """Share of the soft images that are sharpened again, as cameras do."""
    noisy: float = 0.2
    """Share with sensor noise."""
    noise: tuple[float, float] = (1, 6)
    """Sigma of the sensor noise in levels at middle gray; it grows with the square root of the light."""
    dark: float = 0.15
    """Share that is darkened."""
    recompressed: float = 0.25
    """Share that was compressed once before, as most videos were."""
    recompressed_crf: tuple[float, float] = (12, 26)
    """CRF of that first compression."""
    blurred: float = 0.1
    """Share blurred before downscaling."""
    blurred_sigma: tuple[float, float] = (0.2, 2)
    """Sigma of that Gaussian, in pixels of the ground truth."""
    stretched: float = 0.5
    """Share of the blurred images whose Gaussian is anisotropic, at a random angle, as from camera shake."""
    resized: float = 0.1
    """Share resized after downscaling and resized back, each with a random kernel."""
    resized_up: float = 0.4
    """Share of the resized images that are first upscaled; the others are first downscaled."""
    resized_factor: tuple[float, float] = (0.5, 1.5)
    """Smallest factor of downscaling (up to 1) and largest factor of upscaling (from 1)."""
    grainy: float = 0.1
    """Share with noise in the low-resolution image alone."""
    grain: tuple[float, float] = (1, 8)
    """Sigma of that noise in levels, at middle gray."""
    poisson: float = 0.4
    """Share of the grainy images with Poisson noise; the others get Gaussian noise."""
    grain_grey: float = 0.4
    """Share of the grainy images whose noise is the same in red, green and blue."""
    jpeg: float = 0.05
    """Share compressed as JPEG, image by image, as webcams do."""
    jpeg_quality: tuple[float, float] = (60, 95)
    """Quality of Pillow's JPEG encoder, 4:2:0."""
    second: float = 0.3
    """Share of the degraded low-resolution images to which the same degradations, drawn again, are applied twice."""
    second_strength: float = 0.5
    """Strength of the second round, relative to the first."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                least, most = BOUNDS.get(field.name, (0, 100))
                if not least <= value[0] <= value[1] <= most:
                    expected = f"expected two numbers from {least} to {most}, the smaller one first"
                    raise DataError(f"the range {field.name} is {value}; {expected}")
            elif not 0 <= value <= 1:
                raise DataError(f"{field.name} is {value}; expected a share from 0 to 1")
        if not self.resized_factor[0] <= 1 <= self.resized_factor[1]:
            raise DataError(f"the range resized_factor is {self.resized_factor}; expected one that includes 1")
