-- What came by the queue, once each: queues deliver some messages twice.
CREATE TABLE messages (
    id          INTEGER PRIMARY KEY,
    message_id  TEXT NOT NULL UNIQUE,
    body        TEXT NOT NULL,
    received_at TEXT NOT NULL
);
