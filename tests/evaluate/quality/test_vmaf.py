import gc
import json
from dataclasses import replace
from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

from tests.video.videos import drawing
from vidsr.color import SMPTE170M, ColorSpec
from vidsr.errors import ExtraMissing, InputError
from vidsr.evaluate.quality.vmaf import MODELS, Vmaf, why_not
from vidsr.frames import Frame
from vidsr.video.convert.resizer import Resizer, to_av_frame

needs_libvmaf = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
WIDTH, HEIGHT = 192, 108


def video(count=6, bits=8, width=WIDTH, height=HEIGHT):
    """Frames of a drawing that moves, with noise that does not."""
    noise = np.random.default_rng(0).integers(0, 40, (height, width))
    color = ColorSpec(SMPTE170M, full_range=False)
    kind = np.uint8 if bits == 8 else np.uint16
    grey = np.full(((height + 1) // 2, (width + 1) // 2), 128 << (bits - 8), kind)
    for index in range(count):
        luma = (drawing(width, height, index)[..., 1] * 0.7 + 16 + noise).astype(kind) << (bits - 8)
        yield Frame((luma.astype(kind), grey, grey), color, bits, pts=index)


def blurred(frame):
    """A frame through half its size and back, by swscale's bicubic."""
    resizer = Resizer("bicubic")
    return resizer.resize(resizer.resize(frame, frame.width // 2, frame.height // 2), frame.width, frame.height)


def scores(pairs, **options):
    pairs = list(pairs)
    first = pairs[0][1]
    with Vmaf(first.width, first.height, bits=first.bits, **options) as vmaf:
        for distorted, reference in pairs:
            vmaf.add(distorted, reference)
        return vmaf.result()


@needs_libvmaf
def test_a_film_is_like_itself():
    found = scores((frame, frame) for frame in video())
    assert list(found) == ["vmaf", "vmaf_neg"]
    for values in found.values():
        assert len(values) == 6
        assert min(values) >= 97


@needs_libvmaf
def test_scores_are_those_of_libvmaf_itself(tmp_path):
    pairs = [(blurred(frame), frame) for frame in video()]
    found = scores(pairs)
    for name, version in MODELS.items():
        assert found[name] == pytest.approx(by_hand(pairs, version, tmp_path / f"{name}.json"), abs=1e-5)
    assert np.mean(found["vmaf_neg"]) < np.mean(found["vmaf"]) < 95


def by_hand(pairs, version, log):
    """The scores of one model, by a filter graph that shares nothing with ours: whole pictures, one thread."""

    def run():
        graph = av.filter.Graph()
        size = f"video_size={WIDTH}x{HEIGHT}:pix_fmt=yuv420p:time_base=1/25:pixel_aspect=1/1"
        distorted, reference = graph.add("buffer", size), graph.add("buffer", size)
        filter = graph.add("libvmaf", model=f"version={version}", log_fmt="json", log_path=str(log))
        distorted.link_to(filter, 0, 0)
        reference.link_to(filter, 0, 1)
        sink = graph.add("buffersink")
        filter.link_to(sink)
        graph.configure()
        for index, pair in enumerate(pairs):
            for side, frame in zip((distorted, reference), pair, strict=True):
                picture = to_av_frame(frame)
                picture.pts, picture.time_base = index, Fraction(1, 25)
                side.push(picture)
        graph.push(None)
        for _ in pairs:
            sink.pull()

    run()
    gc.collect()  # the log is written when the graph goes
    return [frame["metrics"]["vmaf"] for frame in json.loads(log.read_text())["frames"]]


@needs_libvmaf
def test_ten_bits_score_as_eight_do():
    eight = scores((blurred(frame), frame) for frame in video())
    ten = scores((blurred(frame), frame) for frame in video(bits=10))
    assert np.mean(ten["vmaf"]) == pytest.approx(np.mean(eight["vmaf"]), abs=0.5)


@needs_libvmaf
def test_odd_sizes_are_measured():
    found = scores((frame, frame) for frame in video(3, width=321, height=181))
    assert min(found["vmaf"]) >= 97


@needs_libvmaf
def test_more_threads_change_no_score():
    pairs = [(blurred(frame), frame) for frame in video()]
    assert scores(pairs, threads=1) == scores(pairs, threads=4)


@needs_libvmaf
def test_pictures_of_another_size_or_depth_are_refused():
    frame = next(video())
    with Vmaf(WIDTH, HEIGHT) as vmaf:
        with pytest.raises(ValueError, match=r"opened for 192x108 at 8 bits, got Frame\(96x54"):
            vmaf.add(replace(frame, planes=tuple(plane[::2, ::2] for plane in frame.planes)), frame)
        with pytest.raises(ValueError, match=r"got Frame\(192x108 10 bits"):
            vmaf.add(next(video(bits=10)), frame)


@needs_libvmaf
def test_pictures_too_small_for_the_models_are_refused():
    with pytest.raises(InputError, match="at least 64x64, these are 62x400"):
        Vmaf(62, 400)


@needs_libvmaf
def test_the_smallest_pictures_are_like_themselves_too():
    assert min(scores((frame, frame) for frame in video(3, width=64, height=64))["vmaf"]) >= 97


@needs_libvmaf
def test_no_pairs_no_scores():
    with Vmaf(WIDTH, HEIGHT) as vmaf:
        assert vmaf.result() == {"vmaf": [], "vmaf_neg": []}


def test_where_libvmaf_is_missing_a_sentence_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(av.filter, "filters_available", set())
    assert "needs PyAV 19, and so Python 3.12" in why_not()
    with pytest.raises(ExtraMissing, match="needs PyAV 19"):
        Vmaf(WIDTH, HEIGHT)
