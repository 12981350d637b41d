"""Which jobs can resume, and what must be the same for one that was begun to be gone on with."""

from importlib.metadata import version
from pathlib import Path

from vidsr.engines import ENGINES, runtime_version, settle
from vidsr.errors import InputError, NotPipeable, OutputError
from vidsr.io.pipes import is_fifo
from vidsr.pipeline.resume.identity import Plan, as_text, identity_of
from vidsr.pipeline.stages__flow import Settings
from vidsr.upscaling.swscale_upscaler import ResizingUpscaler
from vidsr.upscaling.upscaler import Upscaler
from vidsr.video.read.open_input import is_address, title_of
from vidsr.video.read.source import Source
from vidsr.video.sequence import pattern_of
from vidsr.video.write.containers import Muxer, muxer_of
from vidsr.video.write.segment_file import codec_versions, digest_of

_PLAYLISTS = ("hls", "concat")


def check_resumable(source: object, target: object, format: str | None) -> Muxer:
    """Give the container of the target.

    Raises InputError, NotPipeable or OutputError where a film cannot be read twice, or not be written from segments.
    """
    piped = not isinstance(source, str | Path) or source == "-" or is_address(source)
    path = Path(str(source))
    if piped or pattern_of(path) is not None or (path.exists() and not path.is_file()):
        raise InputError(
            f"{title_of(source)} is no file, and only a file can be read again; save it first, or leave --resume out"
        )
    if not isinstance(target, str | Path) or target == "-" or is_address(target) or is_fifo(Path(target)):
        raise NotPipeable(
            f"{title_of(target, pipe='stdout')} is no file, and a job that resumes ends in one; name a file, or leave "
            "--resume out"
        )
    muxer = muxer_of(target, format)
    if muxer.image or muxer.name == "yuv4mpegpipe":
        what = "holds pictures, which stay once they are made" if muxer.image else "holds raw pictures, not packets"
        raise OutputError(f"{title_of(target)} {what}; leave --resume out")
    return muxer


def check_film(film: Source) -> None:
    """Raise InputError where what is read is more than one file."""
    if film.container.format.name in _PLAYLISTS:
        raise InputError(f"{film.title} is a list of other files, which may change; leave --resume out")


def plan_of(source: Path, upscaler: Upscaler | ResizingUpscaler, settings: Settings) -> Plan:
    """All that the bytes of the result depend on."""
    model = settings.enlarging["model"]
    given = {**settings.enlarging, **settings.reading, **settings.writing, "segment_frames": settings.segment_frames}
    del given["model"]  # the same file may be named in many ways
    versions = {"vidsr": version("vidsr"), **codec_versions()}
    if upscaler.files:
        asked = {name: settings.enlarging[name] for name in ("engine", "device", "precision")}
        engine = settle(**asked).engine
        versions[ENGINES[engine][1]] = runtime_version(engine)
    return {
        "input": identity_of(source),
        "model": {"content": ", ".join(map(digest_of, upscaler.files))} if upscaler.files else {"model": str(model)},
        "settings": as_text(given),
        "versions": versions,
    }
