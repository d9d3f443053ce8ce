"""Figures of a page read as somebody sees them, and the lists behind them counted to the end."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urldefrag, urljoin

from django.test import Client

_VOID: Final = {"input", "br", "img", "meta", "link", "hr", "col", "source", "wbr"}
# What is no figure: forms and what they offer, heads, and places in a list.
_NOT_SHOWN: Final = {"script", "style", "option", "thead", "button", "title", "dialog", "time"}
_NUMBER: Final = re.compile(r"\d{1,3}(,\d{3})*")


@dataclass
class _Open:
    tag: str
    attrs: dict[str, str]


@dataclass(frozen=True)
class Figure:
    """A whole number on a page.

    Attributes:
        count: What it says.
        href: The list it opens; empty where it opens none.
        within: What it stands in, from the outside in: labels, classes and tags.
    """

    count: int
    href: str
    within: tuple[str, ...]


@dataclass
class _Reader(HTMLParser):
    figures: list[Figure] = field(default_factory=list)
    rows: dict[str, list[str]] = field(default_factory=dict)
    next_href: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[_Open] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "a" and found.get("rel") == "next":
            self.next_href = found["href"]
        if tag == "tr" and any(one.tag == "tbody" for one in self.stack):
            for one in self.stack:
                self.rows.setdefault(one.attrs.get("id", ""), []).append(found.get("data-href", ""))
        if tag not in _VOID:
            self.stack.append(_Open(tag, found))

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop().tag != tag:
            pass

    def handle_data(self, data: str) -> None:
        text = data.strip()
        if text == "Look further back":
            self.next_href = next(o.attrs["href"] for o in self.stack[::-1] if o.tag == "a")
        tags = [one.tag for one in self.stack]
        if not _NUMBER.fullmatch(text) or "main" not in tags or _NOT_SHOWN & set(tags):
            return
        if any("pager" in one.attrs.get("class", "") for one in self.stack):
            return
        hrefs = [one.attrs.get("href", "") for one in self.stack if one.tag == "a"]
        within = [
            word
            for one in self.stack[tags.index("main") :]
            for word in (
                one.attrs.get("aria-label", ""),
                one.attrs.get("data-label", ""),
                *one.attrs.get("class", "").split(),
                one.tag,
            )
            if word
        ]
        self.figures.append(
            Figure(int(text.replace(",", "")), hrefs[0] if hrefs else "", tuple(within))
        )


def _read(client: Client, url: str) -> _Reader:
    answer = client.get(url, follow=True)
    assert answer.status_code == 200, url
    reader = _Reader(url=answer.redirect_chain[-1][0] if answer.redirect_chain else url)
    reader.feed(answer.content.decode())
    return reader


def figures_of(client: Client, url: str) -> list[Figure]:
    """Every whole number that stands by itself on the page, its list as a whole address."""
    return [
        Figure(one.count, urljoin(url, one.href) if one.href else "", one.within)
        for one in _read(client, url).figures
    ]


def is_list(href: str) -> bool:
    """Whether an address opens a list of messages or hits, and not another report."""
    path, anchor = urldefrag(href)
    return anchor in ("people", "hits") or path.startswith("/messages/?")


def listed(client: Client, href: str) -> list[str]:
    """The rows of a list, page by page to its end: the addresses of messages, or "" for hits."""
    path, anchor = urldefrag(href)
    rows: list[str] = []
    while path:
        reader = _read(client, path)
        found = reader.rows.get(anchor or "rows", [])
        rows += [row for row in found if anchor == "hits" or row.startswith("/messages/")]
        path = urljoin(reader.url, reader.next_href) if reader.next_href else ""
    return rows
