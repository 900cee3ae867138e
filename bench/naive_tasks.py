"""The loop that one would write without a framework: a table of tasks in SQLite, worked off in batches.

It has no workers, leases, priorities, times or retries, and says what the database and the machine allow.
`naive_tasks.py FILE SYNCHRONOUS COUNT` prints a name and a number a line.
"""

import json
import sqlite3
import sys
import time

BATCH = 100
SEND_BATCH = 1000

file, synchronous, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
db = sqlite3.connect(file, isolation_level=None)
db.executescript(
    f"""
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = {synchronous};
    CREATE TABLE tasks (id INTEGER PRIMARY KEY, state INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL, result TEXT);
    CREATE INDEX ready ON tasks (id) WHERE state = 0;
    """
)


def transaction(sql, rows):
    db.execute("BEGIN IMMEDIATE")
    db.executemany(sql, rows)
    db.execute("COMMIT")


def send(count, batch):
    started = time.perf_counter()
    for first in range(0, count, batch):
        rows = [(json.dumps({"task": "add", "args": [first + n, 1]}),) for n in range(batch)]
        transaction("INSERT INTO tasks (body) VALUES (?)", rows)
    return count / (time.perf_counter() - started)


def work():
    started, done = time.perf_counter(), 0
    claim = (
        "UPDATE tasks SET state = 1 WHERE id IN (SELECT id FROM tasks WHERE state = 0 ORDER BY id LIMIT ?) "
        "RETURNING id, body"
    )
    while claimed := db.execute(claim, (BATCH,)).fetchall():
        results = [(json.dumps(sum(json.loads(body)["args"])), id) for id, body in claimed]
        transaction("UPDATE tasks SET state = 2, result = ? WHERE id = ?", results)
        done += len(claimed)
    return done / (time.perf_counter() - started)


print("batches_per_second", send(count, SEND_BATCH))
print("consumed_per_second", work())
