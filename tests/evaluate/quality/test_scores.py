import pytest

from vidsr.evaluate.quality.scores import Condition, make_rows

NAN = float("nan")


class Meter:
    """Returns what it was made with."""

    def __init__(self, values):
        self.values = values

    def add(self, truth, answers):
        raise AssertionError("not called")

    def result(self):
        return self.values


def rows(values, wanted, **more):
    warnings = []
    meters = [Meter({name: its}) for name, its in values.items()]
    condition = Condition("clip", 2, "libx264", 23.0)
    return make_rows(condition, meters, wanted, "plain", warn=warnings.append, **more), warnings


def test_a_row_is_the_mean_of_its_frames_and_gains_are_over_the_baseline():
    found, warnings = rows({"psnr": {"plain": [30, 32], "net": [33, 32]}}, ["psnr"], kbit=100.0)
    assert [(row.method, row.psnr, row.gain, row.pictures) for row in found] == [
        ("plain", 31, 0, 2),
        ("net", 32.5, 1.5, 2),
    ]
    assert {(row.material, row.scale, row.codec, row.crf, row.kbit) for row in found} == {
        ("clip", 2, "libx264", 23, 100)
    }
    assert warnings == []


def test_metrics_that_were_not_wanted_are_left_out():
    values = {"psnr": {"plain": [30]}, "vmaf": {"plain": [80]}, "vmaf_neg": {"plain": [79]}}
    found, _ = rows(values, ["psnr", "vmaf_neg"])
    assert found[0].figures == {"psnr": 30, "vmaf_neg": 79}


def test_missing_values_do_not_count_and_are_warned_about():
    values = {"psnr": {"plain": [30, 32]}, "ms_ssim": {"plain": [0.9, NAN]}, "flicker": {"plain": [NAN]}}
    found, warnings = rows(values, ["psnr", "ms_ssim", "flicker"])
    assert found[0].figures == {"psnr": 31, "ms_ssim": pytest.approx(0.9)}
    assert warnings == [
        "MS-SSIM of clip is the mean of 1 of 2 values: it needs at least 176 pixels a side",
        "flicker of clip is left out: less than a hundredth of it is static",
    ]
