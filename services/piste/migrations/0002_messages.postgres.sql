-- What came by the queue, once each: queues deliver some messages twice.
CREATE TABLE messages (
    id          BIGSERIAL PRIMARY KEY,
    message_id  TEXT NOT NULL UNIQUE,
    body        TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL
);
