"""What only carriersim needs: being told of our numbers, which a real carrier's console is told.

Owns the one call to carriersim's control address. Sending to it goes the way of every carrier.
"""

import json
import logging
import urllib.error
import urllib.request

from messaging.models import SenderNumber

log = logging.getLogger(__name__)

TIMEOUT_S = 2.0


def number_register(sender: SenderNumber, inbound_url: str) -> bool:
    """Tell carriersim where texts to `sender` go.

    Returns:
        Whether it answered. A carriersim that is not up is logged, not an error: texts still go
        out, and `manage.py bootstrap_platform` tells it again.
    """
    carrier = sender.carrier_account
    body = json.dumps(
        {
            "number": sender.phone,
            "account_sid": carrier.external_id,
            "inbound_url": inbound_url,
        }
    ).encode()
    request = urllib.request.Request(
        f"{carrier.api_base_url}/sim/numbers",
        data=body,
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):
            return True
    except (urllib.error.URLError, OSError) as error:
        log.warning("carriersim was not told about %s: %s", sender.phone, error)
        return False
