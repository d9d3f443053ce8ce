"""The edge: carrier webhooks and short links, without Django's request stack (see `app.py`)."""
