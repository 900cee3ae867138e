CREATE TABLE IF NOT EXISTS users (
    id SERIAL PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    name TEXT,
    active BOOLEAN NOT NULL DEFAULT FALSE,
    activation_token TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
