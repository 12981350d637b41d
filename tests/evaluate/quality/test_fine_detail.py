"""Detail and coherence, of textures whose spectrum is known."""

import numpy as np
import pytest

from tests.evaluate.quality.test_meters import measured, view
from vidsr.evaluate.quality.fine_detail import band_energy
from vidsr.resize import resize


def waves(frequency: float, amplitude: float = 40, side: int = 128, phase: float = 0) -> np.ndarray:
    """Vertical stripes of so many cycles a pixel."""
    return 128 + amplitude * np.cos(2 * np.pi * frequency * np.arange(side) + phase)[None].repeat(side, 0)


def noise(side: int = 128) -> np.ndarray:
    return np.random.default_rng(1).normal(128, 30, (side, side))


def test_the_original_has_all_its_detail_where_it_is():
    found = band_energy(noise(), noise(), scale=4)
    assert found.detail == pytest.approx(1) and found.coherence == pytest.approx(1)


@pytest.mark.parametrize(("frequency", "counts"), [(0.05, False), (0.2, True), (0.4, True)])
def test_only_frequencies_above_the_small_images_nyquist_count(frequency, counts):
    found = band_energy(waves(frequency, 20) + 0.1 * noise(), waves(frequency, 40) + 0.1 * noise(), scale=4)
    assert found.detail == pytest.approx(0.25 if counts else 1, abs=0.03)  # energy is the square of the amplitude


def test_the_band_follows_the_scale():
    low = waves(0.2, 20) + 0.1 * noise()
    assert band_energy(low, waves(0.2) + 0.1 * noise(), scale=4).detail == pytest.approx(0.25, abs=0.03)
    assert band_energy(low, waves(0.2) + 0.1 * noise(), scale=2).detail == pytest.approx(1, abs=0.03)


def test_the_whole_energy_is_counted():
    """By Parseval's theorem: of white noise, the band's share of all frequencies."""
    image = noise(256)
    hann = np.hanning(65)[:-1]
    expected = 30**2 * np.square(np.outer(hann, hann)).sum() * (np.pi / 4 - np.pi * 0.125**2)
    assert band_energy(image, image, scale=4).original.mean() == pytest.approx(expected, rel=0.05)


def test_unrelated_texture_has_detail_without_coherence():
    found = band_energy(noise()[::-1], noise(), scale=4)
    assert found.detail == pytest.approx(1, abs=0.01) and abs(found.coherence) < 0.05
    assert band_energy(waves(0.3, phase=np.pi), waves(0.3), scale=4).coherence == pytest.approx(-1)


def test_an_enlarged_picture_has_nearly_none():
    small = resize(noise(), 32, 32)
    assert band_energy(resize(small, 128, 128), noise(), scale=4).detail < 0.05


def test_noise_on_a_flat_half_shows_in_flat_windows_alone():
    truth = noise(256)
    truth[:160] = 128 + 0.05 * (truth[:160] - 128)
    dirty = truth.copy()
    dirty[:160] = 128 + 4 * (truth[:160] - 128)
    found, warnings = measured(["detail_flat"], [(view(truth.clip(0, 255)), view(dirty.clip(0, 255)))])
    assert found["detail_flat"][0] > 5 and found["detail_edge"] == pytest.approx([1]) and not warnings
    assert set(found) == {"detail", "coherence", "detail_flat", "detail_texture", "detail_edge"}


def test_images_smaller_than_a_window_have_none():
    found, _ = measured(["detail", "coherence"], [(view(noise(63)), view(noise(63)))])
    assert np.isnan(found["detail"][0]) and np.isnan(found["coherence"][0])
    assert found["detail_flat"] == pytest.approx([1])
    found, _ = measured(["detail_flat"], [(view(noise(31)), view(noise(31)))])
    assert np.isnan(found["detail_flat"][0])


def test_images_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        band_energy(noise(), noise(64), scale=2)
