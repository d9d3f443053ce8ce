"""Pages of the API's list of messages: none reads more than one look may cost (docs/adr/0016)."""

from typing import Any

from rest_framework.pagination import Cursor
from rest_framework.request import Request

from common.pagination import KeysetPagination, Page, bounded_page
from messaging.models import Message
from messaging.selectors.messages import LOOKED_AT_MOST


class MessagePagination(KeysetPagination):
    """Newest first; the messages of one batch by its own numbers, which have an index.

    What no index finds is looked for in so many messages at a time: a page may then hold fewer than
    asked for, even none, and has a `next` as long as there are others to look at.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The page that the cursor names; `view.looked_through` says what it is among."""
        self.base_url = request.build_absolute_uri()
        among, key = view.looked_through()
        cursor = self.decode_cursor(request)
        side = "after" if cursor and cursor.reverse else "before"
        self.found: Page[Message] = bounded_page(
            queryset,
            {side: str(cursor.position)} if cursor else {},
            among=among,
            most=LOOKED_AT_MOST,
            size=self.get_page_size(request) or self.page_size,
            key=key,
        )
        return list(self.found.rows)

    def get_next_link(self) -> str | None:
        """Where older ones are."""
        return self._link(self.found.older, reverse=False)

    def get_previous_link(self) -> str | None:
        """Where newer ones are."""
        return self._link(self.found.newer, reverse=True)

    def _link(self, position: str | None, *, reverse: bool) -> str | None:
        if position is None:
            return None
        return str(self.encode_cursor(Cursor(offset=0, reverse=reverse, position=int(position))))
