"""Celery's beat, whose tasks are in Rust: beat.py FILE, where FILE keeps the times of the last runs."""

import datetime
import sys

from celery.schedules import crontab
from shop import app

QUEUE = {"queue": "rust"}
app.conf.beat_schedule = {
    "each second": {"task": "rs.echo", "schedule": 1.0, "args": ["interval"], "options": QUEUE},
    # Last run long ago, so that it is due at once.
    "each minute": {
        "task": "rs.echo",
        "schedule": crontab(),
        "args": ["crontab"],
        "options": QUEUE,
        "last_run_at": datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    },
    # Routed by its name.
    "marked": {"task": "rs.headers", "schedule": 1.0, "kwargs": {"name": "celery_beat_task"}, "options": {"expires": 60}},
}

if __name__ == "__main__":
    app.start(["beat", "--loglevel=warning", f"--schedule={sys.argv[1]}", "--pidfile="])
