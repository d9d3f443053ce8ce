"""The usual way, for `make bench-send`: a Celery task per message, Twilio's SDK, one UPDATE each.

`celery -A bench.naive worker`. Done as well as that way can be: the client and its connections are
kept, the update is one statement in autocommit.
"""

import os
from functools import lru_cache
from typing import Any

from celery import Celery
from django.conf import settings
from django.db import connection
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

# Not the current app: hints of the engine go to its own.
app = Celery("naive", broker=settings.CELERY_BROKER_URL, set_as_current=False)
app.conf.task_ignore_result = True
app.conf.task_default_queue = "naive"
app.conf.broker_transport_options = {"global_keyprefix": "naive:"}


class _Elsewhere(TwilioHttpClient):
    """The SDK's own client, sent to the sink."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        url = url.replace("https://api.twilio.com", os.environ["SINK_URL"])
        return super().request(method, url, *args, **kwargs)


@lru_cache(maxsize=1)
def _client() -> Client:
    return Client("AC" + "0" * 32, "secret", http_client=_Elsewhere())


@app.task(name="naive.send")
def send(message_id: int, to: str, sender: str, body: str, callback: str) -> None:
    """Send one message and write down the carrier's id."""
    message = _client().messages.create(to=to, from_=sender, body=body, status_callback=callback)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE messaging_message SET state = 'accepted', rank = 2, body = %s, segments = 1, "
            "carrier_code = %s, accepted_at = clock_timestamp() WHERE id = %s",
            [body, str(message.sid)[:12], message_id],
        )
