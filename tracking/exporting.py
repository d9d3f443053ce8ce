"""Hits on a link as a file: when, who, and what was behind each."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet

from accounts.models import Account
from common.errors import NotFound
from common.text import whole_number
from exports.lists import ExportList, Params, moment_of
from tracking.models import Click, Link
from tracking.verdicts import reasons_told

_HEAD = ("at", "recipient", "judged_as", "why", "method", "calls_itself")


def _link(account: Account, params: Params) -> Link:
    pk = whole_number(params.get("link", ""))
    link = None if pk is None else Link.objects.filter(account=account, pk=pk).first()
    if link is None:
        raise NotFound
    return link


def _title(account: Account, params: Params) -> str:
    return f"Hits on {_link(account, params).destination}"


def _rows(account: Account, params: Params) -> QuerySet[Click]:
    return Click.objects.filter(link=_link(account, params))


def _cells(account: Account) -> Callable[[Any], Sequence[object]]:
    told = moment_of(account)

    def cells(hit: Click) -> Sequence[object]:
        return [
            told(hit.at),
            hit.recipient_no,
            hit.get_verdict_display(),
            reasons_told(hit.reasons),
            hit.method,
            hit.user_agent,
        ]

    return cells


HITS = ExportList(title=_title, heading=lambda _: _HEAD, rows=_rows, cells=_cells)
