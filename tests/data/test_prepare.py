import hashlib
import json
import resource
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from tests.clips import video
from tests.data.drawings import draw_photo
from vidsr.data import workers as parts
from vidsr.data.crops import cut_pairs
from vidsr.data.degradation import Degradation
from vidsr.data.prepare import prepare
from vidsr.data.store import SPLITS, StoreSettings
from vidsr.errors import DataError, DiskFull, OutputError, TargetExists
from vidsr.io.atomic import lock_folder
from vidsr.metrics import psnr
from vidsr.resize import resize

CLEAN = Degradation(
    coded=0, soft=0, noisy=0, dark=0, recompressed=0, blurred=0, resized=0, grainy=0, jpeg=0
)  # what is left is the shrinking


def settings(**options):
    return StoreSettings(**{"scale": 2, "pairs": 40, "side": 16, "degradation": CLEAN, **options})


def content(store):
    """Every file of a store by name, hashed."""
    return {
        str(path.relative_to(store.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(store.folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def photos(tmp_path):
    for i in range(4):
        draw_photo(tmp_path / "photos" / f"{i}.png", seed=i)
    return tmp_path / "photos"


def test_pairs_show_the_same_place(photos, tmp_path):
    pairs = prepare([photos], tmp_path / "store", settings()).split("train")
    assert pairs.low.shape[1:] == (1, 16, 16, 1)
    assert pairs.high.shape[1:] == (1, 32, 32, 1)
    assert not pairs.qp.any()
    for low, high in zip(pairs.low[:, 0, ..., 0], pairs.high[:, 0, ..., 0], strict=True):
        assert psnr(resize(high, 16, 16)[2:-2, 2:-2], low[2:-2, 2:-2]) > 30


def test_the_same_sources_and_settings_make_the_same_bytes_with_any_number_of_workers(photos, tmp_path):
    every_codec = Degradation(coded=1, x265=0.3, av1=0.3)
    degraded = settings(pairs=128, degradation=every_codec)
    one = prepare([photos], tmp_path / "one", degraded, workers=1)
    many = prepare([photos], tmp_path / "many", degraded, workers=5)
    assert content(one) == content(many)
    assert {*one.split("train").index["kind"]} >= {"libx264", "libx265", "libsvtav1"}
    other = prepare([photos], tmp_path / "other", settings(pairs=128, degradation=every_codec, seed=1))
    assert content(one)["train/high.npy"] != content(other)["train/high.npy"]


def test_a_run_that_was_interrupted_goes_on_and_makes_the_same(photos, tmp_path, monkeypatch):
    whole = prepare([photos], tmp_path / "whole", settings())
    write, written = parts.write_atomically, []

    def stop(path, data):
        if len(written) == 5:
            raise KeyboardInterrupt
        written.append(path)
        write(path, data)

    monkeypatch.setattr(parts, "write_atomically", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare([photos], tmp_path / "store", settings(), workers=1)
    assert not (tmp_path / "store").exists()
    monkeypatch.setattr(parts, "write_atomically", lambda path, data: (written.append(path), write(path, data)))
    kept = set(written)
    again = prepare([photos], tmp_path / "store", settings())
    assert content(again) == content(whole)
    assert not kept & set(written[5:]), "what was there was made again"
    assert not (tmp_path / "store.part").exists()


def test_a_run_that_was_killed_goes_on_and_makes_the_same(photos, tmp_path):
    whole = prepare([photos], tmp_path / "whole", settings(pairs=4000))
    command = [sys.executable, "-m", "vidsr", "prepare", str(photos), "-o", str(tmp_path / "store"), "--scale", "2"]
    command += ["--patch-size", "16", "--pairs", "4000"]
    for field in ("coded", "soft", "noisy", "dark", "recompressed", "blurred", "resized", "grainy", "jpeg"):
        command += ["--set", f"{field}=0"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    begun = time.monotonic()
    while not list(tmp_path.glob("store.part/parts/*.npz")) and time.monotonic() < begun + 30:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "store").exists()
    assert subprocess.run(command, capture_output=True, timeout=60).returncode == 0
    here = {name: digest for name, digest in content(whole).items() if name != "manifest.json"}
    there = {p: hashlib.sha256((tmp_path / "store" / p).read_bytes()).hexdigest() for p in here}
    assert here == there


def test_two_runs_do_not_prepare_the_same_store_at_once(photos, tmp_path):
    (tmp_path / "store.part").mkdir()
    lock = lock_folder(tmp_path / "store.part")
    with pytest.raises(OutputError, match=r"another run is using .*store\.part"):
        prepare([photos], tmp_path / "store", settings())
    lock.release()
    assert {path.name for path in prepare([photos], tmp_path / "store", settings()).folder.iterdir()} == {
        "manifest.json", *SPLITS
    }  # fmt: skip


def test_a_store_that_is_there_is_opened_not_made_again(photos, tmp_path, monkeypatch):
    prepare([photos], tmp_path / "store", settings())
    monkeypatch.setattr(parts, "read_runs", lambda *_, **__: pytest.fail("was decoded again"))
    assert len(prepare([photos], tmp_path / "store", settings()).split("train"))


def test_what_lies_under_the_name_already_is_never_replaced(photos, tmp_path):
    prepare([photos], tmp_path / "store", settings())
    before = content(prepare([photos], tmp_path / "store", settings()))
    with pytest.raises(TargetExists, match=r"contains something else"):
        prepare([photos], tmp_path / "store", settings(seed=1))
    assert content(prepare([photos], tmp_path / "store", settings())) == before


def test_no_source_is_on_two_sides(photos, tmp_path):
    store = prepare([photos], tmp_path / "store", settings())
    seen = {split: set(store.split(split).index["source"].tolist()) for split in SPLITS}
    assert [len(sources) for sources in seen.values()] == [2, 1, 1]
    assert len(set.union(*seen.values())) == 4
    for split, sources in seen.items():
        assert all(store.manifest["sources"][source]["split"] == split for source in sources)


def test_one_bad_file_among_a_hundred_is_named_and_the_hundred_are_in_the_store(tmp_path):
    for i in range(100):
        draw_photo(tmp_path / "photos" / f"{i:03}.png", seed=i, height=48, width=64)
    whole = (tmp_path / "photos" / "000.png").read_bytes()
    (tmp_path / "photos" / "bad.png").write_bytes(whole[: len(whole) // 2])
    store = prepare([tmp_path / "photos"], tmp_path / "store", settings(pairs=400))
    assert sum(1 for source in store.manifest["sources"] if source["crops"]) == 100
    (skipped,) = store.manifest["skipped"]
    assert skipped["file"] == "photos/bad.png"
    assert skipped["reason"].startswith("bad.png cannot be read as an image")


def test_doubles_small_and_flat_pictures_are_left_out_by_name(photos, tmp_path):
    (photos / "again.png").write_bytes((photos / "0.png").read_bytes())
    draw_photo(photos / "small.png", height=16, width=24)
    Image.new("RGB", (64, 64), (90, 90, 90)).save(photos / "flat.png")
    store = prepare([photos], tmp_path / "store", settings())
    reasons = {file["file"]: file["reason"] for file in store.manifest["skipped"]}
    assert reasons.keys() == {"photos/again.png", "photos/small.png", "photos/flat.png"}
    assert reasons["photos/again.png"] == "the same as photos/0.png"
    assert "24x16" in reasons["photos/small.png"]
    assert "flat" in reasons["photos/flat.png"]


def test_where_nothing_can_be_used_the_first_reason_is_given_and_nothing_left(tmp_path):
    draw_photo(tmp_path / "photos" / "small.png", height=16, width=24)
    with pytest.raises(DataError, match=r"none of the 1 .* less than 32 pixels"):
        prepare([tmp_path / "photos"], tmp_path / "store", settings())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_where_there_is_no_room_the_store_is_named_and_the_next_run_goes_on(photos, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 13, limits[1]))
    try:
        with pytest.raises(DiskFull, match=r"store could not be written \(File too large\); .* again to resume"):
            prepare([photos], tmp_path / "store", settings())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not (tmp_path / "store").exists()
    assert len(prepare([photos], tmp_path / "store", settings()).split("train"))


def test_pairs_of_several_frames_follow_each_other(tmp_path):
    clip = video(tmp_path / "clip.mkv", times=range(0, 960, 40), size=(160, 120))
    pairs = prepare([clip], tmp_path / "store", settings(frames=3, validation=0.0, test=0.0)).split("train")
    assert pairs.low.shape[1] == pairs.qp.shape[1] == 3
    near = np.abs(np.diff(pairs.high.astype(int), axis=1)).mean()
    assert 0 < near < np.abs(pairs.high[:-1, 0].astype(int) - pairs.high[1:, 0]).mean()


def test_a_colour_store_holds_rgb(photos, tmp_path):
    pairs = prepare([photos], tmp_path / "store", settings(channels=3)).split("train")
    assert pairs.high.shape[1:] == (1, 32, 32, 3)
    assert (pairs.high[..., 0] != pairs.high[..., 2]).any()
    for low, high in zip(pairs.low[:, 0], pairs.high[:, 0], strict=True):
        assert psnr(resize(high, 16, 16)[2:-2, 2:-2], low[2:-2, 2:-2]) > 30


def test_the_index_says_what_was_done_to_each_pair(photos, tmp_path):
    coded = prepare([photos], tmp_path / "store", settings(degradation=Degradation(coded=1, av1=0))).split("train")
    assert set(coded.index["kind"]) <= {"libx264", "libx265", "jpeg"}
    assert np.isfinite(coded.index["crf"]).all()
    assert coded.qp.all()


def test_licences_come_from_the_list_beside_the_sources_else_from_the_caller(photos, tmp_path):
    (photos / "licences.csv").write_text("file,width,height,licence\n1.png,320,240,CC0\n")
    store = prepare([photos], tmp_path / "store", settings(), licence="our own")
    said = {source["file"]: source["licence"] for source in store.manifest["sources"]}
    assert said == {f"photos/{i}.png": "CC0" if i == 1 else "our own" for i in range(4)}


def test_the_manifest_is_the_same_wherever_the_sources_lie(photos, tmp_path):
    (photos / "bad.png").write_bytes(b"no picture")
    here = prepare([photos], tmp_path / "here", settings()).manifest
    assert [file["file"] for file in here["skipped"]] == ["photos/bad.png"]
    (tmp_path / "moved").mkdir()
    photos.rename(tmp_path / "moved" / "photos")
    there = prepare([tmp_path / "moved" / "photos"], tmp_path / "there", settings()).manifest
    assert json.dumps(here) == json.dumps(there)


def test_folders_of_small_twins_are_named_and_not_learnt_from(tmp_path):
    draw_photo(tmp_path / "DIV2K" / "DIV2K_train_HR" / "0001.png")
    draw_photo(tmp_path / "DIV2K" / "DIV2K_train_LR_bicubic" / "X2" / "0001x2.png", seed=1)
    store = prepare([tmp_path / "DIV2K"], tmp_path / "store", settings())
    assert [source["file"] for source in store.manifest["sources"]] == ["DIV2K/DIV2K_train_HR/0001.png"]
    (left,) = store.manifest["skipped"]
    assert left["file"] == "DIV2K/DIV2K_train_LR_bicubic"
    assert "without ground truth" in left["reason"]


def test_a_run_that_is_stopped_ends_with_the_pieces_at_hand(photos, tmp_path, monkeypatch):
    write, begun, parts_begun = parts._write_part, threading.Event(), []

    def slowly(part, *rest):
        parts_begun.append(part)
        begun.set()
        time.sleep(0.05)
        return write(part, *rest)

    def stop(what, done, total):
        if what == "cutting pairs" and done:
            assert begun.wait(10)
            raise KeyboardInterrupt

    monkeypatch.setattr(parts, "_write_part", slowly)
    with pytest.raises(KeyboardInterrupt):
        prepare([photos], tmp_path / "store", settings(pairs=4 * parts.RICH), workers=1, progress=stop)
    assert len(parts_begun) <= 2, "a photo has eight"


def test_one_photo_keeps_every_thread_busy(tmp_path, monkeypatch):
    photo, threads = draw_photo(tmp_path / "photo.png"), set()
    monkeypatch.setattr(
        parts, "cut_pairs", lambda *a: threads.add(threading.get_ident()) or time.sleep(0.01) or cut_pairs(*a)
    )
    prepare([photo], tmp_path / "store", settings(pairs=40 * 16), workers=3)
    assert len(threads) == 3


def test_two_folders_of_one_name_are_told_apart(tmp_path):
    for i, folder in enumerate(("mine", "yours")):
        draw_photo(tmp_path / folder / "photos" / "a.png", seed=i)
    both = [tmp_path / folder / "photos" for folder in ("mine", "yours")]
    sources = prepare(both, tmp_path / "store", settings()).manifest["sources"]
    assert [source["file"] for source in sources] == ["mine/photos/a.png", "yours/photos/a.png"]
    one_by_one = [folder / "a.png" for folder in both]
    sources = prepare(one_by_one, tmp_path / "other", settings()).manifest["sources"]
    assert [source["file"] for source in sources] == ["mine/photos/a.png", "yours/photos/a.png"]


def test_nothing_is_decoded_twice(photos, tmp_path, monkeypatch):
    video(photos / "clip.mkv", times=range(0, 1920, 40), size=(96, 64), sound=False)
    decoded, plain = [], parts.read_runs
    monkeypatch.setattr(
        parts, "read_runs", lambda path, **options: (decoded.append(path.name), plain(path, **options))[1]
    )
    prepare([photos], tmp_path / "store", settings(pairs=400))
    assert sorted(decoded) == ["0.png", "1.png", "2.png", "3.png", "clip.mkv"]
