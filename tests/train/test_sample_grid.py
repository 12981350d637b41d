import numpy as np
import pytest
from PIL import Image

from vidsr.errors import DiskFull
from vidsr.resize import resize
from vidsr.train.sample_grid import CROP, GAP, LINE, TILE, Sample, draw_samples


def sample(height=160, width=240, scale=4, channels=3, seed=0):
    """Grey all over, but noise in one square of up to 40 pixels at line 88, column 160."""
    shape = (height, width, 3) if channels == 3 else (height, width)
    truth = np.full(shape, 128, np.uint8)
    noise = np.random.default_rng(seed).integers(16, 235, (40, 40, *shape[2:]))
    truth[88:128, 160:200] = noise[: max(0, height - 88), : max(0, width - 160)]
    low = resize(truth, height // scale, width // scale)
    return Sample(low, resize(low, height, width), truth, truth)


def drawn(path, pictures):
    draw_samples(pictures, path)
    return np.asarray(Image.open(path))


def tile(grid, row, column, side):
    top, left = GAP + row * (side + LINE + GAP), GAP + column * (side + GAP)
    return grid[top : top + side, left : left + side]


def test_a_row_shows_low_bicubic_ours_and_truth(tmp_path):
    one = sample()
    grid = drawn(tmp_path / "new" / "grid.png", [one])
    assert grid.shape == (TILE + LINE + 2 * GAP, 4 * (TILE + GAP) + GAP, 3)
    zoom = TILE // CROP
    low, bicubic, ours, truth = (tile(grid, 0, column, TILE)[::zoom, ::zoom] for column in range(4))
    square = slice(8, 8 + CROP), slice(80, 80 + CROP)  # the first that holds the whole noise
    for shown, whole in ((truth, one.truth), (ours, one.output), (bicubic, one.bicubic)):
        assert np.array_equal(shown, whole[square])
    assert np.array_equal(low[::4, ::4], one.low[2:32, 20:50])
    assert np.array_equal(low, low[::4, ::4].repeat(4, 0).repeat(4, 1))


def test_every_tile_has_its_caption(tmp_path):
    grid = drawn(tmp_path / "grid.png", [sample(), sample(seed=1)])
    for row in range(2):
        under = GAP + row * (TILE + LINE + GAP) + TILE
        for column in range(4):
            left = GAP + column * (TILE + GAP)
            assert grid[under : under + LINE, left : left + TILE].min() < 60


def test_luma_is_shown_from_black_to_white(tmp_path):
    one = sample(channels=1)
    one.truth[:, ::2], one.truth[:, 1::2] = 16, 235
    grid = drawn(tmp_path / "grid.png", [one])
    assert set(np.unique(tile(grid, 0, 3, TILE))) == {0, 255}
    assert np.ptp(grid.astype(int), axis=2).max() == 0


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_smallest_image_limits_the_size_of_all_crops(tmp_path, scale):
    small = sample(height=scale * 33, width=scale * 50, scale=scale)
    grid = drawn(tmp_path / "grid.png", [sample(width=60 * scale, height=40 * scale, scale=scale), small])
    side = min(CROP, 33 * scale) // scale * scale
    shown = side * (TILE // side)
    assert grid.shape[:2] == (2 * (shown + LINE + GAP) + GAP, 4 * (shown + GAP) + GAP)


def test_colour_and_luma_may_share_a_grid(tmp_path):
    grid = drawn(tmp_path / "grid.png", [sample(), sample(channels=1)])
    assert np.ptp(tile(grid, 0, 3, TILE).astype(int), axis=2).max() > 0
    assert np.ptp(tile(grid, 1, 3, TILE).astype(int), axis=2).max() == 0


def test_luma_may_have_a_channel_axis(tmp_path):
    flat = sample(channels=1)
    deep = Sample(*(picture[..., None] for picture in (flat.low, flat.bicubic, flat.output, flat.truth)))
    assert np.array_equal(drawn(tmp_path / "a.png", [flat]), drawn(tmp_path / "b.png", [deep]))


def test_the_same_samples_give_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        draw_samples([sample(), sample(seed=3)], tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_flat_image_is_shown_from_its_first_pixel(tmp_path):
    flat = np.full((128, 128, 3), 90, np.uint8)
    grid = drawn(tmp_path / "grid.png", [Sample(flat[::2, ::2], flat, flat, flat)])
    assert (tile(grid, 0, 3, TILE) == 90).all()


def test_a_grid_that_cannot_be_written_gets_a_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DiskFull, match="could not be written"):
        draw_samples([sample()], tmp_path / "file" / "grid.png")
