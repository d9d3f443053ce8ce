"""The Celery application: queues, routes and the beat timetable.

A task in the broker is only a hint that there is work; PostgreSQL holds the work itself. Every hint
therefore has a sweeper in the timetable below that finds what a lost hint left behind.
"""

import os

from celery import Celery
from kombu.transport.redis import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsplatform.settings")

app = Celery("smsplatform")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# A worker that loses Redis would put back the hints it holds, for which kombu needs Redis; the
# worker then ends (AttributeError in Channel._connparams). Hints need no putting back: the sweepers
# find their work.
Channel.do_restore = False
