"""What to tell each encoder and muxer, so that one crf and one preset serve them all."""

from collections.abc import Mapping
from typing import Any

from av.codec.codec import Codec

from vidsr.errors import OutputError
from vidsr.frames import VideoInfo
from vidsr.video.convert.pixel_formats import LAYOUTS, is_transparent, layout_name
from vidsr.video.convert.side_data import mastering_of, mastering_options

PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")
_SVT = (12, 11, 10, 9, 8, 7, 6, 5, 4, 2)
_VPX = ("rt 8", "rt 7", "rt 6", "good 5", "good 4", "good 2", "good 1", "good 1", "good 0", "best 0")
_NVENC = ("p1", "p1", "p2", "p3", "p3", "p4", "p5", "p6", "p7", "p7")
# What makes an encoder repeat itself, byte by byte (run, with memory filled at random and on one core or two). x264's
# mbtree reads memory that nobody wrote; most encoders make something else of a film with another number of threads.
_REPEATING: dict[str, dict[str, str]] = {
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
# Formats of encoders that hold what one of LAYOUTS holds, otherwise arranged.
ARRANGED = {"nv12": "yuv420p", "p010le": "yuv420p10le", "nv16": "yuv422p", "p210le": "yuv422p10le"}
_UNUSUAL = {("libvpx-vp9", "yuva422p"), ("libvpx-vp9", "yuva444p")}  # which it encodes under protest only


def encoder_options(
    codec: str,
    *,
    crf: float,
    preset: str,
    live: bool,
    user: Mapping[str, str],
    picture: Any = None,
    transparent: bool = False,
) -> dict[str, str]:
    """The options of one encoder; the user's win. picture: whose HDR mastering data the codec is to carry.

    transparent: whether it gets alpha.

    Raises OutputError where the preset is none of the codec's.
    """
    options = {**_quality(codec, crf), **_speed(codec, preset), **(_at_once(codec) if live else {})}
    if transparent and codec.startswith("libvpx"):
        options["auto-alt-ref"] = "0"  # libvpx has no such pictures with alpha
    hdr = mastering_options(codec, mastering_of(picture))
    quiet = {"x265-params": "log-level=none", "a53cc": "1"} if codec == "libx265" else {}  # captions too, as x264
    merged: dict[str, str] = {}
    for part in (options, quiet, hdr, {k: v for k, v in user.items() if k != "pix_fmt"}):
        for key, value in part.items():
            joined = key.endswith("-params") and key in merged
            merged[key] = f"{merged[key]}:{value}" if joined else value
    return merged


def repeating(codec: str, user: Mapping[str, str]) -> dict[str, str] | None:
    """The options that make an encoder repeat itself, byte by byte; None for one that is not known to.

    Raises OutputError where the user sets one of them.
    """
    fixed = _REPEATING.get(codec)
    params = ":".join(value for key, value in user.items() if key.endswith("-params"))
    named = {*user, *(pair.partition("=")[0] for pair in params.split(":"))}
    for key in named & ({*fixed, "threads", "frame-threads", "lp"} if fixed is not None else set()):
        raise OutputError(
            f"a job that resumes sets {key} of {codec} itself, to repeat every byte; leave that option out"
        )
    return fixed


def _quality(codec: str, crf: float) -> dict[str, str]:
    if codec in ("libx264", "libx264rgb", "libx265", "libsvtav1"):
        return {"crf": f"{crf:g}"}
    if codec.startswith("libvpx"):
        return {"crf": f"{crf:g}", "b": "0" if codec == "libvpx-vp9" else "1000M"}  # VP8 takes b for a ceiling
    if codec == "mjpeg":
        return {"flags": "+qscale", "global_quality": _step(crf), "strict": "unofficial"}  # limited range
    if codec.endswith("_nvenc"):
        return {"rc": "vbr", "cq": f"{crf:g}", "b": "0"}
    if codec.endswith("_qsv"):
        return {"global_quality": f"{crf:g}"}
    if codec in ("mpeg4", "mpeg2video", "mpeg1video", "h263p", "msmpeg4", "msmpeg4v2"):
        return {"flags": "+qscale", "global_quality": _step(crf)}
    return {}


def _step(crf: float) -> str:
    # Older codecs are told the quantiser step itself, which H.264's scale doubles every 6; 118 = FF_QP2LAMBDA.
    return str(round(min(max(0.3125 * 2 ** (crf / 6), 1), 31) * 118))


def _speed(codec: str, preset: str) -> dict[str, str]:
    if codec in ("libx264", "libx264rgb", "libx265"):
        return {"preset": PRESETS[_rank(codec, preset)]}
    if codec == "libsvtav1":
        return {"preset": preset if preset.lstrip("-").isdigit() else str(_SVT[_rank(codec, preset)])}
    if codec.startswith("libvpx"):
        if preset.isdigit():
            return {"deadline": "good", "cpu-used": preset, "row-mt": "1"}
        deadline, used = _VPX[_rank(codec, preset)].split()
        if codec == "libvpx" and deadline == "rt":
            used = f"-{used}"  # just so fast; a positive one is a share of the time, by which no run is like another
        threads = {"row-mt": "1"} if codec == "libvpx-vp9" else {}
        return {"deadline": {"rt": "realtime"}.get(deadline, deadline), "cpu-used": used, **threads}
    if codec.endswith("_nvenc"):
        return {"preset": preset if preset[:1] == "p" and preset[1:].isdigit() else _NVENC[_rank(codec, preset)]}
    return {}


def presets_of(codec: str) -> list[str]:
    """Those of PRESETS that are different speeds of an encoder, the fastest first; none where it has no speeds.

    Not the last, which takes twice the time of the one before for hardly a bit.
    """
    distinct: dict[tuple[str, ...], str] = {}
    for name in PRESETS[:-1]:
        distinct.setdefault(tuple(_speed(codec, name).values()), name)
    return list(distinct.values()) if len(distinct) > 1 else []


def _rank(codec: str, preset: str) -> int:
    if preset not in PRESETS:
        raise OutputError(f"{preset!r} is no preset of {codec}; choose one of {', '.join(PRESETS)}")
    return PRESETS.index(preset)


def _at_once(codec: str) -> dict[str, str]:
    if codec in ("libx264", "libx264rgb", "libx265"):
        return {"tune": "zerolatency"}
    if codec == "libsvtav1":
        return {"svtav1-params": "pred-struct=1:lookahead=0"}
    if codec.startswith("libvpx"):
        return {"deadline": "realtime", "lag-in-frames": "0"}
    if codec.endswith("_nvenc"):
        return {"tune": "ull", "delay": "0", "zerolatency": "1", "bf": "0"}
    return {"bf": "0"} if codec in ("mpeg4", "mpeg2video") else {}


def layout_for(codec: Codec, info: VideoInfo, user: Mapping[str, str], *, muxer: str) -> str:
    """The pixel format to encode in: the film's own where the codec has it, else what loses least of it.

    Raises OutputError where the codec takes no YUV or gray at all, or not what the user named as pix_fmt.
    """
    formats = [layout.name for layout in codec.video_formats or [] if (codec.name, layout.name) not in _UNUSUAL]
    if "pix_fmt" in user:
        if user["pix_fmt"] not in (formats or LAYOUTS) or user["pix_fmt"] not in {*LAYOUTS, *ARRANGED}:
            raise OutputError(f"{codec.name} cannot be given {user['pix_fmt']}; leave pix_fmt out to have it chosen")
        return user["pix_fmt"]
    transparent = info.alpha and holds_alpha(codec, muxer)
    wanted = layout_name(info.bits, info.color.subsampling, gray=info.gray and not transparent, alpha=transparent)
    if not formats or wanted in formats:
        return wanted
    plain = [name for name in formats if name in LAYOUTS and "yuvj" not in name and is_transparent(name) is transparent]
    plain = plain or [name for name in formats if name in ARRANGED]
    if info.bits == 10 and not any(LAYOUTS[ARRANGED.get(name, name)][0] == 10 for name in plain):
        plain += [name for name in formats if name in ARRANGED and LAYOUTS[ARRANGED[name]][0] == 10]
    if not plain:
        raise OutputError(f"{codec.name} encodes none of the pixel formats that vidsr makes; try libx264 or libx265")
    return min(plain, key=lambda name: _loss(name, info))


def holds_alpha(codec: Codec, muxer: str) -> bool:
    """Whether a codec in a container keeps alpha."""
    if codec.name == "rawvideo":
        return muxer == "nut"
    if codec.name.startswith("libvpx"):  # a second stream of theirs, beside each packet
        return muxer in ("matroska", "webm")
    # x265's is a layer that hardly any player shows
    return codec.name != "libx265" and any(
        layout.name in LAYOUTS and is_transparent(layout.name) for layout in codec.video_formats or []
    )


def _loss(name: str, info: VideoInfo) -> tuple[int, int, int, int]:
    bits, subsampling, gray = LAYOUTS[ARRANGED.get(name, name)]
    have = info.color.subsampling
    lost = 3 if gray and not info.gray else sum(max(b - a, 0) for a, b in zip(have, subsampling, strict=True))
    if info.gray:
        lost, subsampling, have = 0, (0, 0), (1 - subsampling[0], 1 - subsampling[1])
    added = sum(max(a - b, 0) for a, b in zip(have, subsampling, strict=True))
    return lost, max(info.bits - bits, 0), added, max(bits - info.bits, 0)
