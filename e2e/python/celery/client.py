"""A client: evaluates each line of input as a Python expression, and answers with its value as JSON.

An exception is answered as {"exception": its class, "args": its arguments}.
"""

import datetime
import decimal
import json
import sys
import time
import uuid

import celery
from celery import chain, chord, group, signature
from celery.result import AsyncResult, GroupResult
from shop import add, app, echo, fail, headers, retry, sleep, total


def sig(name, *args, immutable=False):
    """Returns the signature of a task by its name."""
    return app.signature(name, args=args, immutable=immutable)


def watch(seconds, act):
    """Returns Celery's picture of workers and tasks after so many seconds of events."""
    state = app.events.State()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": state.event})
        end = time.time() + seconds
        acted = False
        with receiver.consumer_context() as (connection, _, _):
            while time.time() < end:
                try:
                    connection.drain_events(timeout=0.2)
                except TimeoutError:
                    pass
                if not acted:
                    act()
                    acted = True
    return state


def answer(line):
    try:
        return json.dumps(eval(line), default=repr)
    except Exception as error:
        args = json.loads(json.dumps(error.args, default=repr))
        return json.dumps({"exception": type(error).__name__, "args": args})


if __name__ == "__main__":
    for line in sys.stdin:
        print(answer(line), flush=True)
