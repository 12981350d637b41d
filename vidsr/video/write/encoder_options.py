"""Options of each encoder, so that one crf and one preset serve them all, and the pixel format it gets."""

from collections.abc import Mapping

from av.codec.codec import Codec

from vidsr.errors import OutputError
from vidsr.frames import VideoInfo
from vidsr.options import EncodeOptions
from vidsr.video.convert.pixel_formats import PIXEL_FORMATS, is_transparent, pixel_format_name
from vidsr.video.convert.side_data import Mastering, mastering_options

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
# For each of PRESETS, the speed of other encoders.
_SVT = (12, 11, 10, 9, 8, 7, 6, 5, 4, 2)
_VPX = ("rt 8", "rt 7", "rt 6", "good 5", "good 4", "good 2", "good 1", "good 1", "good 0", "best 0")
_NVENC = ("p1", "p1", "p2", "p3", "p3", "p4", "p5", "p6", "p7", "p7")

# What makes an encoder produce the same bytes in every run (tested with memory filled at random, on one core and on
# two). x264's mbtree reads uninitialised memory; the output of most encoders depends on the number of threads.
_REPEATABLE: dict[str, dict[str, str]] = {
    "libx264": {"mbtree": "0", "threads": "8"},
    "libx264rgb": {"mbtree": "0", "threads": "8"},
    "libx265": {"threads": "4"},
    "libsvtav1": {},
    "libvpx-vp9": {"threads": "8"},
    "libvpx": {"threads": "1"},
    "ffv1": {"threads": "4"},
    "mpeg4": {"threads": "1"},
    "mpeg2video": {"threads": "1"},
    "mjpeg": {"threads": "4"},
    "prores_ks": {"threads": "4"},
}
_LOOKAHEAD_BYTES = 128 << 20
"""Of the frames that x264 and x265 look ahead. Each takes two to three times its own size there, and with those that
are being encoded, 4K at 10 bits would take 1.5 GB and 8K 6 GB."""
_LOOKAHEAD = {
    "libx264": (0, 0, 10, 20, 30, 40, 50, 60, 60, 60), "libx265": (5, 10, 15, 15, 15, 20, 25, 40, 40, 60)
}  # fmt: skip
"""For each of PRESETS, the frames that it looks ahead."""
_LEAST_LOOKAHEAD = {"libx264": 1, "libx265": 5}  # x265's must exceed its B-frames in a row
SEMI_PLANAR = {"nv12": "yuv420p", "p010le": "yuv420p10le", "nv16": "yuv422p", "p210le": "yuv422p10le"}
"""Pixel formats with U and V in one plane, and those of PIXEL_FORMATS that hold the same samples."""
_UNSUPPORTED = {("libvpx-vp9", "yuva422p"), ("libvpx-vp9", "yuva444p")}  # listed by the encoder, which then warns


def encoder_options(
    encoder: str, options: EncodeOptions, info: VideoInfo, mastering: Mastering | None, planar_format: str
) -> dict[str, str]:
    """Return the options of an encoder; those that the user set replace others.

    encoder: FFmpeg's name. info: of the output. mastering: HDR metadata for the encoder to write. planar_format: the
    pixel format, one of PIXEL_FORMATS.
    Raises OutputError for a preset or an option that the encoder cannot have.
    """
    user = {key: value for key, value in (options.encoder_options or {}).items() if key != "pix_fmt"}
    chosen = {**_quality(encoder, options.crf), **_speed(encoder, options.preset)}
    if options.live:
        chosen |= _low_delay(encoder)
    if encoder.startswith("libvpx") and is_transparent(planar_format):
        chosen["auto-alt-ref"] = "0"  # libvpx supports no alternate reference frames with alpha
    if encoder == "libx265":
        chosen |= {"x265-params": "log-level=none", "a53cc": "1"}  # captions by default, as x264 writes them
    merged: dict[str, str] = {}
    for part in (chosen, _lookahead(encoder, options, info), mastering_options(encoder, mastering), user):
        for key, value in part.items():
            joined = key.endswith("-params") and key in merged
            merged[key] = f"{merged[key]}:{value}" if joined else value
    if options.repeatable:
        merged |= _repeatable_options(encoder, user, transparent=is_transparent(planar_format))
    if PIXEL_FORMATS[planar_format][1] != (0, 0):
        merged["chroma_sample_location"] = info.color.chroma_location
    if encoder == "ffv1" and min(info.width, info.height) < 16:
        merged.setdefault("slices", "1")  # its own default fails for some tiny sizes
    return merged


