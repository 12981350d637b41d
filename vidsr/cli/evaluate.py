"""`vidsr evaluate`: how good models are, in figures that can be held against the literature."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vidsr.evaluate.entrants import Row


def evaluate(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL...", help="Names, paths, bicubic, lanczos or nearest.")
    ] = None,
    images: Annotated[
        list[Path] | None, typer.Option(metavar="DIR...", help="Sets of pictures: folders, or a folder of such.")
    ] = None,
    videos: Annotated[
        list[Path] | None, typer.Option(metavar="CLIP...", help="Clips to shrink, compress and regain.")
    ] = None,
    compress: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CRF...",
            help="Send what is small through x264 first.",
            show_default="none for pictures; 18 23 28 33 for clips",
        ),
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Taken of each clip.")] = 24,
    scale: Annotated[
        int | None, typer.Option(min=2, max=8, help="For models without one of their own.", show_default="the model's")
    ] = None,
    engine: Annotated[str, typer.Option(help="Runtime.")] = "auto",
    precision: Annotated[str, typer.Option(help="f32, bf16 or auto.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The figures as JSON.")] = False,
) -> None:
    """Measure how well models regain pictures and clips that were made small."""
    words, images, videos, compress = models or [], images or [], videos or [], compress or []
    names = [word for word in words if not _belongs(word, images, videos, compress)]
    if not images and not videos:
        raise typer.BadParameter("give --images DIR, --videos CLIP or both")
    crfs = _numbers(compress)
    options: dict[str, Any] = {"scale": scale, "engine": engine, "precision": precision}
    results: dict[str, Any] = {}
    if images:
        results["images"] = _images(names, images, crfs, options)
    if videos:
        results["videos"] = _videos(names, videos, crfs, frames, options)
    if as_json:
        print(json.dumps(results, indent=2, default=asdict))
        return
    for result in results.values():
        print(result["protocol"] + ".")
        _print_rows(result["rows"])
        for one in result.get("summaries", ()):
            print(
                f"{one.method} x{one.scale}: mean {one.mean:+.2f} dB over Lanczos, least {one.least:+.2f} {one.where}"
            )


def _images(names: list[str], folders: list[Path], crfs: list[float], options: dict[str, Any]) -> dict[str, Any]:
    from vidsr.evaluate.images import COMPRESSED, PROTOCOL, evaluate_images

    with _progress("pictures") as progress:
        rows = evaluate_images(names, folders, compress=crfs, progress=progress, **options)
    return {"protocol": PROTOCOL + (COMPRESSED if crfs else ""), "rows": rows}


def _videos(
    names: list[str], clips: list[Path], crfs: list[float], frames: int, options: dict[str, Any]
) -> dict[str, Any]:
    from vidsr.evaluate.videos import CRFS, PROTOCOL, evaluate_videos, summaries

    with _progress("clips") as progress:
        rows = evaluate_videos(names, clips, frames=frames, compress=crfs or CRFS, progress=progress, **options)
    return {"protocol": PROTOCOL, "rows": rows, "summaries": summaries(rows)}


def _belongs(word: str, images: list[Path], videos: list[Path], compress: list[str]) -> bool:
    """Put a word among the values of the list option it fits: a shell's `--videos *.mp4` gives several."""
    if compress and word.replace(".", "", 1).isdigit():
        compress.append(word)
    elif images and Path(word).is_dir():
        images.append(Path(word))
    elif videos and Path(word).is_file() and not word.endswith(".onnx"):
        videos.append(Path(word))
    else:
        return False
    return True


def _numbers(words: list[str]) -> list[float]:
    try:
        crfs = [float(part) for word in words for part in word.split(",")]
    except ValueError as exc:
        raise typer.BadParameter("--compress takes CRFs, such as 23 or 18,23,28,33") from exc
    if any(not 0 <= crf <= 51 for crf in crfs):
        raise typer.BadParameter("--compress takes CRFs from 0 to 51")
    return crfs


def _print_rows(rows: "Sequence[Row]") -> None:
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    compressed, stills = rows[0].crf is not None, rows[0].ssim is not None
    table = Table("material", "scale", "method", box=MARKDOWN)
    gain = "over bicubic" if stills else "over Lanczos"
    for title in [*(["CRF"] if compressed else []), "PSNR-Y", *(["SSIM-Y"] if stills else ["kbit/s"]), gain]:
        table.add_column(title, justify="right")
    for row in rows:
        crf = [f"{row.crf:g}"] if row.crf is not None else []
        other = f"{row.ssim:.4f}" if row.ssim is not None else f"{row.kbit:.0f}"
        table.add_row(row.material, f"x{row.scale}", row.method, *crf, f"{row.psnr:.2f}", other, f"{row.gain:+.2f}")
    Console(width=max(Console().width, 120)).print(table)  # wide enough that no figure is cut where it is piped


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
