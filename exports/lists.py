"""What a list must say of itself to be exported, and where the lists are found.

Each list is declared beside its own selectors (`<app>/exporting.py`) and named in the setting
EXPORT_LISTS, so that nothing here knows of contacts or messages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string

from accounts.models import Account
from common.csvout import csv_lines
from common.errors import NotFound

Params = Mapping[str, str]
CHUNK = 2000


@dataclass(frozen=True)
class ExportList:
    """One kind of list.

    Attributes:
        title: What an export of it is called, with what it is narrowed to.
        heading: Names of the columns.
        rows: The rows that the parameters ask for, of the account alone, unordered and with all
            that cells need loaded. Raises `NotFound` where they name what the account has not.
        cells: For an account, how one row becomes cells (times in the account's zone).
    """

    title: Callable[[Account, Params], str]
    heading: Callable[[Account], Sequence[str]]
    rows: Callable[[Account, Params], QuerySet[Any]]
    cells: Callable[[Account], Callable[[Any], Sequence[object]]]


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
    """The whole list as lines of CSV, heading first, oldest row first; streamed from PostgreSQL."""
    one = export_list(kind)
    cells = one.cells(account)
    rows = one.rows(account, params).order_by("pk").iterator(chunk_size=CHUNK)
    return csv_lines(one.heading(account), (cells(row) for row in rows))


def titled(name: str, words: Sequence[str]) -> str:
    """What an export is called: the list, and what it is narrowed to."""
    return f"{name}: {', '.join(words)}" if words else name


def moment_of(account: Account) -> Callable[[datetime | None], str]:
    """How times are written for an account: ISO 8601 with the offset of its zone."""
    zone = ZoneInfo(account.timezone)

    def told(moment: datetime | None) -> str:
        return moment.astimezone(zone).isoformat(timespec="seconds") if moment else ""

    return told
