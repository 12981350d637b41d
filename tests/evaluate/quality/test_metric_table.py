import pytest

from vidsr.evaluate.quality.metric_table import FIGURES, OF_CLIPS, OF_PICTURES, chosen, legend


def test_figures_come_in_the_tables_order_with_psnr_first():
    assert chosen(["vmaf-neg", "SSIM"]) == ["psnr", "ssim", "vmaf_neg"]
    assert chosen([]) == ["psnr"]


def test_a_figure_that_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"there is no figure niqe; there are psnr, ssim, ms_ssim, .*dists"):
        chosen(["ssim", "niqe"])


def test_what_is_measured_unasked_is_of_that_kind():
    assert all("pictures" in FIGURES[name].of for name in OF_PICTURES)
    assert all("clips" in FIGURES[name].of for name in OF_CLIPS)
    assert chosen(OF_PICTURES) == list(OF_PICTURES) and chosen(OF_CLIPS) == list(OF_CLIPS)


def test_every_figure_says_what_it_means_under_a_title_of_its_own():
    assert len(legend(list(FIGURES))) == len(FIGURES)
    assert all(legend(list(FIGURES)).values())
