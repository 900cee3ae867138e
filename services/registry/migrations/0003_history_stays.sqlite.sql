-- `INSERT OR REPLACE` deletes the row in its way without asking the triggers of deletes.
CREATE TRIGGER history_is_never_overwritten BEFORE INSERT ON company_history
WHEN EXISTS (SELECT 1 FROM company_history WHERE cnpj = NEW.cnpj AND revision = NEW.revision)
BEGIN
    SELECT RAISE(ABORT, 'history is never changed');
END;
