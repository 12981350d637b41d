"""`vidsr export`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from vidsr.cli.console import Bars, Verbose, say
from vidsr.cli.params import size_of
from vidsr.errors import ExtraMissing

TENSORRT = "TensorRT"  # panel of --help
USUAL_SIZE = "1920x1080"


def export(
    source: Annotated[
        Path,
        typer.Argument(help="A run's folder or a .safetensors file; for --trt and --int8 also a model's name or path."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The file to write.", show_default="export/NAME.onnx, or the engine cache for --trt"
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name on the card.", show_default="the recipe's")] = None,
    images: Annotated[
        list[Path] | None, typer.Option(help="Images to measure quality on, for the card; may be repeated.")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the training data, for the card.")] = None,
    fidelity: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Mix a GAN with its first stage: 1 is the first stage, 0 the GAN."),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="Quantise a model's inner layers to int8.")] = False,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(metavar="CLIP", help="Video or image like its input, for --int8; may be repeated."),
    ] = None,
    trt: Annotated[
        bool, typer.Option("--trt", help="Build a TensorRT engine for this GPU.", rich_help_panel=TENSORRT)
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Size of its input.", show_default=USUAL_SIZE, rich_help_panel=TENSORRT),
    ] = None,
    dynamic: Annotated[
        tuple[str, str, str] | None,
        typer.Option(metavar="MIN OPT MAX", help="Any size from MIN to MAX; slower.", rich_help_panel=TENSORRT),
    ] = None,
    precision: Annotated[
        Literal["f16", "f32"], typer.Option(help="Precision of the network.", rich_help_panel=TENSORRT)
    ] = "f16",
    bits: Annotated[
        int, typer.Option(min=8, max=10, help="Bit depth of frames: 8 or 10.", rich_help_panel=TENSORRT)
    ] = 8,
    color: Annotated[
        str, typer.Option(help="Colour format, such as bt601-full-444.", show_default="bt709", rich_help_panel=TENSORRT)
    ] = "",
    surface: Annotated[
        bool, typer.Option("--surface", help="Frames are NV12 or P010, as GPUs decode.", rich_help_panel=TENSORRT)
    ] = False,
    device: Annotated[
        str, typer.Option(help="cuda or cuda:N.", show_default="the first GPU", rich_help_panel=TENSORRT)
    ] = "auto",
    verbose: Verbose = False,
) -> None:
    """Export a trained network as a plain ONNX file with its card, or a model as a TensorRT engine."""
    model, trained = str(source), source.is_dir() or source.suffix == ".safetensors"
    if int8 != bool(calibrate) or (int8 and (trt or trained or licence or fidelity is not None)):
        raise typer.BadParameter("--int8 needs a model and --calibrate CLIP, and takes no option of a run or of --trt")
    if not trt and (size or dynamic or color or surface or bits != 8 or precision != "f16" or device != "auto"):
        raise typer.BadParameter("the options of TensorRT need --trt")
    if trt and not trained and (name or images or licence or fidelity is not None):
        raise typer.BadParameter("--trt of a model takes no option of a run")
    if bits == 9:
        raise typer.BadParameter("expected 8 or 10", param_hint="--bits")
    if int8:
        model = str(_write_onnx(source, output, images, name=name, clips=calibrate))
    elif not trt or trained:
        target = None if trt else output
        model = str(_write_onnx(source, target, images, name=name, licence=licence, fidelity=fidelity))
    if trt:
        options: dict[str, Any] = {"bits": bits, "surface": surface, "precision": precision, "device": device}
        model = str(_build_engine(model, output, size=size, dynamic=dynamic, color=color, **options))
    print(model)


def _write_onnx(source: Path, target: Path | None, images: list[Path] | None, **options: Any) -> Path:
    try:
        write: Any
        if "clips" in options:
            from vidsr.export.to_int8 import export_int8 as write
        else:
            from vidsr.export.to_onnx import export as write
    except ImportError as exc:
        raise ExtraMissing(f"exporting needs {exc.name}; 'pip install vidsr[train]' installs it") from exc

    path: Path = write(source, target=target, **options)
    if images:
        from vidsr.evaluate.quality.reports import write_card_metrics

        write_card_metrics(path, images)
    return path


def _build_engine(
    model: str,
    target: Path | None,
    *,
    size: str | None,
    dynamic: tuple[str, str, str] | None,
    color: str,
    bits: int,
    surface: bool,
    precision: Literal["f16", "f32"],
    device: str,
) -> Path:
    from vidsr.export.to_tensorrt import Sizes, export_engine
    from vidsr.upscaling.graph.frame_format import DEFAULT, FrameFormat, color_of

    if size and dynamic:
        raise typer.BadParameter("give either --size or --dynamic")
    sizes = Sizes(*(size_of(each) for each in dynamic or 3 * (size or USUAL_SIZE,)))
    spec, gray = color_of(color) if color else (DEFAULT, False)
    pixels = FrameFormat(*sizes.best, bits=bits, color=spec, gray=gray, surface=surface)
    with Bars() as bars:
        return export_engine(
            model, target, sizes=sizes, pixels=pixels, precision=precision, device=device, progress=bars.show, warn=say
        )
