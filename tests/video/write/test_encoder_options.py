"""Options of encoders."""

import pytest

from tests.video.videos import frame_from, info_of
from vidsr.options import EncodeOptions
from vidsr.video.write.encoder_options import encoder_options


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("preset", ["ultrafast", "superfast", "veryfast"])
def test_no_preset_of_vp8_depends_on_the_clock(preset: str, live: bool) -> None:
    """In real time, libvpx takes a positive speed for a share of the time, and a negative one for the speed itself."""
    options = EncodeOptions(preset=preset, live=live)
    found = encoder_options("libvpx", options, info_of(frame_from()), None, "yuv420p")
    assert found["deadline"] == "realtime"
    assert int(found["cpu-used"]) < 0
