"""Decoding on a GPU, as far as it can be told without one, and semi-planar frames from source to sink."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel
from PIL import Image

from tests.networks import network, receptive_field, runnable, save
from tests.video.videos import make_video
from vidsr.card import ModelCard
from vidsr.context import Context, Notice, ignore
from vidsr.frames import Frame
from vidsr.options import EncodeOptions, ReadOptions
from vidsr.pipeline.stages import upscale
from vidsr.upscaling.upscaler import load_upscaler
from vidsr.video.convert import nv12 as surfaces
from vidsr.video.convert.nv12 import planar
from vidsr.video.convert.pixel_formats import planes_of
from vidsr.video.read import hwdecode as gpu
from vidsr.video.read.hwdecode import Offload, can_open_gpu, second_decoder
from vidsr.video.read.source import open_source
from vidsr.video.read.streams import set_up_decoder
from vidsr.video.write.sink import open_sink

HERE = can_open_gpu("cuda")
needs_gpu = pytest.mark.skipif(not HERE, reason="FFmpeg opens no GPU here")
KEPT = Offload("cpu", keeps=True)
UNEVEN = (0, 40, 80, 100, 180, 200, 240, 310)  # milliseconds


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = ModelCard("two", 2, 1, receptive_field(2))
    return save(network(), tmp_path_factory.mktemp("model") / "two.onnx", card)


@pytest.fixture(scope="module")
def nv12(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "raw.nut"
    return make_video(path, codec="rawvideo", pixel_format="nv12", pts=UNEVEN, time_base=Fraction(1, 1000))


def pictures(path: Path, *, second: bool) -> list[tuple[int | None, bytes]]:
    """Pts and luma of every picture, from the stream's own decoder or from another."""
    with av.open(str(path)) as container:
        stream: Any = container.streams.video[0]
        set_up_decoder(stream)
        decoder = stream.codec_context
        if second:
            decoder = second_decoder(stream, decoder.name)
        decoded = [picture for packet in container.demux(stream) for picture in decoder.decode(packet)]
        return [(picture.pts, planes_of(picture)[0].tobytes()) for picture in decoded]


HOLDS = {
    ".mp4": ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "mpeg2video"),
    ".mkv": ("libx264", "libx265", "libsvtav1", "libvpx-vp9", "libvpx", "mpeg2video"),
    ".ts": ("libx264", "libx265", "mpeg2video"),
}


@pytest.mark.parametrize(("suffix", "codec"), [(suffix, codec) for suffix in HOLDS for codec in HOLDS[suffix]])
def test_a_second_decoder_makes_the_same_pictures_at_the_same_times(tmp_path: Path, codec: str, suffix: str) -> None:
    path = make_video(tmp_path / f"film{suffix}", codec=codec, b_frames=2 if "26" in codec else 0)
    assert pictures(path, second=True) == pictures(path, second=False)
    assert len(pictures(path, second=True)) == 12


@pytest.mark.skipif(HERE, reason="there is a GPU")
def test_where_there_is_no_gpu_the_cpu_decodes_and_says_why(tmp_path: Path) -> None:
    path = make_video(tmp_path / "film.mp4")
    notices: list[Notice] = []
    context = Context(notices.append)
    with open_source(path, context=context, gpu=Offload("cuda", keeps=True)) as asked, open_source(path) as plain:
        assert len(notices) == 1 and "vidsr doctor" in notices[0].message
        for one, other in zip(asked, plain, strict=True):
            if isinstance(one, Frame) and isinstance(other, Frame):
                assert one.shows(other)
    with open_source(path, context=context, gpu=Offload("cuda", always=False)):
        assert len(notices) == 1


@pytest.mark.parametrize(
    ("codec", "pixel_format", "reason"),
    [
        ("libx264", "yuv422p", "yuv422p"),
        ("libx264", "yuv444p10le", "yuv444p10le"),
        ("ffv1", "yuv420p", "h264, hevc, vp9, vp8, mpeg2video"),
    ],
)
def test_what_no_gpu_decodes_is_told_and_decoded_on_the_cpu(
    tmp_path: Path, codec: str, pixel_format: str, reason: str
) -> None:
    path = make_video(tmp_path / "film.mkv", codec=codec, pixel_format=pixel_format)
    notices: list[Notice] = []
    with open_source(path, context=Context(notices.append), gpu=Offload("cuda", keeps=True)) as video:
        assert len(notices) == 1 and reason in notices[0].message
        assert sum(isinstance(item, Frame) for item in video) == 12


