"""A Celery application: tasks in Python, and tasks in Rust that are called by their names.

The broker is CELERY_BROKER_URL, the results are in CELERY_RESULT_BACKEND, and CELERY_OPTIONS is JSON of further options.
"""

import json
import os
import time

from celery import Celery

app = Celery("shop", broker=os.environ["CELERY_BROKER_URL"], backend=os.environ["CELERY_RESULT_BACKEND"])
app.conf.update(
    task_routes={"rs.*": {"queue": "rust"}},
    broker_connection_retry_on_startup=True,
    **json.loads(os.environ.get("CELERY_OPTIONS", "{}")),
)


@app.task(name="py.add")
def add(x, y):
    return x + y


@app.task(name="py.echo")
def echo(value=None):
    return value


@app.task(name="py.sum")
def total(numbers):
    return sum(numbers)


@app.task(name="py.fail")
def fail(message):
    raise ValueError(message, 42)


@app.task(name="py.sleep")
def sleep(seconds):
    time.sleep(seconds)
    return seconds


@app.task(name="py.retry", bind=True, max_retries=3)
def retry(self, times):
    if self.request.retries < times:
        raise self.retry(countdown=0.1)
    return self.request.retries


@app.task(name="py.headers", bind=True)
def headers(self):
    return self.request.headers
