import pytest

from vidsr.evaluate.quality.scores import Trial, rows_of

NAN = float("nan")


class Meter:
    """Says what it was made with."""

    def __init__(self, values):
        self.values = values

    def add(self, truth, answers):
        raise AssertionError("nothing is shown here")

    def result(self):
        return self.values


def rows(values, wanted, **more):
    said = []
    meters = [Meter({name: its}) for name, its in values.items()]
    trial = Trial("film", 2, "libx264", 23.0)
    return rows_of(trial, meters, wanted=wanted, baseline="plain", notice=said.append, **more), said


def test_a_row_is_the_mean_of_its_pictures_and_gains_are_over_the_baseline():
    found, said = rows({"psnr": {"plain": [30, 32], "net": [33, 32]}}, ["psnr"], kbit=100.0)
    assert [(row.method, row.psnr, row.gain, row.pictures) for row in found] == [
        ("plain", 31, 0, 2),
        ("net", 32.5, 1.5, 2),
    ]
    assert {(row.material, row.scale, row.codec, row.crf, row.kbit) for row in found} == {
        ("film", 2, "libx264", 23, 100)
    }
    assert said == []


def test_figures_that_were_not_wanted_are_left_out():
    values = {"psnr": {"plain": [30]}, "vmaf": {"plain": [80]}, "vmaf_neg": {"plain": [79]}}
    found, _ = rows(values, ["psnr", "vmaf_neg"])
    assert found[0].figures == {"psnr": 30, "vmaf_neg": 79}


def test_pictures_without_a_figure_are_named_and_do_not_count():
    values = {"psnr": {"plain": [30, 32]}, "ms_ssim": {"plain": [0.9, NAN]}, "flicker": {"plain": [NAN]}}
    found, said = rows(values, ["psnr", "ms_ssim", "flicker"])
    assert found[0].figures == {"psnr": 31, "ms_ssim": pytest.approx(0.9)}
    assert said == [
        "MS-SSIM of film is the mean of 1 of 2 pictures: it takes pictures of at least 176 pixels on a side",
        "flicker of film is left out: no hundredth of it stands still",
    ]
