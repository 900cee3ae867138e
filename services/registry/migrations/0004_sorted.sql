-- Companies by when they were registered and written: what `sort` and `updated_since` ask for.
CREATE INDEX companies_by_creation ON companies (created_at, cnpj);
CREATE INDEX companies_by_update ON companies (updated_at, cnpj);