def _lookahead(encoder: str, options: EncodeOptions, info: VideoInfo) -> dict[str, str]:
    """Return the options by which an encoder looks fewer frames ahead where they are so large that memory matters."""
    encoder = "libx264" if encoder == "libx264rgb" else encoder
    if encoder not in _LOOKAHEAD or options.live:
        return {}
    frames = max(_LOOKAHEAD_BYTES // info.frame_bytes, _LEAST_LOOKAHEAD[encoder])
    if frames >= _LOOKAHEAD[encoder][_rank(encoder, options.preset)]:
        return {}
    key = f"{encoder.removeprefix('lib')}-params"
    return {key: f"rc-lookahead={frames}" + ":sync-lookahead=0" * (encoder == "libx264")}


def is_repeatable(encoder: str) -> bool:
    """Return whether an encoder is known to produce the same bytes from the same frames in every run."""
    return encoder in _REPEATABLE


def _repeatable_options(encoder: str, user: Mapping[str, str], *, transparent: bool) -> dict[str, str]:
    """Return the options that make every run alike, as far as that is known.

    Raises OutputError if the user sets one of them, or if the packets have alpha that segments cannot store.
    """
    if transparent and encoder.startswith("libvpx"):
        raise OutputError(
            f"{encoder} stores alpha beside its packets, where segments cannot keep it; leave --resume out, or give "
            "--encoder-option pix_fmt=yuv420p"
        )
    if not is_repeatable(encoder):
        return {}
    fixed = _REPEATABLE[encoder]
    params = ":".join(value for key, value in user.items() if key.endswith("-params"))
    named = {*user, *(pair.partition("=")[0] for pair in params.split(":"))}
    for key in named & {*fixed, "threads", "frame-threads", "lp"}:
        raise OutputError(f"--resume sets {key} of {encoder} itself, so that every run is alike; leave that option out")
    return fixed


def _quality(encoder: str, crf: float) -> dict[str, str]:
    if encoder in ("libx264", "libx264rgb", "libx265", "libsvtav1"):
        return {"crf": f"{crf:g}"}
    if encoder.startswith("libvpx"):
        return {"crf": f"{crf:g}", "b": "0" if encoder == "libvpx-vp9" else "1000M"}  # for VP8 b is the maximum
    if encoder == "mjpeg":
        return {"flags": "+qscale", "global_quality": _global_quality(crf), "strict": "unofficial"}  # limited range
    if encoder.endswith("_nvenc"):
        return {"rc": "vbr", "cq": f"{crf:g}", "b": "0"}
    if encoder.endswith("_qsv"):
        return {"global_quality": f"{crf:g}"}
    if encoder in ("mpeg4", "mpeg2video", "mpeg1video", "h263p", "msmpeg4", "msmpeg4v2"):
        return {"flags": "+qscale", "global_quality": _global_quality(crf)}
    return {}


def _global_quality(crf: float) -> str:
    # Older codecs take the quantisation step itself, which doubles every 6 of H.264's QP; 118 is FF_QP2LAMBDA.
    return str(round(min(max(0.3125 * 2 ** (crf / 6), 1), 31) * 118))


def _speed(encoder: str, preset: str) -> dict[str, str]:
    if encoder in ("libx264", "libx264rgb", "libx265"):
        return {"preset": PRESETS[_rank(encoder, preset)]}
    if encoder == "libsvtav1":
        return {"preset": preset if preset.lstrip("-").isdigit() else str(_SVT[_rank(encoder, preset)])}
    if encoder.startswith("libvpx"):
        if preset.isdigit():
            return {"deadline": "good", "cpu-used": preset, "row-mt": "1"}
        deadline, used = _VPX[_rank(encoder, preset)].split()
        if encoder == "libvpx" and deadline == "rt":
            used = f"-{used}"  # a fixed speed; a positive one is a share of the time, which makes every run different
        threads = {"row-mt": "1"} if encoder == "libvpx-vp9" else {}
        return {"deadline": {"rt": "realtime"}.get(deadline, deadline), "cpu-used": used, **threads}
    if encoder.endswith("_nvenc"):
        return {"preset": preset if preset[:1] == "p" and preset[1:].isdigit() else _NVENC[_rank(encoder, preset)]}
    return {}


def presets_of(encoder: str) -> list[str]:
    """Return those of PRESETS that differ in speed for an encoder, the fastest first; empty if it has no speeds.

    The slowest is left out: it takes twice the time of the one before and saves hardly any bits.
    """
    distinct: dict[tuple[str, ...], str] = {}
    for name in PRESETS[:-1]:
        distinct.setdefault(tuple(_speed(encoder, name).values()), name)
    return list(distinct.values()) if len(distinct) > 1 else []


def _rank(encoder: str, preset: str) -> int:
    if preset not in PRESETS:
        raise OutputError(f"expected a preset of {encoder}, one of {', '.join(PRESETS)}; got {preset!r}")
    return PRESETS.index(preset)


def _low_delay(encoder: str) -> dict[str, str]:
    if encoder in ("libx264", "libx264rgb", "libx265"):
        return {"tune": "zerolatency"}
    if encoder == "libsvtav1":
        return {"svtav1-params": "pred-struct=1:lookahead=0"}
    if encoder.startswith("libvpx"):
        return {"deadline": "realtime", "lag-in-frames": "0"}
    if encoder.endswith("_nvenc"):
        return {"tune": "ull", "delay": "0", "zerolatency": "1", "bf": "0"}
    return {"bf": "0"} if encoder in ("mpeg4", "mpeg2video") else {}


def choose_pixel_format(codec: Codec, info: VideoInfo, user: Mapping[str, str], *, muxer: str) -> str:
    """Return the pixel format to encode in: that of the video if the encoder supports it, else the closest.

    user: the user's options for the encoder; `pix_fmt` chooses the pixel format.
    Raises OutputError if the encoder does not support it, or supports neither YUV nor gray.
    """
    formats = [each.name for each in codec.video_formats or [] if (codec.name, each.name) not in _UNSUPPORTED]
    if "pix_fmt" in user:
        if user["pix_fmt"] not in (formats or PIXEL_FORMATS) or user["pix_fmt"] not in {*PIXEL_FORMATS, *SEMI_PLANAR}:
            raise OutputError(f"vidsr cannot encode {user['pix_fmt']} with {codec.name}; leave pix_fmt out")
        return user["pix_fmt"]
    transparent = info.alpha and _keeps_alpha(codec, muxer)
    wanted = pixel_format_name(info.bits, info.color.subsampling, gray=info.gray and not transparent, alpha=transparent)
    if not formats or wanted in formats:
        return wanted
    possible = [name for name in formats if name in PIXEL_FORMATS and "yuvj" not in name]
    possible = [name for name in possible if is_transparent(name) is transparent]
    possible = possible or [name for name in formats if name in SEMI_PLANAR]
    if info.bits == 10 and not any(PIXEL_FORMATS[SEMI_PLANAR.get(name, name)][0] == 10 for name in possible):
        possible += [name for name in formats if name in SEMI_PLANAR and PIXEL_FORMATS[SEMI_PLANAR[name]][0] == 10]
    if not possible:
        raise OutputError(f"{codec.name} supports no pixel format that vidsr writes; try libx264 or libx265")
    return min(possible, key=lambda name: _loss(name, info))


def _keeps_alpha(codec: Codec, muxer: str) -> bool:
    if codec.name == "rawvideo":
        return muxer == "nut"
    if codec.name.startswith("libvpx"):  # alpha is a second stream, stored beside each packet
        return muxer in ("matroska", "webm")
    # x265 writes alpha as a layer that hardly any player shows.
    return codec.name != "libx265" and any(
        each.name in PIXEL_FORMATS and is_transparent(each.name) for each in codec.video_formats or []
    )


def _loss(name: str, info: VideoInfo) -> tuple[int, int, int, int]:
    """Return what a pixel format costs, worst first: lost chroma, lost bits, added chroma, added bits."""
    bits, subsampling, gray = PIXEL_FORMATS[SEMI_PLANAR.get(name, name)]
    have = info.color.subsampling
    lost = 3 if gray and not info.gray else sum(max(b - a, 0) for a, b in zip(have, subsampling, strict=True))
    if info.gray:
        lost, subsampling, have = 0, (0, 0), (1 - subsampling[0], 1 - subsampling[1])
    added = sum(max(a - b, 0) for a, b in zip(have, subsampling, strict=True))
    return lost, max(info.bits - bits, 0), added, max(bits - info.bits, 0)
