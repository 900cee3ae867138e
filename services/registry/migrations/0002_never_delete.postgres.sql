-- Whatever a program tries: what was registered stays registered.
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0];
END
$$;

CREATE TRIGGER companies_are_never_deleted BEFORE DELETE OR TRUNCATE ON companies
EXECUTE FUNCTION never('companies are never deleted');

CREATE TRIGGER history_is_never_deleted BEFORE DELETE OR TRUNCATE ON company_history
EXECUTE FUNCTION never('history is never deleted');

CREATE TRIGGER history_is_never_changed BEFORE UPDATE ON company_history
EXECUTE FUNCTION never('history is never changed');
