import json

import numpy as np
import pytest

from tests.data.drawings import draw_photo
from vidsr.data.degradation import Degradation
from vidsr.data.prepare import prepare
from vidsr.data.store import SPLITS, StoreSettings, is_store, read_store
from vidsr.errors import DataError


@pytest.fixture
def store(tmp_path):
    draw_photo(tmp_path / "photos" / "0.png")
    settings = StoreSettings(scale=2, pairs=8, side=16, seed=3, degradation=Degradation(coded=0, crf=(20, 30)))
    return prepare([tmp_path / "photos"], tmp_path / "store", settings)


def test_a_store_reads_back_with_the_settings_it_was_made_with(store):
    assert is_store(store.folder)
    again = read_store(store.folder)
    assert again.settings == store.settings
    assert again.settings.degradation.crf == (20, 30)
    assert np.array_equal(again.split("train").low, store.split("train").low)


def test_a_folder_that_is_no_store_is_refused_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(DataError, match=r"does not contain a store; 'vidsr prepare"):
        read_store(tmp_path)


def test_a_store_of_another_version_is_to_be_prepared_anew(store):
    manifest = store.folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 2}))
    with pytest.raises(DataError, match=r"has version 2, not \d"):
        read_store(store.folder)


def test_a_damaged_manifest_is_named(store):
    (store.folder / "manifest.json").write_text("{")
    with pytest.raises(DataError, match=r"manifest.json is damaged"):
        read_store(store.folder)


def test_a_lost_or_torn_array_is_named(store):
    array = store.folder / "train" / "low.npy"
    array.write_bytes(array.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"is damaged .*; prepare it again"):
        store.split("train")
    array.unlink()
    with pytest.raises(DataError, match=r"low\.npy"):
        store.split("train")


def test_a_store_made_with_the_old_names_is_read_and_found(store, tmp_path):
    manifest = json.loads((store.folder / "manifest.json").read_text())
    degradation = manifest["settings"]["degradation"]
    for old, new in {"enlarged": "upscaled", "worn": "recompressed", "wear": "recompressed_crf"}.items():
        degradation[old] = degradation.pop(new)
    (store.folder / "manifest.json").write_text(json.dumps(manifest))
    for split in SPLITS:
        (store.folder / split / "qp.npy").rename(store.folder / split / "quantiser.npy")
    again = read_store(store.folder)
    assert again.settings == store.settings and again.split("train").qp.shape == (len(again.split("train")), 1)
    assert prepare([tmp_path / "photos"], store.folder, store.settings).manifest == manifest


@pytest.mark.parametrize(
    "wrong", [{"scale": 5}, {"channels": 2}, {"frames": 2}, {"side": 0}, {"validation": 0.6, "test": 0.4}]
)
def test_settings_that_no_store_can_have_are_refused(wrong):
    with pytest.raises(DataError):
        StoreSettings(**wrong)
