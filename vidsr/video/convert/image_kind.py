"""The kind of an image file, by its first bytes."""

# FFmpeg's demuxers take them apart, its decoders lack them or a variant of them, or give linear light.
_NOT_BY_FFMPEG = (
    "TIFF", "BigTIFF", "AVIF", "HEIF", "JPEG 2000", "ICO", "ICNS", "OpenEXR", "Radiance HDR", "PFM", "JPEG XL",
    "camera raw",
)  # fmt: skip
_HEIF_SEQUENCES = (b"avis", b"msf1", b"hevc")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"mif2", b"avif", b"miaf", *_HEIF_SEQUENCES)
_PNG = b"\x89PNG\r\n\x1a\n"
_PREVIOUS, _OVER = 2, 1  # APNG_DISPOSE_OP_PREVIOUS, APNG_BLEND_OP_OVER
HEAD = 32
"""Bytes that are enough."""
DEEP = ("PNG", "TIFF")
"""Pillow's names of the formats of which files with 16 bits a sample are written."""
_BY_START = {
    _PNG: "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "BigTIFF",
    b"MM\0+": "BigTIFF",
    b"GIF8": "GIF",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"#?RGBE": "Radiance HDR",
    b"PF\n": "PFM",
    b"Pf\n": "PFM",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"icns": "ICNS",
    b"8BPS": "Photoshop",
    b"II\x1a\0\0\0HEAPCCDR": "camera raw",
    b"FUJIFILMCCD-RAW": "camera raw",
    b"IIRO": "camera raw",
    b"IIU\0": "camera raw",
}


def kind_of(head: bytes) -> str:
    """Return the kind of an image file, by its usual name; empty for other files. head: HEAD bytes."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if is_heif(head):
        return "AVIF" if head[8:11] == b"avi" else "HEIF"
    if head[4:8] == b"ftyp" and head[8:12] == b"crx ":
        return "camera raw"
    if _is_icon(head):
        return "ICO"
    kind = next((kind for start, kind in _BY_START.items() if head.startswith(start)), "")
    return "camera raw" if kind == "TIFF" and head[8:10] == b"CR" else kind


def is_heif(head: bytes) -> bool:
    """Return whether a file begins as HEIF does."""
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def kind_to_open(head: bytes) -> str:
    """Return the kind of an image that vidsr decodes itself; empty for what FFmpeg reads well. head: HEAD bytes."""
    kind = kind_of(head)
    if is_animated(head):
        return kind if kind in ("WebP", "AVIF") else ""
    return kind if kind in _NOT_BY_FFMPEG else ""


def is_animated(head: bytes) -> bool:
    """Return whether a WebP or HEIF file is an animation, as its header states."""
    if is_heif(head):
        return head[8:12] in _HEIF_SEQUENCES
    return head[12:16] == b"VP8X" and bool(head[20:21] > b"" and head[20] & 2)


def is_animation(file: bytes) -> bool:
    """Return whether an image file holds an animation, as its header states: of a GIF, any."""
    kind = kind_of(file[:HEAD])
    if kind == "PNG":
        return b"acTL" in file[: max(file.find(b"IDAT"), 0)]
    return kind == "GIF" or is_animated(file[:HEAD])


def animation_to_open(file: bytes) -> str:
    """Return APNG for one that FFmpeg composes wrongly: with a frame over the last one that is then undone.

    Empty for other files.
    """
    if kind_of(file[:HEAD]) != "PNG" or not is_animation(file):
        return ""
    at, undone, over = len(_PNG), False, False
    while at + 34 <= len(file):
        if file[at + 4 : at + 8] == b"fcTL":
            dispose, blend = file[at + 32], file[at + 33]
            undone, over = undone or dispose == _PREVIOUS, over or blend == _OVER
        at += 12 + int.from_bytes(file[at : at + 4], "big")
    return "APNG" if undone and over else ""


def _is_icon(head: bytes) -> bool:
    # The first four bytes alone also begin an MPEG-4 stream.
    images, reserved = int.from_bytes(head[4:6], "little"), head[9:10]
    bits = int.from_bytes(head[12:14], "little")
    return head[:4] in (b"\0\0\1\0", b"\0\0\2\0") and 0 < images < 256 and reserved == b"\0" and bits in _ICON_BITS


_ICON_BITS = (0, 1, 4, 8, 16, 24, 32)
