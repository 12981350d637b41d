"""The items of a HEIF file (HEIC, AVIF) and their properties, by ISO/IEC 23008-12 and 14496-12."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from struct import unpack_from

_ALPHA = ("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", "urn:mpeg:hevc:2015:auxid:1")
_FULL = 4  # bytes of version and flags
_MOST_BOXES = 10_000


class BadHeif(ValueError):
    """The boxes contradict each other, or say what is not supported."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its four letters, and where its content lies."""

    kind: str
    start: int
    end: int


@dataclass(slots=True)
class HeifItem:
    """An item: an image, a tile, or metadata."""

    number: int
    kind: str
    """hvc1, av01, grid, Exif, mime, …"""
    hidden: bool = False
    content_type: str = ""
    parts: tuple[tuple[int, int], ...] = ()
    """Offset in the file and length of each part of its data."""
    properties: list[Box] = field(default_factory=list)
    """In order, which is that of cropping, rotating and mirroring."""
    references: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Numbers of other items, by kind: dimg (the tiles of a grid), auxl (what it is auxiliary to), cdsc, thmb."""


class HeifFile:
    """The `meta` box of a file. Every method raises BadHeif for damaged or unsupported boxes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        boxes = {box.kind: box for box in self._boxes(0, len(data))}
        if "meta" not in boxes:
            raise BadHeif("no meta box")
        self._meta = {box.kind: box for box in self._boxes(boxes["meta"].start + _FULL, boxes["meta"].end)}
        self.items = {item.number: item for item in self._infos()}
        self._locate()
        self._associate()
        self._refer()
        start = self._box("pitm").start
        number = self._number(start + _FULL, 4 if data[start] else 2)
        if number not in self.items:
            raise BadHeif("no primary image")
        self.primary = self.items[number]

    def content(self, item: HeifItem) -> bytes:
        """Return the data of an item."""
        if not item.parts or any(start + length > len(self._data) for start, length in item.parts):
            raise BadHeif(f"item {item.number} lies outside of the file")
        return b"".join(self._data[start : start + length] for start, length in item.parts)

    def property_of(self, item: HeifItem, kind: str) -> bytes | None:
        """Return the content of the first property of a kind; None without one."""
        return next(iter(self.properties_of(item, kind)), None)

    def properties_of(self, item: HeifItem, kind: str) -> list[bytes]:
        """Return the contents of all properties of a kind."""
        return [self._data[box.start : box.end] for box in item.properties if box.kind == kind]

    def transforms(self, item: HeifItem) -> list[tuple[str, int]]:
        """Return rotations and mirrors in order: (irot, quarter turns anticlockwise), (imir, axis)."""
        found = [box for box in item.properties if box.kind in ("irot", "imir")]
        return [(box.kind, self._data[box.start] & (3 if box.kind == "irot" else 1)) for box in found]

    def parts_of(self, item: HeifItem) -> list[HeifItem]:
        """Return the images that an image is made of, such as the tiles of a grid."""
        return [self.items[number] for number in item.references.get("dimg", ()) if number in self.items]

    def auxiliaries(self, item: HeifItem) -> list[HeifItem]:
        """Return the items that are auxiliary to an image: alpha, depth, gain map."""
        return [other for other in self.items.values() if item.number in other.references.get("auxl", ())]

    def alpha_of(self, item: HeifItem) -> HeifItem | None:
        """Return the item with the alpha of an image; None without one."""
        return next((other for other in self.auxiliaries(item) if self._is_alpha(other)), None)

    def others(self) -> int:
        """Return how many more images the file shows."""
        parts = {number for item in self.items.values() for number in item.references.get("dimg", ())}
        pictures = ("hvc1", "av01", "grid", "iovl", "iden", "jpeg", "unci")
        return sum(
            item.kind in pictures and not item.hidden and item.number not in parts | {self.primary.number}
            and not item.references.keys() & {"auxl", "thmb"}
            for item in self.items.values()
        )  # fmt: skip

    def described_by(self, kind: str, content_type: str = "") -> bytes | None:
        """Return the metadata of the primary image of a kind (Exif; mime with a content type); None without them."""
        for item in self.items.values():
            if item.kind == kind and (item.content_type == content_type or not content_type) and item.parts:
                return self.content(item)
        return None

    def _is_alpha(self, item: HeifItem) -> bool:
        stated = self.property_of(item, "auxC") or b""
        return stated[_FULL:].split(b"\0")[0].decode("latin-1") in _ALPHA

    def _boxes(self, start: int, end: int) -> Iterator[Box]:
        for _ in range(_MOST_BOXES):
            if end - start < 8:
                return
            size, begin = self._number(start, 4), start + 8
            kind = self._data[start + 4 : start + 8].decode("latin-1")
            if size == 1:
                size, begin = self._number(start + 8, 8), start + 16
            last = start + size if size else end
            if last < begin or last > end:
                raise BadHeif(f"box {kind} ends outside of the one around it")
            yield Box(kind, begin, last)
            start = last

    def _number(self, start: int, size: int) -> int:
        if start + size > len(self._data):
            raise BadHeif("the file ends within a box")
        return int.from_bytes(self._data[start : start + size], "big")

    def _text(self, start: int, end: int) -> str:
        return self._data[start:end].split(b"\0")[0].decode("latin-1")

    def _infos(self) -> Iterator[HeifItem]:
        box = self._box("iinf")
        wide = self._data[box.start] > 0
        for entry in self._boxes(box.start + _FULL + (4 if wide else 2), box.end):
            version, flags = self._data[entry.start], self._number(entry.start + 1, 3)
            if version < 2:
                raise BadHeif("item infos of an old version")
            size = 4 if version > 2 else 2
            at = entry.start + _FULL + size + 2  # after the number and the protection
            kind = self._data[at : at + 4].decode("latin-1")
            name_end = self._data.find(b"\0", at + 4, entry.end)
            content_type = self._text(name_end + 1, entry.end) if kind == "mime" and name_end > 0 else ""
            yield HeifItem(self._number(entry.start + _FULL, size), kind, bool(flags & 1), content_type)

    def _locate(self) -> None:
        box = self._box("iloc")
        version, sizes = self._data[box.start], self._number(box.start + _FULL, 2)
        offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
        index_size = sizes & 15 if version else 0
        wide = 4 if version > 1 else 2
        at = box.start + _FULL + 2
        count, at = self._number(at, wide), at + wide
        for _ in range(count):
            number, at = self._number(at, wide), at + wide
            method = self._number(at, 2) & 15 if version else 0
            at += (2 if version else 0) + 2  # the second: which file, always this one
            base, at = self._number(at, base_size), at + base_size
            extents, at = self._number(at, 2), at + 2
            parts = []
            for _ in range(extents):
                at += index_size
                offset, length = self._number(at, offset_size), self._number(at + offset_size, length_size)
                at += offset_size + length_size
                parts.append((base + offset + self._origin(method), length))
            if number in self.items:
                self.items[number].parts = tuple(parts)

    def _origin(self, method: int) -> int:
        if method > 1:
            raise BadHeif("items inside of items")
        return self._box("idat").start if method else 0

    def _associate(self) -> None:
        box = self._box("iprp")
        known: list[Box] = []
        for part in self._boxes(box.start, box.end):
            if part.kind == "ipco":
                known = list(self._boxes(part.start, part.end))
            elif part.kind == "ipma":
                self._associate_by(part, known)

    def _associate_by(self, box: Box, known: list[Box]) -> None:
        wide = 4 if self._data[box.start] else 2
        size = 2 if self._data[box.start + 3] & 1 else 1
        at = box.start + _FULL + 4
        for _ in range(self._number(at - 4, 4)):
            number, count, at = self._number(at, wide), self._number(at + wide, 1), at + wide + 1
            for _ in range(count):
                index = self._number(at, size) & (0x7FFF if size == 2 else 0x7F)
                at += size
                if index > len(known):
                    raise BadHeif(f"property {index} does not exist")
                if index and number in self.items:
                    self.items[number].properties.append(known[index - 1])

    def _refer(self) -> None:
        box = self._meta.get("iref")
        if box is None:
            return
        size = 4 if self._data[box.start] else 2
        for part in self._boxes(box.start + _FULL, box.end):
            number, count = self._number(part.start, size), self._number(part.start + size, 2)
            at = part.start + size + 2
            if number in self.items:
                self.items[number].references[part.kind] = tuple(
                    self._number(at + index * size, size) for index in range(count)
                )

    def _box(self, kind: str) -> Box:
        if kind not in self._meta:
            raise BadHeif(f"no {kind} box")
        return self._meta[kind]


def size_of(ispe: bytes) -> tuple[int, int]:
    """Return width and height from the content of an `ispe` property."""
    width, height = unpack_from(">II", ispe, _FULL)
    return width, height
