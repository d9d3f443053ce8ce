"""What a list must say of itself to be exported, and where the lists are found.

Each list is declared beside its own selectors (`<app>/exporting.py`) and named in the setting
EXPORT_LISTS, so that nothing here knows of contacts or messages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from accounts.models import Account
from common.csvout import csv_lines
from common.errors import NotFound
from exports.copying import Columns, Copied, page_copied

Params = Mapping[str, str]
CHUNK = 5000


@dataclass(frozen=True)
class ExportList:
    """One kind of list.

    Attributes:
        title: What an export of it is called, with what it is narrowed to.
        heading: Names of the columns.
        rows: The rows that the parameters ask for, of the account alone, unordered and with all
            that cells need loaded. Raises `NotFound` where they name what the account has not.
        cells: For an account, how one row becomes cells (times in the account's zone).
        columns: For lists of millions, in place of `cells`: what PostgreSQL writes into each column
            (`exports.copying`), in the order of the heading.
    """

    title: Callable[[Account, Params], str]
    heading: Callable[[Account], Sequence[str]]
    rows: Callable[[Account, Params], QuerySet[Any]]
    cells: Callable[[Account], Callable[[Any], Sequence[object]]] | None = None
    columns: Columns | None = None


def export_list(kind: str) -> ExportList:
    """The list of this kind.

    Raises:
        NotFound: there is no such kind.
    """
    path = settings.EXPORT_LISTS.get(kind)
    if path is None:
        raise NotFound
    found = import_string(path)
    assert isinstance(found, ExportList)
    return found


def export_lines(*, account: Account, kind: str, params: Params) -> Iterator[str]:
    """The whole list as blocks of CSV, heading first, oldest row first; read page by page."""
    one = export_list(kind)
    yield from csv_lines(one.heading(account), ())
    rows, last_id = one.rows(account, params), 0
    while True:
        page = export_page(one, account=account, rows=rows, after=last_id, size=CHUNK)
        if page.text:
            yield page.text
        if page.is_last:
            return
        last_id = page.last_id


def export_page(
    one: ExportList, *, account: Account, rows: QuerySet[Any], after: int, size: int
) -> Copied:
    """The next `size` rows of a list behind the key `after`, as lines of CSV without a heading."""
    if one.columns is not None:
        return page_copied(account=account, rows=rows, columns=one.columns, after=after, size=size)
    assert one.cells is not None
    cells = one.cells(account)
    page = list(rows.filter(pk__gt=after).order_by("pk")[:size])
    lines = csv_lines((), (cells(row) for row in page))
    text, last_id = "".join(islice(lines, 1, None)), page[-1].pk if page else 0
    return Copied(text, len(page), last_id, len(page) < size)


def titled(name: str, words: Sequence[str]) -> str:
    """What an export is called: the list, and what it is narrowed to."""
    return f"{name}: {', '.join(words)}" if words else name


def moment_of(account: Account) -> Callable[[datetime | None], str]:
    """How times are written for an account: ISO 8601 with the offset of its zone."""
    zone = ZoneInfo(account.timezone)

    def told(moment: datetime | None) -> str:
        return moment.astimezone(zone).isoformat(timespec="seconds") if moment else ""

    return told