def test_where_the_gpu_refuses_the_video_its_decoder_goes_on_on_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FFmpeg's decoders fall back like this by themselves: what comes of them lies in our memory.
    monkeypatch.setattr(gpu, "cuda_hwaccel", lambda device: None)
    monkeypatch.setattr(gpu, "can_open_gpu", lambda device: True)
    path = make_video(tmp_path / "film.mp4", b_frames=2)
    notices: list[Notice] = []
    context = Context(notices.append)
    with open_source(path, context=context, gpu=Offload("cuda", keeps=True)) as video, open_source(path) as plain:
        for one, other in zip(video, plain, strict=True):
            assert isinstance(one, Frame) and isinstance(other, Frame)
            assert (one.pts, one.duration, one.qp) == (other.pts, other.duration, other.qp)
            assert one.shows(other)
        assert len(notices) == 2 and "h264" in notices[1].message


def test_an_ffmpeg_that_knows_no_such_device_opens_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "cuda_hwaccel", lambda device: HWAccel("mediacodec"))  # as Linux's knows no Android
    assert not can_open_gpu("cuda")


def test_a_stream_that_reads_a_surface_waits_for_the_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    plane, called = av.VideoFrame(64, 48, "nv12").planes[0], []

    class Driver:
        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: called.append(name) or 0

    monkeypatch.setattr(surfaces.ctypes, "CDLL", lambda name: Driver())
    surface = surfaces.Surface(plane, (48, 64))
    assert surface.__dlpack__(stream=1) is not None  # the default stream itself
    assert called == []
    assert surface.__dlpack__(stream=0x5500, max_version=(1, 0)) is not None
    assert called == ["cuEventCreate", "cuEventRecord", "cuStreamWaitEvent", "cuEventDestroy_v2"]


def test_where_damage_ends_the_video_the_cpu_decodes(tmp_path: Path) -> None:
    path, notices = make_video(tmp_path / "film.mp4"), list[Notice]()
    with open_source(path, ReadOptions(strict=True), context=Context(notices.append), gpu=Offload("cuda")):
        assert len(notices) == 1 and "--strict" in notices[0].message


def test_nv12_stays_as_it_is_where_it_may(nv12: Path) -> None:
    with open_source(nv12, gpu=KEPT) as kept, open_source(nv12) as plain:
        assert kept.info == plain.info
        for one, other in zip(kept, plain, strict=True):
            assert isinstance(one, Frame) and isinstance(other, Frame)
            assert one.semiplanar and not other.semiplanar
            assert (one.pts, one.duration, one.color) == (other.pts, other.duration, other.color)
            assert planar(one).shows(other)


def enlarged(source: Path, target: Path, model: Path, on: Offload | None, engine: str, **options: Any) -> None:
    """Upscale without threads."""
    with (
        load_upscaler(model, engine=engine, precision="f32", device="cpu") as upscaler,
        open_source(source, gpu=on) as video,
    ):
        width, height = upscaler.output_size(video.info.width, video.info.height)
        info = replace(video.info, width=width, height=height)
        with open_sink(
            target, info, EncodeOptions(crf=0, **options), copy=video.copy_info(), context=Context(ignore)
        ) as sink:
            for item in upscale(video, upscaler):
                sink.write(item)


@pytest.mark.parametrize("engine", runnable())
@pytest.mark.parametrize("pixel_format", ["nv12", "yuv420p"])
def test_from_source_to_sink_nv12_makes_the_video_that_planes_make(
    nv12: Path, model: Path, tmp_path: Path, engine: str, pixel_format: str
) -> None:
    # The encoder is given NV12 as it is, or planes made of it.
    asked = {"encoder_options": {"pix_fmt": pixel_format}}
    enlarged(nv12, tmp_path / "kept.mkv", model, KEPT, engine, **asked)
    enlarged(nv12, tmp_path / "plain.mkv", model, None, engine)
    with open_source(tmp_path / "kept.mkv") as kept, open_source(tmp_path / "plain.mkv") as plain:
        videos = [[item for item in video if isinstance(item, Frame)] for video in (kept, plain)]
    assert len(videos[0]) == len(videos[1]) == len(UNEVEN)
    for one, other in zip(*videos, strict=True):
        assert (one.pts, one.duration, one.color) == (other.pts, other.duration, other.color)
        np.testing.assert_array_equal(one.planes[0], other.planes[0])
        for plane, expected in zip(one.planes[1:], other.planes[1:], strict=True):
            difference = np.abs(plane.astype(int) - expected)
            assert difference[4:-4, 4:-4].max() <= 1
            assert difference.max() <= 6  # swscale shifts the taps that reach beyond the picture


