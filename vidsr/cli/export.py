"""`vidsr export`: from a run to a file that runs anywhere."""

from pathlib import Path
from typing import Annotated

import typer

from vidsr.cli.progress import Verbose
from vidsr.errors import ExtraMissing


def export(
    source: Annotated[Path, typer.Argument(help="A run's folder or a .safetensors file of `vidsr train`.")],
    to: Annotated[Path | None, typer.Option(help="The ONNX file to write. [export/NAME.onnx]")] = None,
    name: Annotated[str | None, typer.Option(help="Name on the card. [the recipe's]")] = None,
    images: Annotated[
        list[Path] | None, typer.Option(help="Pictures to measure it on, for the card; may be repeated.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the training data, for the card.")] = None,
    fidelity: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Mix a GAN with the network it grew from: 1 true to the pixels, 0 the GAN."),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Write a trained network as a plain ONNX with its card, after holding it against PyTorch."""
    try:
        from vidsr.export.to_onnx import export as write
    except ImportError as exc:
        raise ExtraMissing(f"exporting needs {exc.name}; 'pip install vidsr[train]' installs it") from exc

    path = write(source, to, name=name, licence=licence, fidelity=fidelity)
    if images:
        from vidsr.evaluate.cards import measure_card

        measure_card(path, images)
    print(path)
