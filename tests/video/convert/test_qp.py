import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidsr.frames import Frame
from vidsr.options import ReadOptions
from vidsr.resize import resize
from vidsr.system import keep_priority
from vidsr.video.convert.qp import ESTIMATED, EXPORT, Estimator, estimated_qp, mean_qp
from vidsr.video.read.source import open_source

SIZE = (192, 128)
QUIET = "log-level=none:pools=none:info=0"
CODERS = {
    "libx265": lambda quality: {"preset": "ultrafast", "x265-params": f"{QUIET}:keyint=6:qp={quality}"},
    "libsvtav1": lambda quality: {"preset": "12", "crf": str(quality * 3 // 2)},
    "libvpx": lambda quality: dict.fromkeys(("crf", "qmin", "qmax"), f"{quality * 3 // 2}") | {"b": "0"},
    "libx264": lambda quality: {"preset": "ultrafast", "qp": str(quality)},
}


@pytest.fixture(scope="module")
def video_stream_of(tmp_path_factory):
    """Writes (once) a video of a textured picture that slides, in the codec and at the QP asked for."""
    folder = tmp_path_factory.mktemp("quantisers")

    def write(coder, quality, suffix="mkv", pixel_format="yuv420p"):
        path = folder / f"{coder}-{quality}-{pixel_format}.{suffix}"
        return path if path.exists() else _write(path, coder, CODERS[coder](quality), pixel_format)

    return write


def _write(path, coder, options, pixel_format, pictures=None):
    os.environ.setdefault("SVT_LOG", "1")
    pictures = [_photo(2 * index) for index in range(12)] if pictures is None else pictures
    with keep_priority(), av.open(str(path), "w") as out:
        video = out.add_stream(coder, rate=25)
        video.height, video.width = pictures[0].shape
        video.pix_fmt, video.options = pixel_format, options
        for index, luma in enumerate(pictures):
            picture = av.VideoFrame.from_ndarray(luma, format="gray").reformat(format=pixel_format)
            picture.pts, picture.time_base = index, Fraction(1, 25)
            out.mux(video.encode(picture))
        packets = video.encode(None)
        if len(pictures) < 3:
            for packet in packets:
                packet.dts = packet.pts  # x265's are chance for films shorter than its B-frames
        out.mux(packets)
    return path


def _photo(slide):
    """Soft texture of many sizes, as in photos: (height, width) uint8."""
    width, height = SIZE
    rng, total = np.random.default_rng(0), np.zeros((height, width + 64))
    for step in (2, 4, 8, 16, 32):
        coarse = rng.normal(0, 12, (height // step, (width + 64) // step))
        total += resize(coarse, height, width + 64)
    return (110 + total[:, slide : slide + width]).clip(16, 235).astype(np.uint8)


def qps(path, **options):
    with open_source(path, ReadOptions(**options)) as source:
        return [item.qp for item in source if isinstance(item, Frame)]


@pytest.mark.parametrize("coder", ["libx265", "libsvtav1", "libvpx"])
def test_where_the_decoder_tells_none_a_coarser_video_is_told_a_larger_qp(video_stream_of, coder):
    videos = [qps(video_stream_of(coder, quality)) for quality in (16, 24, 32, 40)]
    assert all(len(video) == 12 and 0 <= min(video) <= max(video) <= 51 for video in videos)
    means = [np.mean(video) for video in videos]
    assert all(b > a + 1 for a, b in pairwise(means)), means


@pytest.mark.skipif("VIDSR_DATA" not in os.environ, reason="needs real film")
@pytest.mark.parametrize("clip", ["man-1080p", "bbb-1080p-hevc", "road-432p", "roofs-360p-vfr"])
def test_on_video_the_estimate_is_near_the_qp_of_equal_damage(clip, tmp_path):
    with open_source(Path(os.environ["VIDSR_DATA"]) / "clips" / f"{clip}.mp4") as source:
        video = source.first
    luma = resize(video.planes[0], video.height // 4 * 2, video.width // 4 * 2).round().clip(0, 255).astype(np.uint8)
    for quality in (18, 26, 34):
        path = _write(tmp_path / f"{quality}.mkv", "libx265", CODERS["libx265"](quality), "yuv420p", [luma])
        (estimate,) = qps(path)
        assert estimate == pytest.approx(quality - 4, abs=8)  # what x265 does at 4 more looks as good


def test_ten_bits_are_estimated_like_eight(video_stream_of):
    eight, ten = (qps(video_stream_of("libx265", 28, pixel_format=name)) for name in ("yuv420p", "yuv420p10le"))
    assert ten == pytest.approx(eight, abs=1.5)


def test_pictures_are_told_what_the_key_frame_before_them_tells(video_stream_of):
    video = qps(video_stream_of("libx265", 28))
    assert len(set(video[:6])) == len(set(video[6:])) == 1
    assert video[0] != video[6]


def test_a_piece_from_the_middle_knows_the_key_frame_that_is_not_shown(video_stream_of):
    path = video_stream_of("libx265", 28)
    assert qps(path, start=Fraction(2, 25), duration=Fraction(2, 25)) == qps(path)[2:4]


def test_what_the_decoder_tells_is_not_estimated(video_stream_of):
    assert set(qps(video_stream_of("libx264", 30))) <= {27.0, 30.0}  # key pictures are coded 3 finer


@pytest.mark.parametrize("coder", ["libx264", "libx265"])
def test_the_users_word_goes_before_decoder_and_estimate(video_stream_of, coder):
    assert set(qps(video_stream_of(coder, 28), source_qp=0.0)) == {0.0}


def test_a_stream_without_time_stamps_is_estimated_too(video_stream_of):
    assert qps(video_stream_of("libx265", 28, suffix="hevc")) == pytest.approx(
        qps(video_stream_of("libx265", 28)), abs=1
    )


def test_mpegs_scale_code_is_half_the_step():
    # At scale code 8 the step is 16 levels, which is that of QP 28.
    encoder, decoder = av.CodecContext.create("mpeg4", "w"), av.CodecContext.create("mpeg4", "r")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *SIZE, "yuv420p", Fraction(1, 25)
    encoder.flags |= av.codec.context.Flags.qscale
    encoder.qmin = encoder.qmax = 8
    decoder.options = dict(EXPORT)
    picture = av.VideoFrame.from_ndarray(_photo(0), format="gray").reformat(format="yuv420p")
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    (decoded,) = [each for packet in [*packets, None] for each in decoder.decode(packet)]
    assert mean_qp(decoded) == pytest.approx(28, abs=0.2)


def test_codecs_that_were_not_measured_are_left_unknown(video_stream_of):
    with av.open(str(video_stream_of("libx265", 28))) as container:
        packets = list(container.demux(video=0))
        pictures = [picture for packet in packets for picture in packet.decode()]
    for codec in ("prores", *ESTIMATED):
        estimator = Estimator(codec)
        for packet in packets:
            estimator.sent(packet)
        for picture in pictures:
            estimator.update(picture)
        assert (estimator.value is None) == (codec == "prores")


def test_a_flat_picture_a_tiny_one_and_an_unknown_size_tell_nothing():
    assert estimated_qp(np.full((64, 64), 16, np.uint8), 300) is None
    assert estimated_qp(_photo(0)[:1], 300) is None
    assert estimated_qp(_photo(0), 0) is None


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_fewer_bits_never_make_a_smaller_estimate_and_it_stays_in_range(a, b):
    fewer, more = sorted((a, b))
    smaller, larger = estimated_qp(_photo(0), more), estimated_qp(_photo(0), fewer)
    assert 0 <= smaller <= larger <= 51
