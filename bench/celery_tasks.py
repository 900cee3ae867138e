"""Celery on Redis, SQLite or PostgreSQL, as `cargo xtask bench tasks` measures it.

    celery_tasks.py --broker URL --backend URL run COUNT        prints singly_per_second, consumed_per_second
    celery_tasks.py --broker URL --backend URL latency COUNT    prints latency_p50_ms, latency_p99_ms
    celery_tasks.py --broker URL --backend URL worker           runs a worker until it is stopped

SQLite's file should be in WAL mode; `--synchronous` sets the pragma of that name, as `db.synchronous` does in Piton.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from celery import Celery

PARSER = argparse.ArgumentParser()
PARSER.add_argument("--broker", required=True)
PARSER.add_argument("--backend", required=True)
PARSER.add_argument("--synchronous", choices=["normal", "full"], default="full")
PARSER.add_argument("--callers", type=int, default=1, help="threads that send")
PARSER.add_argument("--ignore-results", action="store_true", help="store no results; on Redis alone")
PARSER.add_argument("command", choices=["run", "latency", "worker"])
PARSER.add_argument("count", type=int, nargs="?", default=0)
OPTIONS = PARSER.parse_args()

# A worker that stores no result for so long has failed.
PROGRESS_TIMEOUT_S = 60

app = Celery("celery_tasks", broker=OPTIONS.broker, backend=OPTIONS.backend)
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=100,
    broker_connection_retry_on_startup=True,
    broker_pool_limit=OPTIONS.callers,
    worker_send_task_events=False,
    task_ignore_result=OPTIONS.ignore_results,
)

if "sqlite" in OPTIONS.broker:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    @event.listens_for(Engine, "connect")
    def set_pragmas(connection, _record):
        connection.execute(f"PRAGMA synchronous = {OPTIONS.synchronous}")
        connection.execute("PRAGMA busy_timeout = 30000")


@app.task(name="bench.add")
def add(x, y):
    return x + y


@app.task(name="bench.timed")
def timed(sent):
    return time.time() - sent


def counter():
    """Returns a function that returns how many results are stored, or tasks have ended if none are."""
    if OPTIONS.ignore_results:
        import redis

        server = redis.Redis.from_url(OPTIONS.broker)
        # Counted down from those that were sent.
        return lambda: -(server.llen("celery") + server.hlen("unacked"))
    if OPTIONS.backend.startswith("redis"):
        import redis

        return redis.Redis.from_url(OPTIONS.backend).dbsize
    from sqlalchemy import create_engine, text

    # Makes the tables.
    app.backend.ResultSession().close()
    engine = create_engine(OPTIONS.backend.removeprefix("db+"))

    def count():
        with engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM celery_taskmeta")).scalar()

    return count


def wait_for(stored, goal):
    """Waits until so many results are stored."""
    last, since = stored(), time.monotonic()
    while last < goal:
        time.sleep(0.02)
        now = stored()
        if now > last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > PROGRESS_TIMEOUT_S:
            sys.exit(f"Celery's worker has stored {last} of {goal} results and goes no further; start it by hand to see why")


@contextlib.contextmanager
def worker():
    """Runs a worker in a process of its own."""
    at = sys.argv.index(OPTIONS.command)
    # Stopped by the kernel if this process is killed.
    command = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, *sys.argv[:at], "worker"]
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.abspath(__file__)))
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def send(count):
    with ThreadPoolExecutor(OPTIONS.callers) as callers:
        started = time.monotonic()
        for _ in callers.map(lambda n: add.delay(n, n), range(count)):
            pass
        return count / (time.monotonic() - started)


def run(count):
    stored = counter()
    before = stored() - (count if OPTIONS.ignore_results else 0)
    print(f"singly_per_second {send(count):.1f}", flush=True)
    with worker():
        wait_for(stored, before + 1)
        started, first = time.monotonic(), stored()
        wait_for(stored, before + count)
        print(f"consumed_per_second {(before + count - first) / (time.monotonic() - started):.1f}")


def latency(count):
    stored = counter()
    with worker():
        goal = stored() + 2
        for _ in range(2):
            add.delay(1, 1)
        wait_for(stored, goal)
        results = []
        for n in range(count):
            results.append(timed.delay(time.time()))
            # Not in step with the worker's polls.
            time.sleep(0.03 + 0.0137 * (n % 5))
        wait_for(stored, goal + count)
        latencies = sorted(1000 * result.get(timeout=PROGRESS_TIMEOUT_S) for result in results)
    for name, share in [("p50", 0.5), ("p99", 0.99)]:
        print(f"latency_{name}_ms {latencies[int((count - 1) * share)]:.3f}")


if OPTIONS.command == "run":
    run(OPTIONS.count)
elif OPTIONS.command == "latency":
    latency(OPTIONS.count)
else:
    sys.argv = sys.argv[:1]
    # Two processes for two processors.
    app.worker_main(["worker", "--concurrency=2", "--loglevel=ERROR", "--without-gossip", "--without-mingle"])
