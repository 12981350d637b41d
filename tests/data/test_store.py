import json
import resource

import numpy as np
import pytest

from tests.data.pictures import draw_photo
from vidsr.data.degrade import Degradation
from vidsr.data.store import open_store
from vidsr.errors import DataError, DiskFull
from vidsr.metrics import psnr
from vidsr.resize import resize

CLEAN = Degradation(coded=0, soft=0, noisy=0, dark=0, worn=0)


def opened(tmp_path, **options):
    settings = {"scale": 2, "patches": 40, "side": 16, "degradation": CLEAN, **options}
    return open_store([tmp_path / "photos"], tmp_path / "stores", **settings)


@pytest.fixture
def photos(tmp_path):
    for i in range(3):
        draw_photo(tmp_path / "photos" / f"{i}.png", seed=i)
    return tmp_path


def test_pairs_show_the_same_place(photos):
    store = opened(photos)
    assert store.low.shape == (40, 16, 16)
    assert store.high.shape == (40, 32, 32)
    assert np.all(store.quantiser == 0)
    for low, high in zip(store.low, store.high, strict=True):
        assert psnr(resize(high, 16, 16)[2:-2, 2:-2], low[2:-2, 2:-2]) > 30


def test_the_same_sources_and_settings_open_the_same_store_without_building_it_again(photos):
    built = []
    first = opened(photos, progress=lambda *report: built.append(report))
    assert built
    again = opened(photos, progress=lambda *_: pytest.fail("was built again"))
    assert np.array_equal(first.low, again.low)
    assert len(list((photos / "stores").iterdir())) == 1


def test_another_setting_or_other_content_is_another_store(photos):
    opened(photos)
    opened(photos, seed=1)
    draw_photo(photos / "photos" / "0.png", seed=9)
    opened(photos)
    assert len(list((photos / "stores").iterdir())) == 3


def test_a_store_is_built_the_same_twice(photos, tmp_path):
    settings = Degradation(av1=0)
    a = opened(photos, degradation=settings)
    b = open_store([photos / "photos"], tmp_path / "elsewhere", scale=2, patches=40, side=16, degradation=settings)
    assert np.array_equal(a.high, b.high)
    assert np.array_equal(a.quantiser > 0, b.quantiser > 0)
    assert 0 < np.count_nonzero(a.quantiser) < 40


def test_unreadable_and_small_sources_are_left_out_by_name(photos):
    (photos / "photos" / "broken.png").write_bytes(b"no picture")
    draw_photo(photos / "photos" / "small.png", height=16, width=24)
    opened(photos)
    (folder,) = (photos / "stores").iterdir()
    index = json.loads((folder / "index.json").read_text())
    assert sorted(index["skipped"]) == ["broken.png", "small.png"]
    assert sum(index["sources"].values()) == 40


def test_where_there_is_no_room_nothing_is_left_and_the_store_is_named(photos):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, limits[1]))
    try:
        with pytest.raises(DiskFull, match=r"the patch store .* make room"):
            opened(photos)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list((photos / "stores").iterdir())


def test_where_nothing_can_be_used_the_first_reason_is_given(tmp_path):
    draw_photo(tmp_path / "photos" / "small.png", height=16, width=24)
    with pytest.raises(DataError, match=r"none of the 1 .* smaller than 32 pixels"):
        opened(tmp_path)
    assert not list((tmp_path / "stores").iterdir())
