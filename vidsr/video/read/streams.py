"""Which of a file's streams is the film, and how its decoder is set up."""

from collections.abc import Iterator
from typing import Any

from vidsr.errors import InputError, NotAVideo, NoVideoStream
from vidsr.system import fits, megapixels
from vidsr.video.convert.qp import EXPORT
from vidsr.video.metadata import ATTACHED
from vidsr.video.read.hwdecode import second_decoder
from vidsr.video.read.open_input import REWIND, SIZE_LIMIT
from vidsr.video.timing import Clip


def video_stream_of(container: Any, title: str) -> Any:
    """The stream to enlarge: FFmpeg's choice, but never cover art. Raises NoVideoStream or NotAVideo."""
    videos = [s for s in container.streams.video if not s.disposition & ATTACHED]
    if not videos:
        what = "only cover art" if container.streams.video else "no video stream"
        raise NoVideoStream(f"{title} holds {what}; give a file with a film or a picture in it")
    readable = [s for s in videos if s.codec_context is not None]
    if not readable:
        raise NotAVideo(f"{title}: no decoder for its video codec; convert it first, for example with another tool")
    best = container.streams.best("video")
    video = next((s for s in readable if best is not None and s.index == best.index), readable[0])
    width, height = video.codec_context.width, video.codec_context.height
    if not fits(width, height):
        raise InputError(f"{title} claims pictures of {width}x{height}; more than {megapixels()} are not held here")
    return video


def nothing_in(title: str, clip: Clip, *, rewind: bool, sized: bool) -> InputError:
    """Why not one frame came: the piece lies outside, a pipe would have to be rewound, or the film is broken.

    sized: whether the decoder has accepted any size of pictures.
    """
    if rewind:
        return NotAVideo(f"{title}: not one picture of it can be read{REWIND}")
    if clip.whole:
        large = "" if sized else f", or larger than the {megapixels()} that are held here"
        return NotAVideo(f"{title}: not one picture of it can be decoded; the file may be cut off or damaged{large}")
    end = "its end" if clip.length is None else f"{float((clip.start or 0) + clip.length):g} s"
    return InputError(f"{title} has no frame between {float(clip.start or 0):g} s and {end}; choose a piece inside it")


def set_up_decoder(stream: Any) -> None:
    """Choose threads and options before the first packet."""
    context = stream.codec_context
    # Frame threads would lose pictures at the end of a damaged file: PyAV cannot drain such a decoder past an error.
    # And with slice threads the decoder of H.264 neither conceals damage nor tells of it.
    codec = context.codec.canonical_name
    context.thread_type = "NONE" if codec == "h264" else "SLICE"
    options = EXPORT | SIZE_LIMIT
    if codec == "hevc":  # else a picture that refers to a lost one is held back, as by no other decoder
        options["flags"] = "+output_corrupt"
    # Where the codec does not say where chroma sits, players take it to be on the left; swscale would center it.
    told = getattr(context, "chroma_sample_location", 0)  # PyAV 18 cannot be asked
    if not told and not (stream.container.format.name == "yuv4mpegpipe" and context.pix_fmt == "yuv420p"):
        options["chroma_sample_location"] = "left"
    context.options = options


def alpha_decoder(stream: Any) -> Any | None:
    """A decoder that reads the alpha of VP8 or VP9, which FFmpeg's own leave behind; None where there is none to read.

    To be made after `set_up_decoder`.
    """
    context = stream.codec_context
    if stream.metadata.get("alpha_mode") != "1" or context.codec.canonical_name not in ("vp8", "vp9"):
        return None
    return second_decoder(stream, {"vp8": "libvpx", "vp9": "libvpx-vp9"}[context.codec.canonical_name])


def is_picture(container: Any) -> bool:
    """Whether the format is that of image files; they may still hold several pictures."""
    name: str = container.format.name
    return name == "image2" or name.endswith("_pipe")


def is_timeless(container: Any) -> bool:
    """Whether the format tells no times: pictures and raw streams."""
    return is_picture(container) or bool(container.format.flags & 0x0080)  # AVFMT_NOTIMESTAMPS


def cover_art_packets(container: Any) -> Iterator[Any]:
    """The packets of cover art, each once: they come first in a file, and a seek would throw them away."""
    cover_art = [stream.index for stream in container.streams.video if stream.disposition & ATTACHED]
    if cover_art:
        for packet in container.demux(*(container.streams[i] for i in cover_art)):
            if packet.size:
                yield packet
                cover_art.remove(packet.stream_index)
            if not cover_art or not packet.size:
                return
