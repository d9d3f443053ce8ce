"""The ASGI application of the edge process, which `python -m smsplatform.edge` serves.

Django is set up for its settings and models only; its request stack would cost ten times the work
itself (docs/performance.md).
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsplatform.settings")
django.setup()

from smsplatform.edge.edge import app  # noqa: E402  (models exist only once Django is set up)

__all__ = ["app"]
