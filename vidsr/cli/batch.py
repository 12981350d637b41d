"""Which output belongs to which input, where several inputs or a folder are given."""

from pathlib import Path

import typer

from vidsr.errors import InputError, OutputError

READ_ONLY = {".gif", ".m2v", ".mpeg", ".mpg", ".ogv", ".vob", ".wmv"}  # films that are not written in the same format


def jobs(inputs: list[str], output: str, container: str | None) -> list[tuple[str, str]]:
    """Pair every input with its output.

    One input that is no folder goes to `output` itself. Otherwise `output` is a folder, made where it is missing:
    an output is named as its input; a film ends in `container`, or as its input where that can be written, or in .mkv.
    Raises OutputError where two inputs would share an output, and InputError for a folder without films or pictures.
    """
    if "" in inputs:
        raise InputError("the name of the input is empty; give a path, or - for stdin")
    if len(inputs) == 1 and not Path(inputs[0]).is_dir():
        return [(inputs[0], output)]
    if "-" in inputs or output == "-":
        raise typer.BadParameter("- stands for one stream; several inputs need files and an output folder")
    folder = Path(output)
    sources = [file for name in inputs for file in _files(Path(name))]
    targets = [folder / (source.stem + _suffix(source, container)) for source in sources]
    for index, target in enumerate(targets):
        if target in targets[:index]:
            first = sources[targets.index(target)]
            raise OutputError(
                f"{first} and {sources[index]} would both become {target}; give them folders of their own"
            )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{folder} cannot be a folder for {len(sources)} outputs: {exc.strerror}") from exc
    return [(str(source), str(target)) for source, target in zip(sources, targets, strict=True)]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    from vidsr.video.muxers import IMAGES, MUXERS

    readable = READ_ONLY.union(f".{extension}" for extension in (*IMAGES, *MUXERS))
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in readable and file.is_file())
    if not found:
        raise InputError(f"{path} holds no films or pictures; give a folder that does, or name the files")
    return found


def _suffix(source: Path, container: str | None) -> str:
    from vidsr.video.muxers import IMAGES, MUXERS

    own = source.suffix.lower().removeprefix(".")
    if container and own not in IMAGES:
        return "." + next((extension for extension, name in MUXERS.items() if name == container), container)
    return source.suffix if own in (*IMAGES, *MUXERS) else ".mkv"
