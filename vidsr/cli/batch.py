"""Several inputs, or a folder: pair each with its output, and run them one after the other."""

from collections.abc import Callable
from pathlib import Path

import typer

from vidsr.cli.console import complain, say
from vidsr.errors import InputError, OutputError, VidsrError

_ANIMATED = ("gif", "apng")  # images that become videos where a container is asked for
READ_ONLY = {".m2v", ".mpeg", ".mpg", ".ogv", ".vob", ".wmv"}  # videos that are not written in the same format


def jobs(inputs: list[str], output: str, container: str | None, *, one: bool = False) -> list[tuple[str, str]]:
    """Pair every input with its output.

    `output` is a file for one input, or for a folder of images that is read as one video (`one`, or a numbered output).
    Otherwise it is a folder, created if it is missing: an output is named as its input; a
    video ends in `container`, or as its input if that can be written, or in .mkv.
    Raises OutputError if two inputs would share an output, and InputError for a folder without videos or images.
    """
    if "" in inputs:
        raise InputError("the name of the input is empty; give a path, or - for stdin")
    if len(inputs) == 1 and (one or not _is_folder(inputs[0]) or _is_numbered(output)):
        return [(inputs[0], output)]
    if one:
        raise typer.BadParameter(
            "it needs one input, and there are several inputs; name one video, a folder, or images as %05d.png",
            param_hint="--fps",
        )
    if _is_video(output):
        raise typer.BadParameter(
            f"{output} is one video, and there are several inputs; name a folder, or give --fps to join images"
        )
    if "-" in inputs or output == "-":
        raise typer.BadParameter("- stands for one stream; several inputs need files and an output folder")
    folder = Path(output)
    sources = [file for name in inputs for file in _files(Path(name))]
    targets = [folder / (source.stem + _suffix(source, container)) for source in sources]
    for index, target in enumerate(targets):
        if target in targets[:index]:
            first = sources[targets.index(target)]
            raise OutputError(
                f"{first} and {sources[index]} would both become {target}; give them different output folders"
            )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as exc:
        raise OutputError(f"{folder} cannot be a folder for {len(sources)} outputs: {exc.strerror}") from exc
    return [(str(source), str(target)) for source, target in zip(sources, targets, strict=True)]


def not_yet_done(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out the jobs whose output exists, and print which."""
    done = [target for _, target in pairs if Path(target).exists()]
    for target in done:
        say(f"{target} exists already, and is left as it is")
    return [pair for pair in pairs if pair[1] not in done]


def run_each(pairs: list[tuple[str, str]], run: Callable[[str, str], None]) -> None:
    """Run every job; if one of several fails, print why and continue with the others."""
    failures: list[VidsrError] = []
    for source, target in pairs:
        try:
            run(source, target)
        except VidsrError as exc:
            if len(pairs) == 1:
                raise
            complain(exc)
            failures.append(exc)
    if failures:
        say(f"{len(failures)} of {len(pairs)} inputs failed")
        raise typer.Exit(failures[0].exit_code)


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except OSError:  # as of a name that no file can have
        return False


def _is_numbered(output: str) -> bool:
    from vidsr.video.sequence import pattern_of

    return pattern_of(output) is not None


def _is_video(output: str) -> bool:
    from vidsr.video.write.copy.containers import MUXERS

    return not Path(output).is_dir() and Path(output).suffix.lower().removeprefix(".") in MUXERS


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    from vidsr.video.sequence import IMAGE_EXTENSIONS
    from vidsr.video.write.copy.containers import IMAGES, MUXERS

    readable = READ_ONLY.union(IMAGE_EXTENSIONS, (f".{extension}" for extension in (*IMAGES, *MUXERS)))
    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    found = [file for file in files if file.suffix.lower() in readable]
    if not found:
        raise InputError(f"{path} has no videos or images in it; give a folder that has, or name the files")
    if others := [file.name for file in files if file not in found]:
        say(f"{path}: left out, as they are not named as videos or images: {', '.join(others)}")
    return found


def _suffix(source: Path, container: str | None) -> str:
    from vidsr.video.sequence import IMAGE_EXTENSIONS
    from vidsr.video.write.copy.containers import IMAGES, MUXERS

    own = source.suffix.lower().removeprefix(".")
    if container and (own not in IMAGES or own in _ANIMATED):
        return "." + next((extension for extension, name in MUXERS.items() if name == container), container)
    if own in (*IMAGES, *MUXERS):
        return source.suffix
    return ".png" if f".{own}" in IMAGE_EXTENSIONS else ".mkv"
