"""The verdict in words, and commands that run."""

import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clips import size_of
from tests.video.videos import make_video
from vidsr.evaluate.bandwidth.bandwidth_report import comparisons_table
from vidsr.evaluate.bandwidth.commands import command, receiver, sender, target_point
from vidsr.evaluate.bandwidth.encode import Clip, StudyEncoder, probe_clip
from vidsr.evaluate.bandwidth.rd_curves import Point, RdCurve
from vidsr.evaluate.bandwidth.results import BandwidthResult, compare
from vidsr.evaluate.bandwidth.verdict import verdict, winner
from vidsr.evaluate.quality.compression import CODECS

NATIVE = [(200, 60), (400, 72), (800, 82), (1600, 89), (3200, 93)]


def curve(name, scale, method, pairs, psnr=0.0, vmaf=True):
    """A curve of (kbit/s, VMAF-NEG) pairs; PSNR-Y is a third of that, and `psnr` more."""
    points = (
        Point(20 + 4 * i, kbit, neg / 3 + psnr, neg + 1 if vmaf else None, neg if vmaf else None)
        for i, (kbit, neg) in enumerate(sorted(pairs, reverse=True))
    )
    return RdCurve(name, scale, method, tuple(points))


def result(*small, vmaf=True, path=Path("video.mp4"), size=(1920, 1080), codec="libx264", psnr=0.0):
    """A video with the curves given as pairs: half size with Lanczos, then with models."""
    names = ["lanczos", "live-x2", "other"]
    curves = [curve("native", 1, None, NATIVE, vmaf=vmaf)]
    curves += [
        curve(f"half + {name}", 2, name, pairs, psnr, vmaf=vmaf) for name, pairs in zip(names, small, strict=False)
    ]
    video = Clip(path, "0", *size, 48, 2.0, size)
    return BandwidthResult(
        video, StudyEncoder(codec, CODECS[codec].default_preset), "as measured", tuple(curves), compare(curves)
    )


WORSE = [(150, 40), (300, 55), (600, 65), (1200, 70)]
BETTER_BELOW = [(100, 62), (200, 70), (400, 78), (800, 83.5), (1600, 86)]
BETTER_STILL = [(100, 64), (200, 72), (400, 80), (800, 84.5), (1600, 87)]
BETTER_ALWAYS = [(100, 64), (200, 73), (400, 82), (800, 88), (1600, 91)]


def test_a_video_that_loses_at_lower_resolutions_is_encoded_at_full_size():
    found = result(WORSE, WORSE)
    assert winner(found) is None
    assert verdict(found) == (
        "Encode it at full size: at no bit rate measured (200 to 3200 kbit/s) is VMAF-NEG higher at a lower resolution."
    )
    assert "scale" not in sender(found)
    assert receiver(found) is None


def test_curves_without_a_rate_in_common_are_not_called_worse():
    found = result([(10, 20), (20, 30), (40, 40), (80, 50)])
    assert winner(found) is None
    assert verdict(found).startswith(
        "Encode it at full size: no lower resolution was measured at the bit rates of full"
    )
    some = verdict(result([(10, 20), (20, 30), (40, 40), (80, 50)], WORSE))
    assert some.startswith("Encode it at full size: at no bit rate measured")


@pytest.mark.parametrize("vmaf", [True, False])
def test_full_size_is_chosen_if_small_wins_only_at_an_unacceptable_quality(monkeypatch, vmaf):
    monkeypatch.setattr(f"{__name__}.NATIVE", [(kbit, neg - 30) for kbit, neg in NATIVE])
    found = result([(kbit, neg - 30) for kbit, neg in BETTER_STILL], vmaf=vmaf)
    assert found.comparison("half + lanczos", found.metrics[-1]).crossover.kind == "below"
    assert winner(found) is None and receiver(found) is None
    said = (
        "VMAF-NEG is higher only up to 1176 kbit/s, where it is 55.9." if vmaf else "PSNR-Y is higher only up to 1176"
    )
    assert verdict(found).startswith(f"Encode it at full size: at a lower resolution {said}")
    assert "scale" not in sender(found)


def test_below_the_crossover_the_verdict_is_half_size():
    said = verdict(result(BETTER_BELOW, BETTER_STILL))
    assert said.startswith("Below 1")
    assert "kbit/s encode it at half size and upscale it with live-x2" in said
    assert "encode it at full size" in said
    assert "averaged over the quality that both reach. Compared with upscaling by Lanczos it needs" in said


def test_a_range_with_two_ends_is_reported_with_both():
    found = result([(200, 50), (400, 75), (800, 84), (1600, 86)])
    crossing = found.comparison("half + lanczos", "vmaf_neg").crossover
    assert (round(crossing.since), round(crossing.kbit)) == (341, 1056)
    assert verdict(found).startswith("From 341 to 1056 kbit/s encode it at half size")
    assert "341 to 1056" in [row[4] for row in comparisons_table(found)[1]]


