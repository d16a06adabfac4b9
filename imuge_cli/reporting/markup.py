"""Pieces of HTML. What comes from outside, file names above all, goes through `text`."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from imuge_cli.reporting.thumbnails import Thumbnail

# Control characters have no place in HTML, and a file name that holds one should be seen to do so.
_VISIBLE = {code: 0x2400 + code for code in range(32)} | {127: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def text(value: str) -> str:
    """Any text, for the content of an element or a quoted attribute."""
    return escape(value.encode("utf-8", "replace").decode("utf-8").translate(_VISIBLE))


def name(value: str) -> str:
    """A file's name: broken after folders, and set apart, so that its writing direction reorders nothing beside it."""
    return f'<bdi class="name">{text(value).replace("/", "/<wbr>")}</bdi>'


def image(thumbnail: Thumbnail, alt: str) -> str:
    """The picture itself, inside the page."""
    content = base64.b64encode(thumbnail.data).decode("ascii")
    return f'<img alt="{text(alt)}" src="data:{text(thumbnail.mime)};base64,{content}">'


def facts(caption: str, rows: Sequence[tuple[str, str]]) -> str:
    """A table of names and values; the values are HTML. Nothing where there are no rows."""
    if not rows:
        return ""
    body = "".join(f'<tr><th scope="row">{text(label)}</th><td>{value}</td></tr>\n' for label, value in rows)
    return f'<table class="facts"><caption>{text(caption)}</caption><tbody>\n{body}</tbody></table>\n'


def badge(verdict: str) -> str:
    """The verdict as a coloured word."""
    return f'<span class="verdict {text(verdict)}">{text(verdict)}</span>'
