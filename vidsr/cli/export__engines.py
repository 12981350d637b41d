"""`vidsr export --trt`: what the command line says of an engine, and the bars while it is built."""

from pathlib import Path

import typer

from vidsr.cli.console import Bars, say
from vidsr.cli.params import size_of

USUAL_SIZE = "1920x1080"


def build_engine(
    model: str,
    to: Path | None,
    *,
    size: str | None,
    dynamic: tuple[str, str, str] | None,
    fp16: bool,
    bits: int,
    color: str,
    surface: bool,
    device: str,
) -> Path:
    """Build a TensorRT engine of a model as the options say; see `export_engine`."""
    from vidsr.export.to_tensorrt import Sizes, export_engine
    from vidsr.upscaling.graph.picture_format import USUAL, Pixels, color_of

    if size and dynamic:
        raise typer.BadParameter("give --size, or --dynamic with three sizes")
    sizes = Sizes(*(size_of(each) for each in dynamic or 3 * (size or USUAL_SIZE,)))
    spec, gray = color_of(color) if color else (USUAL, False)
    pixels = Pixels(*sizes.best, bits=bits, color=spec, gray=gray, surface=surface)
    with Bars() as bars:
        return export_engine(
            model, to, sizes=sizes, pixels=pixels, f16=fp16, device=device, progress=bars.show, notice=say
        )  # fmt: skip
