-- Finds the account of an address whatever the capitals of its domain: rows of the service in Python keep theirs.
-- backward-compatible
CREATE INDEX IF NOT EXISTS users_by_lower_email ON users (lower(email));
