"""Which GPU decodes, as it is asked for and as it can be had."""

from pathlib import Path
from typing import Any, cast

import pytest

from tests.clips import video
from tests.notices import Notices
from vidsr.context import Context
from vidsr.engines import Setup
from vidsr.pipeline import upscale_video
from vidsr.pipeline import video as decoding
from vidsr.pipeline.video import find_gpu, offload
from vidsr.upscaling.upscaler import Upscaler, load_upscaler
from vidsr.video.read.hwdecode import Offload, can_open_gpu

HERE = can_open_gpu("cuda")


@pytest.mark.skipif(HERE, reason="there is a GPU")
@pytest.mark.parametrize("hwaccel", ["auto", "cuda", "none"])
def test_without_a_gpu_the_same_film_is_made_and_only_who_asked_for_one_is_told(tmp_path: Path, hwaccel: Any) -> None:
    source, told = video(tmp_path / "in.mp4", sound=False), Notices()
    for name in ("auto", hwaccel):
        summary = upscale_video(
            source, tmp_path / f"{name}.nut", model="bicubic", hwaccel=name, overwrite=True, warn=told
        )
    assert [str(notice) for notice in summary.notices if "GPU" in str(notice)] == (
        ["no GPU can decode here, `vidsr doctor` shows why: the CPU decodes"] if hwaccel == "cuda" else []
    )
    assert (tmp_path / "auto.nut").read_bytes() == (tmp_path / f"{hwaccel}.nut").read_bytes()


def test_a_way_to_decode_nobody_knows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one of auto, cuda, none for hwaccel; got 'vdpau'"):
        upscale_video("in.mp4", tmp_path / "out.mp4", hwaccel="vdpau")  # type: ignore[arg-type]


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if FFmpeg could open any GPU."""
    monkeypatch.setattr(decoding, "can_open_gpu", lambda device: True)


@pytest.mark.usefixtures("present")
@pytest.mark.parametrize(
    ("hwaccel", "device", "resume", "found"),
    [
        ("auto", "auto", False, "cuda:0"),
        ("auto", "cuda:1", False, "cuda:1"),
        ("auto", "cpu", False, None),
        ("cuda", "cpu", False, "cuda:0"),
        ("none", "cuda", False, None),
        ("auto", "cuda", True, None),
        ("cuda", "cuda", True, None),
    ],
)
def test_the_gpu_that_enlarges_is_the_one_that_decodes(hwaccel: Any, device: str, resume: bool, found: str) -> None:
    told = Notices()
    assert find_gpu(hwaccel, device, resume=resume, context=Context(told)) == found
    assert bool(told) is (resume and hwaccel == "cuda")


class Settled:
    """An upscaler that computes somewhere."""

    def __init__(self, engine: str, device: str) -> None:
        self.setup = Setup(engine, device, "f16")


@pytest.mark.parametrize(
    ("hwaccel", "engine", "device", "does"),
    [
        ("auto", "torch", "cuda", Offload("cuda:0", keeps=True, always=False)),
        ("auto", "torch", "cuda:0", Offload("cuda:0", keeps=True, always=False)),
        ("auto", "onnxruntime", "cuda", Offload("cuda:0", keeps=False, always=False)),
        ("auto", "torch", "cuda:1", None),
        ("auto", "openvino", "cpu", None),
        ("cuda", "openvino", "cpu", Offload("cuda:0", keeps=False, always=True)),
    ],
)
def test_pictures_stay_where_the_network_takes_them(
    hwaccel: Any, engine: str, device: str, does: Offload | None
) -> None:
    assert offload("cuda:0", hwaccel, cast(Upscaler, Settled(engine, device))) == does
    assert offload(None, hwaccel, cast(Upscaler, Settled(engine, device))) is None


def test_a_kernel_computes_on_the_cpu() -> None:
    with load_upscaler("bicubic") as upscaler:
        assert offload("cuda:0", "auto", upscaler) is None
        assert offload("cuda:0", "cuda", upscaler) == Offload("cuda:0", keeps=False, always=True)
