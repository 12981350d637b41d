"""What is too large is refused in a sentence, before memory is taken."""

import pytest

from tests.networks import network, save
from vidsr.errors import OutputError
from vidsr.upscaling.output_size import OutputSize
from vidsr.upscaling.upscaler import load_upscaler


@pytest.mark.parametrize(
    "wanted", [OutputSize(scale=16), OutputSize(height=40_000), OutputSize(width=65_535, height=65_535)]
)
def test_more_pixels_than_can_be_held_are_refused(wanted: OutputSize) -> None:
    with pytest.raises(OutputError, match=r"is more than the \d+ megapixels allowed here; ask for a smaller size"):
        wanted.size(7680, 4320, default=2, subsampling=(1, 1))


def test_a_picture_of_8k_can_be_enlarged_twice() -> None:
    assert OutputSize().size(7680, 4320, default=2, subsampling=(1, 1)) == (15360, 8640)


def test_a_picture_is_enlarged_a_thousand_times_at_most() -> None:
    with pytest.raises(OutputError, match="1x1 can be upscaled 1024 times at most"):
        OutputSize(height=2000).size(1, 1, default=2, subsampling=(0, 0))


def test_what_a_network_makes_on_the_way_counts_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("vidsr.system.MOST_PIXELS", 100 * 100)
    with load_upscaler(save(network(scale=4), tmp_path / "a.onnx"), height=60) as upscaler:
        with pytest.raises(OutputError, match="200x200 is more than"):
            upscaler.plan(50, 50)
        assert upscaler.output_size(20, 20) == (60, 60)
