"""Images of HEIF files (HEIC, AVIF), decoded by FFmpeg item by item: grids of tiles, alpha, cropping, colours.

FFmpeg's own demuxer gives tiles and alpha as separate streams.
"""

from fractions import Fraction
from struct import unpack_from

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from vidsr.color import BT470BG, BT709, SRGB_TRANSFER
from vidsr.system import fits
from vidsr.video._compat import DECODER_ERRORS
from vidsr.video.convert.from_av import ten_bit_planes
from vidsr.video.convert.heif_boxes import BadHeif, HeifFile, HeifItem, size_of
from vidsr.video.convert.pixel_formats import PIXEL_FORMATS, planes_of
from vidsr.video.convert.scale import FULL, LIMITED, scale

_DECODERS = {"hvc1": ("hevc", "hvcC"), "av01": ("libdav1d", "av1C")}  # with the property that holds their headers
_MOST_TILES = 4096


def decode_heif(file: HeifFile) -> av.VideoFrame:
    """Return the primary image of a file, with its alpha and colours, not yet rotated. Raises BadHeif."""
    item = file.primary
    if item.references.get("prem"):
        raise BadHeif("colours that are multiplied by alpha")
    av_frame = _color(file, item)
    alpha = file.alpha_of(item)
    if alpha is not None:
        opacity = _decode(file, alpha)
        if any("hvcC" in {box.kind for box in each.properties} for each in (alpha, *file.parts_of(alpha))):
            opacity.color_range = FULL  # as readers take it: encoders of HEVC seldom state the range
        av_frame = _with_alpha(av_frame, opacity)
    clap = file.property_of(item, "clap")
    return av_frame if clap is None else _cropped(av_frame, clap)


def bits_of_item(file: HeifFile) -> int:
    """Return the bits of a sample of the primary image, by its `pixi` property; 8 without one."""
    pixi = file.property_of(file.primary, "pixi") or b""
    return pixi[5] if len(pixi) > 5 else 8


def _color(file: HeifFile, item: HeifItem) -> av.VideoFrame:
    # The image with the colours that its properties state.
    av_frame = _decode(file, item)
    stated = [
        c for each in (item, *file.parts_of(item)[:1]) for c in file.properties_of(each, "colr") if c[:4] == b"nclx"
    ]
    if stated and len(stated[0]) >= 11:
        primaries, transfer, matrix = unpack_from(">HHH", stated[0], 4)
        full = bool(stated[0][10] & 128)
    else:  # what the codec states; for what it does not, ISO/IEC 23000-22 (MIAF), 7.3.6.4
        primaries = BT709 if av_frame.color_primaries in (0, 2) else int(av_frame.color_primaries)
        transfer = SRGB_TRANSFER if av_frame.color_trc in (0, 2) else int(av_frame.color_trc)
        matrix = BT470BG if int(av_frame.colorspace) in (2, 3) else int(av_frame.colorspace)
        full = av_frame.color_range != LIMITED if av_frame.color_range else True
    av_frame.color_primaries, av_frame.color_trc = primaries, transfer
    if not av_frame.format.is_rgb:
        av_frame.colorspace, av_frame.color_range = matrix, FULL if full else LIMITED
    return av_frame


