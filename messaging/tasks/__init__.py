"""Background work of messaging; each task loads, calls one service and nothing more.

Importing the modules registers their tasks with Celery.
"""

from messaging.tasks import audience, events, media, sending

__all__ = ["audience", "events", "media", "sending"]
