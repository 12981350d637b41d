import gc
import os
import weakref
from dataclasses import replace
from fractions import Fraction
from itertools import count, islice

import numpy as np
import pytest

from vidsr.color import SMPTE170M, ColorSpec
from vidsr.errors import InputError
from vidsr.frames import Frame
from vidsr.metrics import psnr
from vidsr.resize import resize
from vidsr.video.convert.qp import from_av1_crf, from_step
from vidsr.video.convert.recode import Channel, recode


def moving(count=4, height=64, width=96):
    """Frames of a texture that slides by two pixels a frame."""
    texture = np.random.default_rng(0).integers(60, 200, (height // 4, width // 4 + 8), np.uint8)
    texture = np.kron(texture, np.ones((4, 4), np.uint8))
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    color = ColorSpec(SMPTE170M, full_range=False)
    return [Frame((texture[:, 2 * i : 2 * i + width], grey, grey), color, pts=i) for i in range(count)]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "libvpx-vp9"])
def test_as_many_frames_come_back_as_went_in_and_look_alike(codec):
    options = {"b": "0"} if codec == "libvpx-vp9" else {"x265-params": "pools=none"} if codec == "libx265" else {}
    sent = moving()
    received, size = recode(sent, codec=codec, crf=20, options=options)
    assert [frame.pts for frame in received] == [0, 1, 2, 3]
    assert size > 0
    assert all(psnr(a.planes[0], b.planes[0]) > 30 for a, b in zip(sent, received, strict=True))


def test_the_qp_that_x264_used_is_told():
    received, _ = recode(moving(), crf=None, options={"qp": "30", "x264-params": "ipratio=1:pbratio=1"})
    assert [frame.qp for frame in received] == [30, 30, 30, 30]


def test_coarser_means_a_larger_qp_fewer_bytes_and_a_worse_picture():
    fine, coarse = (recode(moving(), crf=crf) for crf in (18, 38))
    assert fine[1] > coarse[1]
    assert all(a.qp < b.qp for a, b in zip(fine[0], coarse[0], strict=True))
    truth = moving()[0].planes[0]
    assert psnr(fine[0][0].planes[0], truth) > psnr(coarse[0][0].planes[0], truth)


def test_decoders_that_tell_no_qp_leave_it_unknown():
    received, _ = recode(moving(), codec="libx265", crf=30)
    assert [frame.qp for frame in received] == [None] * 4


def test_a_refused_size_gets_a_sentence():
    with pytest.raises(InputError, match=r"even size for libx264; got Frame.95x64"):
        recode(moving(width=95))


def test_a_preset_that_there_is_not_gets_a_sentence():
    with pytest.raises(InputError, match=r"libx264 cannot encode 96x64 frames with .*'preset': 'bogus'"):
        recode(moving(), options={"preset": "bogus"})


def endless(held):
    """Frames without end; `held` notes weakly which planes are still alive."""
    frames = moving(8)
    for index in count():
        frame = replace(frames[index % 8], planes=tuple(plane.copy() for plane in frames[index % 8].planes), pts=index)
        held.append(weakref.ref(frame.planes[0]))
        yield frame


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "libvpx-vp9"])
def test_the_same_frames_always_come_out_the_same(codec):
    rng = np.random.default_rng(0)
    wide = resize(rng.uniform(40, 210, (34, 56)), 272, 448)
    gray = np.full((136, 160), 128, np.uint8)
    moved = (wide[:, 3 * i : 3 * i + 320] + rng.normal(0, 4, (272, 320)) for i in range(12))
    color = ColorSpec(SMPTE170M, full_range=False)
    video = [Frame((np.rint(luma).clip(0, 255).astype(np.uint8), gray, gray), color) for luma in moved]
    sent = []
    for turn in range(4):
        disturbed = [np.full(1 << 21, turn, np.uint8) for _ in range(8)]  # other memory each time
        del disturbed
        decoded, size = recode(video, codec=codec, crf=28)
        sent.append((size, [frame.planes[0].tobytes() for frame in decoded]))
    assert all(one == sent[0] for one in sent)


def test_a_channel_streams_an_endless_video_and_holds_none_of_it():
    held = []
    received = Channel(crf=30, options={"threads": "1"}).send(endless(held))
    assert [frame.pts for frame in islice(received, 300)] == list(range(300))
    gc.collect()
    assert len(held) < 400  # x264 looks 40 frames ahead
    assert sum(planes() is not None for planes in held) <= 2


def test_a_channel_sends_what_recode_sends():
    settled = {"x264-params": "mbtree=0"}  # mbtree reads memory it has not written: now and then a few bytes differ
    channel = Channel(crf=28, options=settled)
    arrived = list(channel.send(iter(moving(12))))
    expected, size = recode(moving(12), crf=28, options=settled)
    assert channel.payload == size
    assert [frame.qp for frame in arrived] == [frame.qp for frame in expected]
    assert all((a.planes[0] == b.planes[0]).all() for a, b in zip(arrived, expected, strict=True))


def test_nothing_sent_is_nothing_received():
    channel = Channel()
    assert list(channel.send([])) == []
    assert channel.payload == 0


def test_the_encoder_is_told_the_frame_rate():
    # Frames that are shown for less time are worth fewer bits to x264.
    slow, fast = Channel(crf=28, rate=Fraction(10)), Channel(crf=28, rate=Fraction(120))
    for channel in (slow, fast):
        assert len(list(channel.send(moving(16)))) == 16
    assert fast.payload < slow.payload


def test_a_channel_estimates_the_qp_as_reading_a_file_does():
    fine, coarse = (list(Channel(codec="libx265", crf=crf, estimate=True).send(moving())) for crf in (18, 40))
    assert 0 < fine[0].qp < coarse[0].qp <= 51
    assert len({frame.qp for frame in fine}) == 1


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="needs Linux")
def test_no_codec_keeps_this_thread_at_real_time():
    recode(moving(), codec="libsvtav1", crf=40)
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_qp_scales_meet_where_steps_are_equal():
    assert from_step(0.625) == 0
    assert from_step(0.625 * 2**5) == pytest.approx(30)
    assert from_step(1e9) == 51
    levels = [from_av1_crf(crf) for crf in range(0, 64)]
    assert levels == sorted(levels)
