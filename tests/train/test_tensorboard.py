"""What TensorBoard reads of a run, by its own reader."""

import errno
import io
import os
import socket
import sys
import threading

import pytest

pytest.importorskip("torch", reason="training needs vidsr[train]")
pytest.importorskip("tensorboard", reason="curves need vidsr[train]")

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer.record_writer import RecordWriter

from vidsr.errors import DiskFull, ExtraMissing
from vidsr.train.sample_grid import Sample, draw_samples
from vidsr.train.tensorboard import TensorBoard

VALIDATION = {"step": 200, "stage": "pixel", "psnr_clean": 31.02, "bicubic_psnr_clean": 28.43, "ssim_clean": 0.9}


def losses(step: int, loss: float = 0.5) -> dict[str, object]:
    return {"step": step, "stage": "pixel", "loss": loss, "rate": 1e-3}


def read(folder):
    return EventAccumulator(str(folder)).Reload()


def points(folder, tag):
    return [(point.step, pytest.approx(point.value)) for point in read(folder).Scalars(tag)]


def test_losses_and_rates_stand_under_their_stage_at_their_steps(tmp_path):
    with TensorBoard(tmp_path, step=0) as board:
        board.write(losses(100, 0.5))
        board.write(losses(200, 0.25))
        board.write({"step": 300, "stage": "gan", "loss": 2.0, "discriminator": 0.7, "rate": 1e-4})
    assert set(read(tmp_path).Tags()["scalars"]) == {
        "pixel/loss",
        "pixel/rate",
        "gan/loss",
        "gan/discriminator",
        "gan/rate",
    }
    assert points(tmp_path, "pixel/loss") == [(100, 0.5), (200, 0.25)]
    assert points(tmp_path, "pixel/rate") == [(100, 1e-3), (200, 1e-3)]
    assert points(tmp_path, "gan/discriminator") == [(300, 0.7)]


def test_figures_of_bicubic_have_the_same_tags_in_a_subfolder(tmp_path):
    with TensorBoard(tmp_path, step=0) as board:
        board.write(VALIDATION)
    assert points(tmp_path, "validation/psnr_clean") == [(200, 31.02)]
    assert points(tmp_path / "bicubic", "validation/psnr_clean") == [(200, 28.43)]
    assert set(read(tmp_path).Tags()["scalars"]) == {"validation/psnr_clean", "validation/ssim_clean"}


def test_a_sample_grid_is_shown_pixel_by_pixel(tmp_path):
    truth = np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8)
    draw_samples([Sample(truth[::2, ::2], truth, truth[::-1], truth)], tmp_path / "0000200.png")
    drawn = Image.open(tmp_path / "0000200.png")
    with TensorBoard(tmp_path, step=0) as board:
        board.show(200, tmp_path / "0000200.png")
    (image,) = read(tmp_path).Images("samples")
    assert (image.step, image.width, image.height) == (200, *drawn.size)
    assert np.array_equal(Image.open(io.BytesIO(image.encoded_image_string)), drawn)


def test_a_resumed_board_drops_what_was_written_after_its_step(tmp_path):
    picture = tmp_path / "grid.png"
    Image.new("RGB", (8, 8)).save(picture)
    with TensorBoard(tmp_path, step=0) as board:
        for step in (100, 200, 300):
            board.write(losses(step, 0.5))
            board.write(VALIDATION | {"step": step})
            board.show(step, picture)
    with TensorBoard(tmp_path, step=200) as board:
        board.write(losses(250, 0.25))
    assert points(tmp_path, "pixel/loss") == [(100, 0.5), (200, 0.5), (250, 0.25)]
    assert [point.step for point in read(tmp_path).Scalars("validation/psnr_clean")] == [100, 200]
    assert [point.step for point in read(tmp_path / "bicubic").Scalars("validation/psnr_clean")] == [100, 200]
    assert [image.step for image in read(tmp_path).Images("samples")] == [100, 200]


def test_tensorboard_opens_no_connection(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("somebody phoned")

    for call in ("connect", "sendto"):
        monkeypatch.setattr(socket.socket, call, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with TensorBoard(tmp_path, step=0) as board:
        board.write(losses(100))
    assert points(tmp_path, "pixel/loss") == [(100, 0.5)]


def test_without_tensorboard_a_sentence_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ExtraMissing, match=r"need tensorboard; pip install 'vidsr\[train\]'"):
        TensorBoard(tmp_path, step=0)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "board").write_text("in the way")
    with pytest.raises(DiskFull, match="board could not be written"):
        TensorBoard(tmp_path / "board", step=0)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # the writer's thread dies of it
def test_a_full_disk_is_reported_at_the_latest_on_closing(tmp_path, monkeypatch):
    def fill(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = set(threading.enumerate())
    with pytest.raises(DiskFull, match="No space left"), TensorBoard(tmp_path, step=0) as board:
        writers = set(threading.enumerate()) - before
        monkeypatch.setattr(RecordWriter, "write", fill)
        board.write(VALIDATION)  # both writers have something to write
        for thread in writers:
            thread.join(10)
    for thread in writers:  # what they die of must not reach the next test
        thread.join(10)
    assert not any(thread.is_alive() for thread in writers)