def test_if_small_always_wins_the_highest_quality_is_reported():
    said = verdict(result(BETTER_BELOW, BETTER_ALWAYS))
    assert said.startswith("Encode it at half size and upscale it with live-x2: at every bit rate measured for both")
    assert "(200 to 1600 kbit/s)" in said
    assert "Above VMAF-NEG 91.0, which half size did not reach, encode it at full size." in said


def test_no_model_is_recommended_if_lanczos_does_as_well():
    found = result(BETTER_STILL, BETTER_BELOW)
    assert "upscale it with lanczos" in verdict(found)
    assert "No model measured needs fewer." in verdict(found)
    assert receiver(found).endswith("--model lanczos --scale 2")


def test_of_several_sizes_the_one_that_wins_to_the_highest_rate_is_chosen():
    half = result(BETTER_BELOW, BETTER_STILL)
    quarter = curve("quarter + tiny", 4, "tiny", [(100, 66), (200, 74), (300, 77), (400, 79)])
    curves = (*half.curves, quarter)
    found = replace(half, curves=curves, comparisons=compare(curves))
    saves = {one.curve: one.against_native for one in found.comparisons if one.metric == "vmaf_neg"}
    assert saves["quarter + tiny"] < saves["half + live-x2"]  # but of a range that ends where half size goes on
    assert verdict(found).startswith(verdict(half))
    assert verdict(found).endswith(" Up to 322 kbit/s quarter size and tiny are better still.")
    assert sender(found) == sender(half)


def test_a_model_that_needs_fewer_bits_is_not_denied():
    found = result([(100, 55), (200, 63), (400, 74), (800, 84), (1600, 88.9)], BETTER_STILL)
    assert winner(found).curve == "half + lanczos"  # wins up to a higher rate
    assert "No model measured needs fewer." not in verdict(found)


def test_what_psnr_says_is_reported():
    assert "By PSNR-Y full size wins at every bit rate" in verdict(result(BETTER_STILL, psnr=-20))
    assert "By PSNR-Y it wins at every bit rate too" in verdict(result(BETTER_STILL, psnr=20))
    said = verdict(result(BETTER_STILL))
    assert "By PSNR-Y it wins below 1" in said and said.endswith("% fewer bits.")
    assert verdict(result(BETTER_STILL, psnr=-3.5)).endswith("% more bits.")


def test_without_vmaf_psnr_decides_alone():
    said = verdict(result(BETTER_BELOW, BETTER_STILL, vmaf=False))
    assert "PSNR-Y is higher than at full size" in said and "VMAF" not in said


def test_a_missing_bd_rate_is_reported():
    short = [(100, 75), (200, 80), (400, 84)]
    said = verdict(result(short))
    assert "The average saving cannot be computed: fewer than four points." in said


def test_the_commands_aim_at_a_quality_at_which_half_size_wins():
    found = result(BETTER_BELOW, BETTER_STILL)
    small = found.curve("half + live-x2")
    assert target_point(found, small).vmaf_neg == 84.5
    assert "-crf 24" in sender(found)
    assert target_point(found, found.curve("native")).vmaf_neg == 82


def test_names_are_quoted_for_the_shell():
    found = result(BETTER_STILL, path=Path("my video's.mp4"))
    assert shlex.split(sender(found))[2] == "my video's.mp4"
    assert shlex.split(receiver(found))[2] == "my video's-half.mkv"


@pytest.mark.parametrize("name", ["-video.mp4", "take:2.mp4"])
def test_names_are_not_taken_for_options_or_protocols(name):
    found = result(BETTER_STILL, path=Path(name))
    line = shlex.split(sender(found))
    assert line[2] == f"./{name}" and line[-1] == f"./{Path(name).stem}-half.mkv"
    assert [word[:2] for word in shlex.split(receiver(found))[2:4]] == ["./", "./"]


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg command here")
@pytest.mark.parametrize("codec", CODECS)
def test_the_senders_command_runs(codec, tmp_path):
    encoders = subprocess.run(["ffmpeg", "-hide_banner", "-encoders"], capture_output=True, text=True).stdout
    if codec not in encoders:
        pytest.skip(f"this ffmpeg has no {codec}")
    video = make_video(tmp_path / "my video.mp4", size=(258, 146), pts=range(4), sound="aac")
    found = result(BETTER_STILL, path=video, size=(256, 144), codec=codec)
    found = replace(found, video=replace(found.video, whole=(258, 146)))
    small = found.curve("half + lanczos")
    done = subprocess.run(command(found, small, 40), shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert size_of(tmp_path / "my video-half.mkv") == (128, 72)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg command here")
def test_the_senders_command_keeps_the_shape_of_a_rotated_video(tmp_path):
    video = make_video(
        tmp_path / "upright.mp4", size=(258, 146), pts=range(4),
        decorate=lambda _, stream: stream.set_display_rotation(90),
    )  # fmt: skip
    found = replace(result(BETTER_STILL), video=probe_clip(video, 4, step=4))
    small = found.curve("half + lanczos")
    done = subprocess.run(command(found, small, 40), shell=True, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert size_of(tmp_path / "upright-half.mkv") == (72, 128)
