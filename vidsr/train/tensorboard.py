"""Curves and sample grids for TensorBoard, in addition to a run's own log."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from vidsr.card import BICUBIC_PREFIX
from vidsr.errors import DiskFull, ExtraMissing
from vidsr.runs import is_validation

FLUSH_S = 30


class TensorBoard:
    """Writer of a run's event files; a context manager.

    Losses and learning rates are tagged by stage, as `pixel/loss`, validations as `validation/psnr_clean`. Figures of
    bicubic interpolation have the same tags in the subfolder `bicubic`, so that TensorBoard draws both into one chart.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        """Create or append to the event files in `folder`; TensorBoard hides what was written after `step`.

        Raises ExtraMissing if tensorboard is not installed, DiskFull if the folder cannot be written.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as exc:
            raise ExtraMissing("curves need tensorboard; pip install 'vidsr[train]' installs it") from exc

        self._folder = folder
        with self._catch_disk_full():
            self._network, self._bicubic = (
                SummaryWriter(str(place), purge_step=step + 1, flush_secs=FLUSH_S)
                for place in (folder, folder / "bicubic")
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._catch_disk_full(), closing(self._bicubic), closing(self._network):
            pass

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line of the run's log. Raises DiskFull, possibly for an earlier line."""
        figures = {name: value for name, value in line.items() if name not in ("step", "stage")}
        group = "validation" if is_validation(line) else line["stage"]
        with self._catch_disk_full():
            for name, value in figures.items():
                writer = self._bicubic if name.startswith(BICUBIC_PREFIX) else self._network
                writer.add_scalar(f"{group}/{name.removeprefix(BICUBIC_PREFIX)}", value, line["step"])

    def show(self, step: int, grid: Path) -> None:
        """Add the sample grid of the validation at `step`, a PNG. Raises DiskFull, possibly for an earlier line."""
        from PIL import Image

        with Image.open(grid) as image:
            pixels = np.asarray(image.convert("RGB"))
        with self._catch_disk_full():
            self._network.add_image("samples", pixels, step, dataformats="HWC")

    @contextmanager
    def _catch_disk_full(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise DiskFull(f"{self._folder} could not be written ({exc.strerror})") from exc
