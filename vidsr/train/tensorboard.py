"""Curves and sample grids for TensorBoard, beside a run's own log."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np

from vidsr.card import BICUBIC_PREFIX
from vidsr.errors import DiskFull, ExtraMissing
from vidsr.runs import is_validation

FLUSH_S = 30  # curves are to be watched


class Board:
    """What TensorBoard shows of one run; a context manager, which closes it.

    Losses and learning rates stand under their stage, as `pixel/loss`; validations as `validation/psnr_clean`. The
    figures of bicubic are a run of their own, in the folder `bicubic`, by the same names, so that TensorBoard draws
    both into one chart. Nothing leaves the machine.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        """Go on in `folder`, which is made if need be; what an interrupted run wrote after `step` is shown no more.

        TensorBoard's fast loader drops it figure by figure, as soon as each is written again.
        Raises ExtraMissing without tensorboard, DiskFull where the folder cannot be written.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as exc:
            raise ExtraMissing("curves need tensorboard; pip install 'vidsr[train]' installs it") from exc

        self._folder = folder
        with self._disk():
            self._ours, self._bicubic = (
                SummaryWriter(str(place), purge_step=step + 1, flush_secs=FLUSH_S)
                for place in (folder, folder / "bicubic")
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._disk(), closing(self._bicubic), closing(self._ours):
            pass

    def write(self, line: Mapping[str, Any]) -> None:
        """Add a line of the run's log: losses and rate, or a validation. Raises DiskFull, maybe for an earlier line."""
        figures = {name: value for name, value in line.items() if name not in ("step", "stage")}
        group = "validation" if is_validation(line) else line["stage"]
        with self._disk():
            for name, value in figures.items():
                writer = self._bicubic if name.startswith(BICUBIC_PREFIX) else self._ours
                writer.add_scalar(f"{group}/{name.removeprefix(BICUBIC_PREFIX)}", value, line["step"])

    def show(self, step: int, picture: Path) -> None:
        """Add the sample grid of the validation at `step`, a PNG. Raises DiskFull, maybe for an earlier line."""
        from PIL import Image

        with Image.open(picture) as grid:
            pixels = np.asarray(grid.convert("RGB"))
        with self._disk():
            self._ours.add_image("samples", pixels, step, dataformats="HWC")

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise DiskFull(f"{self._folder} could not be written ({exc.strerror})") from exc
