-- The table may be there: it is that of the service in Python whose place this one takes.
CREATE TABLE IF NOT EXISTS users (
    id               SERIAL PRIMARY KEY,
    email            TEXT NOT NULL UNIQUE,
    password_hash    TEXT NOT NULL,
    name             TEXT,
    active           BOOLEAN NOT NULL DEFAULT FALSE,
    activation_token TEXT,
    created_at       TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX IF NOT EXISTS users_by_activation_token ON users (activation_token);
