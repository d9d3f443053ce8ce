"""Composition root: settings, URLs, Celery, entry points. Imports all; no app imports it."""

from smsplatform.celery import app as celery_app

__all__ = ["celery_app"]