def test_semi_planar_frames_become_pictures_too(nv12: Path, model: Path, tmp_path: Path) -> None:
    for name, on in (("kept", KEPT), ("plain", None)):
        (tmp_path / name).mkdir()
        enlarged(nv12, tmp_path / name / "%02d.png", model, on, "openvino")
    for one, other in zip(*(sorted((tmp_path / name).iterdir()) for name in ("kept", "plain")), strict=True):
        difference = np.abs(np.asarray(Image.open(one)).astype(int) - np.asarray(Image.open(other)))
        # a level of chroma, and another where it is interpolated; blue weighs 1.86
        assert difference[12:-12, 12:-12].max() <= 4


def test_a_picture_that_is_to_be_turned_does_not_stay(tmp_path: Path) -> None:
    def turn(container: Any, stream: Any) -> None:
        stream.set_display_matrix((0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30))

    with open_source(make_video(tmp_path / "turned.mp4", decorate=turn)) as video:
        assert video.copy_info().display_matrix
        assert not surfaces.can_stay_semiplanar(video.first.av_frame.reformat(format="nv12"))
    with open_source(make_video(tmp_path / "upright.mp4")) as video:
        assert surfaces.can_stay_semiplanar(video.first.av_frame.reformat(format="nv12"))


def test_interlaced_pictures_and_odd_sizes_do_not_stay(tmp_path: Path) -> None:
    odd = make_video(tmp_path / "odd.nut", codec="rawvideo", pixel_format="nv12", size=(63, 47))
    with open_source(odd, gpu=KEPT) as video:
        assert not video.first.semiplanar

    def interlace(container: Any, stream: Any) -> None:
        stream.codec_context.options = {"x264-params": "tff=1"}

    laced = make_video(tmp_path / "laced.mkv", decorate=interlace)
    notices: list[Notice] = []
    with open_source(laced, context=Context(notices.append), gpu=Offload("cuda", keeps=True)):
        assert "interlaced" in notices[0].message


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_a_gpu_decodes_what_the_cpu_does(tmp_path: Path, codec: str, pixel_format: str) -> None:
    if (codec, pixel_format) == ("libx264", "yuv420p10le"):
        pytest.skip("few GPUs decode 10-bit H.264")
    path = make_video(tmp_path / "film.mp4", codec=codec, pixel_format=pixel_format, size=(256, 256), b_frames=2)
    for keeps in (False, True):
        with open_source(path, gpu=Offload("cuda", keeps=keeps)) as video, open_source(path) as plain:
            assert video.first.semiplanar is keeps
            for one, other in zip(video, plain, strict=True):
                assert isinstance(one, Frame) and isinstance(other, Frame)
                assert (one.pts, one.duration) == (other.pts, other.duration)
                assert planar(one).shows(other)


@needs_gpu
@pytest.mark.gpu
@pytest.mark.parametrize("codec", ["h264_nvenc", "hevc_nvenc"])
def test_frames_in_a_gpus_memory_are_encoded_there(tmp_path: Path, model: Path, codec: str) -> None:
    pytest.importorskip("torch")
    path = make_video(tmp_path / "film.mp4", size=(256, 256))
    with (
        load_upscaler(model, engine="torch", device="cuda") as upscaler,
        open_source(path, gpu=Offload("cuda", keeps=True)) as video,
    ):
        info = replace(video.info, width=512, height=512)
        with open_sink(
            tmp_path / "out.mp4", info, EncodeOptions(codec=codec), copy=video.copy_info(), context=Context(ignore)
        ) as sink:
            for item in upscale(video, upscaler):
                assert isinstance(item, Frame) and item.semiplanar
                sink.write(item)
    with open_source(tmp_path / "out.mp4") as made, load_upscaler(model, precision="f32") as upscaler:
        expected = upscaler.submit(planar(video.first)).result()
        for plane, other in zip(made.first.planes, expected.planes, strict=True):
            assert np.abs(plane.astype(int) - other).mean() < 6
