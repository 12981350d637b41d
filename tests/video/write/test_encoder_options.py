"""What encoders are told."""

import pytest

from vidsr.video.write.encoder_options import encoder_options


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("preset", ["ultrafast", "superfast", "veryfast"])
def test_no_preset_of_vp8_goes_by_the_clock(preset: str, live: bool) -> None:
    """libvpx takes a positive speed in real time for a share of the time, and a negative one for the speed itself."""
    told = encoder_options("libvpx", crf=20, preset=preset, live=live, user={})
    assert told["deadline"] == "realtime"
    assert int(told["cpu-used"]) < 0
