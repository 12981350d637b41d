"""What a model reaches, written on its own card."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vidsr.card import BESIDE, read_card, with_card
from vidsr.errors import CardMismatch
from vidsr.evaluate.quality.images import evaluate_images
from vidsr.evaluate.quality.methods import BICUBIC, LANCZOS
from vidsr.io.atomic import write_atomically


def measure_card(path: Path, folders: Sequence[Path]) -> None:
    """Measure an ONNX model on clean sets of pictures; PSNR-Y and SSIM-Y of each, and bicubic's, replace its metrics.

    Raises DataError where a folder holds no pictures, CardMismatch where the model carries no card, DiskFull.
    """
    card = read_card(path)
    if card is None:
        raise CardMismatch(f"{path} carries no card to write figures on; 'vidsr export' writes files that do")
    metrics = {}
    for row in evaluate_images([path], folders, metrics=("psnr", "ssim")):
        if row.method != LANCZOS:
            of = BESIDE if row.method == BICUBIC else ""
            metrics[f"{of}psnr_{row.material}"] = round(row.psnr, 3)
            metrics[f"{of}ssim_{row.material}"] = round(row.figures["ssim"], 4)
    write_atomically(path, with_card(path, replace(card, metrics=metrics)))
