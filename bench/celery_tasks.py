"""Celery on Redis, as `cargo xtask bench tasks` measures it.

    celery_tasks.py REDIS_URL send COUNT    prints sent_per_second
    celery_tasks.py REDIS_URL run COUNT     sends, starts a worker, prints consumed_per_second
"""

import os
import subprocess
import sys
import time

from celery import Celery

URL, COUNT = sys.argv[1], int(sys.argv[3]) if len(sys.argv) > 3 else 0
app = Celery("celery_tasks", broker=URL, backend=URL)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=100,
    broker_connection_retry_on_startup=True,
    worker_send_task_events=False,
)


@app.task(name="bench.add")
def add(x, y):
    return x + y


def send():
    started = time.monotonic()
    for n in range(COUNT):
        add.delay(n, n)
    return COUNT / (time.monotonic() - started)


def run():
    import redis

    send()
    client = redis.Redis.from_url(URL)
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.abspath(__file__)))
    # Two processes for two processors.
    command = [sys.executable, os.path.abspath(__file__), URL, "worker"]
    worker = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        done = lambda: client.dbsize() - len(client.keys("_kombu*")) - client.exists("celery", "unacked", "unacked_index")
        while done() < 1:
            time.sleep(0.005)
        started, first = time.monotonic(), done()
        while client.exists("celery", "unacked"):
            time.sleep(0.02)
        return (COUNT - first) / (time.monotonic() - started)
    finally:
        worker.terminate()
        worker.wait()


if sys.argv[2] == "send":
    print(f"sent_per_second {send():.0f}")
elif sys.argv[2] == "run":
    print(f"consumed_per_second {run():.0f}")
else:
    sys.argv = sys.argv[:1]
    app.worker_main(["worker", "--concurrency=2", "--loglevel=ERROR", "--without-gossip", "--without-mingle"])
