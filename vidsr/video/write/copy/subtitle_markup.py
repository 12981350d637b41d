"""Markup of subtitles: parsed from ASS events, which FFmpeg's decoders make of all text; written for other codecs."""

import re
import struct

Run = tuple[str, str]
"""A piece of text, and its style: letters of "biu" for bold, italics and underlines."""

_TOKEN = r"\\\u2060|\\\{\{\}|\\[Nnh{}]|%s|[^\\{]+|."
_WITH_COMMENTS = re.compile(_TOKEN % r"\{[^{}]*\}", re.DOTALL)
_WITHOUT_COMMENTS = re.compile(_TOKEN % r"\{\\(?!N)[^{}]*\}", re.DOTALL)  # only {\...} is markup
_ESCAPES = {"\\N": "\n", "\\n": "\n", "\\h": "\u00a0", "\\{": "{", "\\{{}": "{", "\\}": "}", "\\\u2060": "\\"}
_STYLE = re.compile(r"\\(?:([biu])(\d*)(?=[\\}])|r)")  # \b700 is a weight
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_FACES = {"b": 1, "i": 2, "u": 4}


def parse_ass(text: str, *, has_comments: bool) -> tuple[Run, ...]:
    """Return the text of an ASS event, with newlines between its lines; empty if nothing is shown.

    has_comments: whether braces without a backslash hide the text in them.
    """
    runs: list[Run] = []
    style, is_drawing = "", False
    for token in (_WITH_COMMENTS if has_comments else _WITHOUT_COMMENTS).findall(text):
        if token.startswith("{") and len(token) > 1:
            style = _updated_style(style, token)
            for scale in re.findall(r"\\p(\d+)", token):
                is_drawing = scale != "0"  # coordinates follow
            continue
        if is_drawing:
            continue
        shown = _ESCAPES.get(token, token)
        if runs and runs[-1][1] == style:
            shown = runs.pop()[0] + shown
        runs.append((shown, style))
    return _without_empty_lines(runs)


def _updated_style(style: str, token: str) -> str:
    for match in _STYLE.finditer(token):
        if not match[1]:
            style = ""
            continue
        style = style.replace(match[1], "")
        if match[2] not in ("", "0"):
            style = "".join(sorted(style + match[1]))
    return style


def _without_empty_lines(runs: list[Run]) -> tuple[Run, ...]:
    # They would end a cue of SRT and WebVTT.
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
    """Return a packet of SubRip: the text with <b>, <i> and <u>."""
    return "".join(_tagged(text, style) for text, style in runs).encode()


def webvtt(runs: tuple[Run, ...]) -> bytes:
    """Return a packet of WebVTT: as SubRip, with characters escaped that would be read as markup."""
    return "".join(_tagged(text.translate(_ENTITIES), style) for text, style in runs).encode()


def _tagged(text: str, style: str) -> str:
    return "".join(f"<{face}>" for face in style) + text + "".join(f"</{face}>" for face in reversed(style))


def mov_text(runs: tuple[Run, ...]) -> bytes:
    """Return a sample of 3GPP timed text: its length, the text, and a box of styles if there are any."""
    payload = "".join(text for text, _ in runs).encode()[:0xFFFF]
    payload = payload.decode(errors="ignore").encode()  # a character may have been cut
    start, styles = 0, []
    for text, style in runs:
        if style:
            faces = sum(_FACES[face] for face in style)
            styles.append(struct.pack(">3H2B4s", start, start + len(text), 1, faces, 16, b"\xff\xff\xff\xff"))
        start += len(text)
    box = struct.pack(">I4sH", 10 + 12 * len(styles), b"styl", len(styles)) + b"".join(styles) if styles else b""
    return struct.pack(">H", len(payload)) + payload + box
