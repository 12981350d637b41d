import pytest

torch = pytest.importorskip("torch", reason="training needs vidsr[train]")

from vidsr.train.losses.content import flicker, windows


def test_three_frames_in_a_row_become_nine_channels():
    frames = torch.arange(2 * 4 * 3).view(2, 4, 3, 1, 1).expand(-1, -1, -1, 2, 5)
    stacked = windows(frames)
    assert stacked.shape == (4, 9, 2, 5)
    assert stacked[:, :, 0, 0].tolist() == [[*range(s, s + 9)] for s in (0, 3, 12, 15)]


def test_a_window_is_no_longer_than_the_scene():
    assert windows(torch.rand(2, 3, 1, 4, 4)).shape == (2, 3, 4, 4)
    with pytest.raises(AssertionError, match="2 frames cannot make a window of 3"):
        windows(torch.rand(2, 2, 1, 4, 4))


def test_an_error_that_stays_is_no_flicker_and_one_that_comes_and_goes_is():
    truth = torch.rand(1, 3, 1, 4, 4)
    assert flicker(truth + 0.25, truth).item() == pytest.approx(0, abs=1e-6)
    blinking = truth + torch.tensor([0.0, 0.5, 0.25]).view(1, 3, 1, 1, 1)
    assert flicker(blinking, truth).item() == pytest.approx((0.5 + 0.25) / 2)
