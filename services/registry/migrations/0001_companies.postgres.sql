-- Companies as they are now.
CREATE TABLE companies (
    cnpj       TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    -- The name in lower case and without accents: what a search looks at. Ordered by its bytes, as in
    -- SQLite, whatever the server's language.
    searched   TEXT COLLATE "C" NOT NULL,
    state      TEXT NOT NULL,
    -- NULL where they are not known.
    partners   JSONB,
    revision   BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX companies_by_state ON companies (state, searched, cnpj);
CREATE INDEX companies_by_name ON companies (searched, cnpj);

-- Companies as they were after each change.
CREATE TABLE company_history (
    cnpj     TEXT NOT NULL REFERENCES companies (cnpj),
    revision BIGINT NOT NULL,
    action   TEXT NOT NULL CHECK (action IN ('insert', 'update')),
    at       TIMESTAMPTZ NOT NULL,
    -- The whole company.
    company  JSONB NOT NULL,
    PRIMARY KEY (cnpj, revision)
);
