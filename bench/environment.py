"""Settings that a benchmark needs otherwise than a test run has them; in place before Django's."""

from typing import Final

# Where `bench_edge` serves the edge.
PORT: Final = 18_711

OF: Final = {
    "bench_edge": {
        "EDGE_URL": f"http://127.0.0.1:{PORT}",
        "LINK_URL": f"http://127.0.0.1:{PORT}",
        # The log-in of `bench.send_parts.Shop`, through which the whole loop sends.
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "secret",
    },
}
