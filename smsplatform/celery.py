"""The Celery application: queues, routes and the beat timetable.

A task in the broker is only a hint that there is work; PostgreSQL holds the work itself. Every hint
therefore has a sweeper in the timetable below that finds what a lost hint left behind.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsplatform.settings")

app = Celery("smsplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