def _decode(file: HeifFile, item: HeifItem) -> av.VideoFrame:
    if item.kind == "grid":
        return _grid(file, item)
    if item.kind not in _DECODERS:
        raise BadHeif(f"an image of type {item.kind}")
    ispe = file.property_of(item, "ispe")
    if ispe is None or not fits(*size_of(ispe)):
        raise BadHeif("an image without a size, or one that is too large")
    name, config = _DECODERS[item.kind]
    decoder = av.CodecContext.create(name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = file.property_of(item, config)
    decoder.thread_type = "SLICE"
    try:
        for packet in (av.Packet(file.content(item)), None):
            for av_frame in decoder.decode(packet):
                return av_frame
    except DECODER_ERRORS as exc:
        raise BadHeif(f"item {item.number} cannot be decoded") from exc
    raise BadHeif(f"item {item.number} holds no image")


def _grid(file: HeifFile, item: HeifItem) -> av.VideoFrame:
    data = file.content(item)
    rows, columns, wide = data[2] + 1, data[3] + 1, data[1] & 1
    width, height = unpack_from(">II" if wide else ">HH", data, 4)
    numbers = item.references.get("dimg", ())
    if len(numbers) != rows * columns or len(numbers) > _MOST_TILES or not fits(width, height):
        raise BadHeif(f"a grid of {columns}x{rows} tiles and {width}x{height} pixels out of {len(numbers)}")
    whole: av.VideoFrame | None = None
    for index, number in enumerate(numbers):
        if number not in file.items or file.items[number].kind == "grid":
            raise BadHeif(f"tile {number} does not exist")
        tile = _decode(file, file.items[number])
        if whole is None:
            if tile.width * columns < width or tile.height * rows < height:
                raise BadHeif("tiles that do not cover their grid")
            whole = _like(tile, width, height, tile.format.name)
            size = tile.width, tile.height
        elif (tile.width, tile.height, tile.format.name) != (*size, whole.format.name):
            raise BadHeif("tiles that differ in size or format")
        _paste(whole, tile, index % columns * size[0], index // columns * size[1])
    if whole is None:
        raise BadHeif("a grid without tiles")
    return whole


def _paste(whole: av.VideoFrame, tile: av.VideoFrame, left: int, top: int) -> None:
    if len(tile.format.components) == 2 or (not tile.format.is_planar and len(tile.format.components) > 1):
        raise BadHeif(f"tiles of {tile.format.name}")
    for target, plane in zip(planes_of(whole), planes_of(tile), strict=True):
        across, down = round(tile.width / plane.shape[1]), round(tile.height / plane.shape[0])
        part = target[top // down :, left // across :][: plane.shape[0], : plane.shape[1]]
        np.copyto(part, plane[: part.shape[0], : part.shape[1]])


def _with_alpha(av_frame: av.VideoFrame, alpha: av.VideoFrame) -> av.VideoFrame:
    av_frame, bits = _usual(av_frame)
    opacity, alpha_bits = _usual(alpha)
    full = alpha.color_range != LIMITED
    gray = "gray" if bits == 8 else "gray10le"
    size = av_frame.width, av_frame.height
    if (opacity.width, opacity.height) != size or alpha_bits != bits:
        luma = _like(opacity, opacity.width, opacity.height, "gray" if alpha_bits == 8 else "gray10le")
        np.copyto(planes_of(luma)[0], planes_of(opacity)[0])
        opacity = scale(VideoReformatter(), luma, *size, gray, "BILINEAR", full_range=True)
    codes = planes_of(opacity)[0]
    if not full:
        step, top = 1 << (bits - 8), (1 << bits) - 1
        codes = np.rint((codes.astype(np.float32) - 16 * step) * (top / (219 * step))).clip(0, top)
    if av_frame.format.is_rgb:
        name = "gbrap" if bits == 8 else "gbrap10le"
    elif len(av_frame.planes) == 1:
        name = "yuva444p" if bits == 8 else "yuva444p10le"
    else:
        name = av_frame.format.name.replace("yuvj", "yuv").replace("yuv", "yuva")
    result = _like(av_frame, *size, name)
    planes = [*planes_of(av_frame)]
    planes += [np.full(planes[0].shape, 1 << (bits - 1), planes[0].dtype)] * (3 - len(planes))
    for target, plane in zip(planes_of(result), (*planes, codes), strict=True):
        np.copyto(target, plane, casting="unsafe")
    return result


def _usual(av_frame: av.VideoFrame) -> tuple[av.VideoFrame, int]:
    # The frame at 8 or 10 bits, planar, and its bits.
    name, bits = av_frame.format.name, av_frame.format.components[0].bits
    if bits <= 10 and (name in PIXEL_FORMATS or name in ("gbrp", "gbrp10le")):
        return av_frame, bits
    rounded = ten_bit_planes(av_frame, full_range=av_frame.color_range != LIMITED)
    if rounded is None:
        raise BadHeif(f"alpha beside {name}")
    result = _like(av_frame, av_frame.width, av_frame.height, name.replace("12le", "10le"))
    for target, plane in zip(planes_of(result), rounded, strict=True):
        np.copyto(target, plane)
    return result, 10


def _like(av_frame: av.VideoFrame, width: int, height: int, name: str) -> av.VideoFrame:
    result = av.VideoFrame(width, height, name)
    for what in ("color_range", "colorspace", "color_primaries", "color_trc"):
        setattr(result, what, getattr(av_frame, what))
    return result


def _cropped(av_frame: av.VideoFrame, clap: bytes) -> av.VideoFrame:
    # ISO/IEC 14496-12, 12.1.4.1: the middle of the crop lies off the middle of the image.
    values = unpack_from(">IIIIiIiI", clap)
    width, height, right, down = (Fraction(values[i], values[i + 1] or 1) for i in range(0, 8, 2))
    left, top = right + (av_frame.width - width) / 2, down + (av_frame.height - height) / 2
    box = tuple(round(value) for value in (left, top, width, height))
    if min(box) < 0 or 0 in box[2:] or box[0] + box[2] > av_frame.width or box[1] + box[3] > av_frame.height:
        raise BadHeif("a crop outside of the image")
    name = av_frame.format.name
    if ("420" in name and (box[0] | box[1]) & 1) or ("422" in name and box[0] & 1):  # between chroma samples
        name = name.replace("420", "444").replace("422", "444")
        full = av_frame.color_range != LIMITED
        av_frame = scale(VideoReformatter(), av_frame, av_frame.width, av_frame.height, name, "BICUBIC", full)
    result = _like(av_frame, box[2], box[3], name)
    for target, plane in zip(planes_of(result), planes_of(av_frame), strict=True):
        across, down_by = round(av_frame.width / plane.shape[1]), round(av_frame.height / plane.shape[0])
        np.copyto(target, plane[box[1] // down_by :, box[0] // across :][: target.shape[0], : target.shape[1]])
    return result
