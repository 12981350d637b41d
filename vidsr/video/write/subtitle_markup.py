"""The words of a subtitle: out of an ASS event, which is what FFmpeg's decoders make of any text; into other codecs."""

import re
import struct

Run = tuple[str, str]
"""A piece of text, and its style: letters of "biu"."""

_TOKEN = r"\\\u2060|\\\{\{\}|\\[Nnh{}]|%s|[^\\{]+|."
_HIDING = re.compile(_TOKEN % r"\{[^{}]*\}", re.DOTALL)
_LITERAL = re.compile(_TOKEN % r"\{\\(?!N)[^{}]*\}", re.DOTALL)  # takes no braces for markup but {\...}
_ESCAPES = {"\\N": "\n", "\\n": "\n", "\\h": "\u00a0", "\\{": "{", "\\{{}": "{", "\\}": "}", "\\\u2060": "\\"}
_STYLE = re.compile(r"\\(?:([biu])(\d*)(?=[\\}])|r)")  # \b700 is a weight
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_FACES = {"b": 1, "i": 2, "u": 4}


def runs_of(ass: str, *, comments: bool) -> tuple[Run, ...]:
    """The text of an ASS event, its lines parted by newlines; empty where nothing is shown.

    comments: whether braces without a backslash hide what is in them.
    """
    runs: list[Run] = []
    style, drawn = "", False
    for token in (_HIDING if comments else _LITERAL).findall(ass):
        if token.startswith("{") and len(token) > 1:
            style = _styled(style, token)
            for scale in re.findall(r"\\p(\d+)", token):
                drawn = scale != "0"  # what follows are coordinates
            continue
        if drawn:
            continue
        text = _ESCAPES.get(token, token)
        if runs and runs[-1][1] == style:
            text = runs.pop()[0] + text
        runs.append((text, style))
    return _trimmed(runs)


def _styled(style: str, token: str) -> str:
    for match in _STYLE.finditer(token):
        if not match[1]:
            style = ""
            continue
        style = style.replace(match[1], "")
        if match[2] not in ("", "0"):
            style = "".join(sorted(style + match[1]))
    return style


def _trimmed(runs: list[Run]) -> tuple[Run, ...]:
    # Without empty lines, which end a cue of SRT and WebVTT.
    kept: list[Run] = []
    for text, style in runs:
        text = re.sub(r"\s*\n\s*", "\n", text)
        if not kept or kept[-1][0].endswith("\n"):
            text = text.lstrip()
        if text:
            kept.append((text, style))
    while kept and not (last := kept[-1][0].rstrip()):
        kept.pop()
    if kept:
        kept[-1] = (last, kept[-1][1])
    return tuple(kept)


def srt(runs: tuple[Run, ...]) -> bytes:
    """A packet of SubRip: the text with <b>, <i> and <u>."""
    return "".join(_tagged(text, style) for text, style in runs).encode()


def webvtt(runs: tuple[Run, ...]) -> bytes:
    """A packet of WebVTT: as SubRip, with what would be read as markup escaped."""
    return "".join(_tagged(text.translate(_ENTITIES), style) for text, style in runs).encode()


def _tagged(text: str, style: str) -> str:
    return "".join(f"<{face}>" for face in style) + text + "".join(f"</{face}>" for face in reversed(style))


def mov_text(runs: tuple[Run, ...]) -> bytes:
    """A sample of 3GPP timed text: its length, the text, and a box of styles where it has any."""
    payload = "".join(text for text, _ in runs).encode()[:0xFFFF]
    payload = payload.decode(errors="ignore").encode()  # a character may have been cut
    at, styles = 0, []
    for text, style in runs:
        if style:
            faces = sum(_FACES[face] for face in style)
            styles.append(struct.pack(">3H2B4s", at, at + len(text), 1, faces, 16, b"\xff\xff\xff\xff"))
        at += len(text)
    box = struct.pack(">I4sH", 10 + 12 * len(styles), b"styl", len(styles)) + b"".join(styles) if styles else b""
    return struct.pack(">H", len(payload)) + payload + box
