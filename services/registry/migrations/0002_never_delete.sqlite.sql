-- Whatever a program tries: what was registered stays registered.
CREATE TRIGGER companies_are_never_deleted BEFORE DELETE ON companies
BEGIN
    SELECT RAISE(ABORT, 'companies are never deleted');
END;

CREATE TRIGGER history_is_never_deleted BEFORE DELETE ON company_history
BEGIN
    SELECT RAISE(ABORT, 'history is never deleted');
END;

CREATE TRIGGER history_is_never_changed BEFORE UPDATE ON company_history
BEGIN
    SELECT RAISE(ABORT, 'history is never changed');
END;
