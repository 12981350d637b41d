"""Everything about an output is decided by one pure function; opening only does what the plan says."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.video.videos import codes_of, frame_from, frames_of, info_of, make_video, resize_video
from tests.video.write.copy.test_stream_copy import subtitled
from vidsr.color import ColorSpec
from vidsr.context import Code, Context, Notice
from vidsr.errors import OutputError
from vidsr.frames import Frame, VideoInfo
from vidsr.options import EncodeOptions
from vidsr.verify import verify_video
from vidsr.video.read.source import open_source
from vidsr.video.write.copy.containers import Muxer
from vidsr.video.write.copy.stream_copy import plan_copy
from vidsr.video.write.encoding_plan import EncodingPlan
from vidsr.video.write.planning import plan_encoding
from vidsr.video.write.sink import open_sink


def plan_for(muxer: str, frame: Frame, **options: Any) -> EncodingPlan:
    return plan_encoding(Muxer(muxer), info_of(frame), EncodeOptions(**options))


def test_a_plan_names_encoder_codec_format_and_time_base() -> None:
    plan = plan_for("matroska", frame_from(pixel_format="yuv420p10le"), codec="libx265", crf=18, preset="slow")
    assert (plan.encoder, plan.codec, plan.pixel_format) == ("libx265", "hevc", "yuv420p10le")
    assert (plan.time_base, plan.frame_time_base, plan.frame_rate) == (Fraction(1, 25), None, 25)
    assert (plan.codec_options["crf"], plan.codec_options["preset"]) == ("18", "slow")
    assert plan.warnings == ()


@pytest.mark.parametrize(
    ("muxer", "codec", "pixel_format", "chosen", "codes"),
    [
        ("webm", "libx264", "yuv420p", ("libvpx-vp9", "yuv420p"), [()]),
        ("matroska", "libsvtav1", "yuv444p10le", ("libsvtav1", "yuv420p10le"), [(Code.PIXEL_FORMAT,)]),
        ("mov", "prores_ks", "yuv420p", ("prores_ks", "yuv422p10le"), [(Code.PIXEL_FORMAT,)]),
        ("yuv4mpegpipe", "libx264", "yuv420p", ("wrapped_avframe", "yuv420p"), [(Code.PTS, Code.DURATION)]),
        ("matroska", "ffv1", "yuv422p10le", ("ffv1", "yuv422p10le"), []),
    ],
)
def test_what_is_chosen_instead_is_a_warning_of_the_plan(
    muxer: str, codec: str, pixel_format: str, chosen: tuple[str, str], codes: list[tuple[Code, ...]]
) -> None:
    plan = plan_for(muxer, frame_from(pixel_format=pixel_format), codec=codec)
    assert (plan.encoder, plan.pixel_format) == chosen
    assert [notice.codes for notice in plan.warnings] == codes


def test_an_encoder_that_counts_frames_gets_their_duration_as_time_base() -> None:
    plan = plan_for("matroska", replace(frame_from(), time_base=Fraction(1, 1000)), codec="mpeg4")
    assert (plan.time_base, plan.frame_time_base) == (Fraction(1, 1000), Fraction(1, 25))


@pytest.mark.parametrize(
    "options",
    [{"codec": "abc"}, {"preset": "abc"}, {"encoder_options": {"pix_fmt": "rgb24"}}, {"codec": "aac"}],
    ids=str,
)
def test_a_plan_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OutputError):
        plan_for("matroska", frame_from(), **options)


def test_b_frames_are_left_out_where_an_mp4_would_lose_the_last_duration(tmp_path: Path) -> None:
    for name, pts in (("even.mkv", range(12)), ("uneven.mkv", (0, 2, 3, 8, 9, 20))):
        with open_source(make_video(tmp_path / name, pts=tuple(pts))) as video:
            copy = video.copy_info()
            for muxer in ("mp4", "matroska"):
                plan = plan_encoding(Muxer(muxer), video.info, EncodeOptions(), copy)
                assert plan.display_order == (name == "uneven.mkv" and muxer == "mp4")


class Plane:
    """What a plane in the memory of the second GPU says of itself."""

    shape = (48, 64)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 1


@pytest.mark.parametrize(("codec", "device", "pixel_format"), [("h264_nvenc", 1, "nv12"), ("libx264", None, "yuv420p")])
def test_frames_on_a_gpu_are_encoded_there_by_nvenc(
    codec: str, device: int | None, pixel_format: str, tmp_path: Path
) -> None:
    planes: Any = (Plane(), Plane())
    with open_source(make_video(tmp_path / "a.mkv")) as video:
        copy = video.copy_info()
        on_gpu = replace(copy, first=replace(copy.first, planes=planes))
        plan = plan_encoding(Muxer("nut"), video.info, EncodeOptions(codec=codec), on_gpu)
    assert (plan.cuda_device, plan.pixel_format) == (device, pixel_format)


@pytest.mark.parametrize(
    ("muxer", "text_codecs", "codes"),
    [
        ("matroska", [None, None, None], []),
        ("mp4", [None, "mov_text"], [Code.CODEC, Code.PACKETS, Code.PAYLOAD, Code.TIMES, Code.STREAM]),
        ("mpegts", [None], [Code.STREAM, Code.STREAM, Code.DISPOSITION, Code.STREAM_TAGS]),
    ],
)
def test_every_stream_is_copied_converted_or_left_out_by_plan(
    muxer: str, text_codecs: list[str | None], codes: list[Code], tmp_path: Path
) -> None:
    with open_source(subtitled(tmp_path)) as video:
        copy = video.copy_info()
        plan = plan_copy(plan_encoding(Muxer(muxer), video.info, EncodeOptions(), copy), copy, can_seek=True)
    assert [each.text_codec for each in plan.streams] == text_codecs
    assert codes_of(plan.warnings) == codes


def test_the_sink_issues_the_warnings_of_the_plan_once(tmp_path: Path) -> None:
    notices: list[Notice] = []
    frame = frame_from()
    with open_sink(tmp_path / "a.webm", info_of(frame), context=Context(notices.append)) as sink:
        for index in range(3):
            sink.write(frame.at(index, 1))
        assert notices == list(sink.plan.warnings)  # type: ignore[attr-defined]
    assert codes_of(notices) == [] and len(notices) == 1


@pytest.mark.parametrize("after", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize("matrix", [(0, 2, -1, 0), (2, 0, 0, 1), (0, -1, 3, 0), (0, 1, 1, 0), (-2, 0, 0, 1)])
def test_a_rotation_that_also_stretches_is_kept(matrix: tuple[int, ...], after: str, tmp_path: Path) -> None:
    a, b, c, d = (value << 16 for value in matrix)

    def decorate(_: Any, stream: Any) -> None:
        stream.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))

    video, target = make_video(tmp_path / "a.mp4", pts=range(2), decorate=decorate), tmp_path / f"b.{after}"
    assert resize_video(video, target) == []
    rotations = [frames_of(path)[0].av_frame.rotation for path in (video, target)]
    assert rotations[0] == rotations[1]
    assert verify_video(video, target).faithful


@pytest.mark.parametrize(("size", "bits", "codec", "limited"), [
    ((1920, 1080), 8, "libx264", False), ((3840, 2160), 8, "libx264", False), ((3840, 2160), 10, "libx264", True),
    ((7680, 4320), 8, "libx264", True), ((3840, 2160), 10, "libx265", True), ((1920, 1080), 10, "libx265", False),
    ((7680, 4320), 10, "ffv1", False),
])  # fmt: skip
def test_encoders_look_fewer_large_frames_ahead(size, bits, codec, limited):
    info = VideoInfo(*size, bits, ColorSpec(1, full_range=False), Fraction(1, 25), Fraction(25), None, None)
    plan = plan_encoding(Muxer("matroska"), info, EncodeOptions(codec=codec))
    params = plan.codec_options.get(f"{codec.removeprefix('lib')}-params", "")
    assert ("rc-lookahead" in params) == limited
    if limited:
        frames = int(params.partition("rc-lookahead=")[2].partition(":")[0])
        assert frames * info.frame_bytes <= max(128 << 20, 5 * info.frame_bytes)
