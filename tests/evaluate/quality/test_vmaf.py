import gc
import json
from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

from tests.video.videos import drawing
from vidsr.errors import ExtraMissing, InputError
from vidsr.evaluate.quality.vmaf import MODELS, Vmaf, why_unavailable
from vidsr.resize import resize
from vidsr.video.convert.pixel_formats import planes_of

needs_libvmaf = pytest.mark.skipif(why_unavailable() is not None, reason=str(why_unavailable()))
WIDTH, HEIGHT = 192, 108


def video(count=6, width=WIDTH, height=HEIGHT):
    """Luma of a drawing that moves, with noise that does not."""
    noise = np.random.default_rng(0).integers(0, 40, (height, width))
    for index in range(count):
        yield (drawing(width, height, index)[..., 1] * 0.7 + 16 + noise).astype(np.uint8)


def blurred(luma):
    """A frame at half its size and back."""
    height, width = luma.shape
    return resize(resize(luma, height // 2, width // 2), height, width)


def scores(pairs):
    pairs = list(pairs)
    height, width = pairs[0][1].shape
    with Vmaf(width, height) as vmaf:
        for distorted, reference in pairs:
            vmaf.add(distorted, reference)
        return vmaf.result()


@needs_libvmaf
# PyAV 19 scores the first frame of an odd size 96.3.
@pytest.mark.parametrize(("width", "height", "least"), [(WIDTH, HEIGHT, 97), (321, 181, 96), (64, 64, 97)])
def test_equal_videos_score_almost_100(width, height, least):
    found = scores((frame, frame) for frame in video(width=width, height=height))
    assert list(found) == ["vmaf", "vmaf_neg"]
    assert len(found["vmaf"]) == len(found["vmaf_neg"]) == 6
    assert min(found["vmaf"]) >= least  # the first frame has no motion, which lowers its score
    assert width < WIDTH or min(found["vmaf_neg"]) >= least


@needs_libvmaf
def test_scores_are_those_of_libvmaf(tmp_path):
    pairs = [(blurred(frame), frame) for frame in video()]
    found = scores(pairs)
    for name, version in MODELS.items():
        assert found[name] == pytest.approx(reference_scores(pairs, version, tmp_path / f"{name}.json"), abs=1e-5)
    assert np.mean(found["vmaf_neg"]) < np.mean(found["vmaf"]) < 95


def reference_scores(pairs, version, log):
    """The scores of one model by an independent filter graph, in one thread."""

    def run():
        graph = av.filter.Graph()
        size = f"video_size={WIDTH}x{HEIGHT}:pix_fmt=yuv420p:time_base=1/25:pixel_aspect=1/1"
        distorted, reference = graph.add("buffer", size), graph.add("buffer", size)
        vmaf = graph.add("libvmaf", model=f"version={version}", log_fmt="json", log_path=str(log))
        distorted.link_to(vmaf, 0, 0)
        reference.link_to(vmaf, 0, 1)
        sink = graph.add("buffersink")
        vmaf.link_to(sink)
        graph.configure()
        for index, pair in enumerate(pairs):
            for side, luma in zip((distorted, reference), pair, strict=True):
                frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
                np.copyto(planes_of(frame)[0], luma)
                frame.pts, frame.time_base = index, Fraction(1, 25)
                side.push(frame)
        graph.push(None)
        for _ in pairs:
            sink.pull()

    run()
    gc.collect()  # the log is written when the graph is freed
    return [frame["metrics"]["vmaf"] for frame in json.loads(log.read_text())["frames"]]


@needs_libvmaf
def test_frames_of_another_size_are_refused():
    frame = next(video())
    with Vmaf(WIDTH, HEIGHT) as vmaf, pytest.raises(ValueError, match=r"of shape \(108, 192\); got \(54, 96\)"):
        vmaf.add(frame[::2, ::2], frame)


@needs_libvmaf
def test_frames_too_small_for_the_models_are_refused():
    with pytest.raises(InputError, match="at least 64x64; got 62x400"):
        Vmaf(62, 400)


@needs_libvmaf
def test_no_frames_give_no_scores():
    with Vmaf(WIDTH, HEIGHT) as vmaf:
        assert vmaf.result() == {"vmaf": [], "vmaf_neg": []}


def test_without_libvmaf_the_error_says_what_has_it(monkeypatch):
    monkeypatch.setattr(av.filter, "filters_available", set())
    assert "comes with PyAV 19 on Python 3.12" in why_unavailable()
    with pytest.raises(ExtraMissing, match="comes with PyAV 19"):
        Vmaf(WIDTH, HEIGHT)
