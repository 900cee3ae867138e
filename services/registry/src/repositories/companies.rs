//! Companies: found, registered, changed. Every change leaves its trace in the history, in the same
//! transaction.

use piton::chrono::{DateTime, SubsecRound, Utc};
use piton::db::{AsJson, Kind, Sql, Tx, Where};
use piton::http::{Listing, NoFilter, Page, Unsorted};
use piton::prelude::*;

use super::folded;
use crate::converters::Cnpj;
use crate::models::{Action, Company, CompanyOrder, HistoryEntry, NewCompany, Search};

const COLUMNS: &str =
    "SELECT cnpj, name, state, partners, revision, created_at, updated_at FROM companies";

/// Reads a company and keeps its row until the transaction ends. SQLite has one writer at a time and
/// does not need it; where there are several, two changes at once would both start from what was
/// before, and one of them would be lost.
const LOCK: &str = "UPDATE companies SET revision = revision WHERE cnpj = $1
    RETURNING cnpj, name, state, partners, revision, created_at, updated_at";

/// Now, as exactly as the database keeps it: what is answered is what is read again later.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// The company with this number.
///
/// # Errors
/// 404 if there is none.
pub async fn find(db: &Db, cnpj: Cnpj) -> Result<Company> {
    let sql = Sql::new(COLUMNS).push(" WHERE cnpj = ").bind(cnpj);
    db.one::<Company>(sql, ()).await?.ok_or_else(|| unknown(cnpj))
}

fn unknown(cnpj: Cnpj) -> Error {
    Error::not_found(format!("no company with the CNPJ {cnpj} is registered"))
}

/// One page of the companies that fit.
///
/// # Errors
/// Those of the database.
pub async fn search(db: &Db, asked: &Listing<Search, CompanyOrder>) -> Result<Page<Company>> {
    let fitting = fitting(&asked.filter);
    let count = Sql::new("SELECT count(*) FROM companies").filter(&fitting);
    let total: i64 = db.one(count, ()).await?.unwrap_or_default();
    let companies = Sql::new(COLUMNS).filter(&fitting).sort(&asked.sort);
    Ok(db.page(asked, companies, total.unsigned_abs()).await?)
}

fn fitting(search: &Search) -> Where {
    Where::new()
        .one_of("state", search.state.as_ref())
        .contains("searched", search.q.as_deref().map(folded))
        .at_least("updated_at", search.updated_since)
}

/// Registers a company.
///
/// # Errors
/// 409 if its number is registered already.
pub async fn insert(db: &Db, new: NewCompany) -> Result<Company> {
    let company = new.registered(now());
    let inserted = db.transaction(async |tx| insert_in(tx, &company).await).await;
    match inserted {
        Ok(()) => Ok(company),
        Err(error) if error.kind() == Kind::Unique => {
            let detail = format!("a company with the CNPJ {} is registered already", company.cnpj);
            Err(Error::conflict(detail).caused_by(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// Registers a company as part of a transaction.
///
/// # Errors
/// [`Kind::Unique`] if its number is registered already.
pub async fn insert_in(tx: &mut Tx, company: &Company) -> Result<(), piton::db::Error> {
    tx.run(
        "INSERT INTO companies (cnpj, name, searched, state, partners, revision, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        (
            company.cnpj,
            &company.name,
            folded(&company.name),
            company.state,
            company.partners.as_ref().map(AsJson),
            company.revision,
            company.created_at,
            company.updated_at,
        ),
    )
    .await?;
    remember(tx, Action::Insert, company).await
}

/// Changes a company. What `change` makes of it is written unless it is what was there already:
/// then nothing is, and the history does not grow. `change` sees the row locked: what it checks still
/// holds when the change is written.
///
/// # Errors
/// 404 if it is not registered; those of `change`.
pub async fn update(
    db: &Db,
    cnpj: Cnpj,
    change: impl FnOnce(&Company) -> Result<Company>,
) -> Result<Company> {
    let mut tx = db.begin().await?;
    let before: Company = tx.one(LOCK, (cnpj,)).await?.ok_or_else(|| unknown(cnpj))?;
    let mut after = change(&before)?;
    if after == before {
        return Ok(before);
    }
    after.revision += 1;
    // A clock that was set back must not put a change before the one it follows.
    after.updated_at = now().max(before.updated_at);
    tx.run(
        "UPDATE companies
         SET name = $2, searched = $3, state = $4, partners = $5, revision = $6, updated_at = $7
         WHERE cnpj = $1",
        (
            cnpj,
            &after.name,
            folded(&after.name),
            after.state,
            after.partners.as_ref().map(AsJson),
            after.revision,
            after.updated_at,
        ),
    )
    .await?;
    remember(&mut tx, Action::Update, &after).await?;
    tx.commit().await?;
    Ok(after)
}

async fn remember(tx: &mut Tx, action: Action, company: &Company) -> Result<(), piton::db::Error> {
    tx.run(
        "INSERT INTO company_history (cnpj, revision, action, at, company) VALUES ($1, $2, $3, $4, $5)",
        (company.cnpj, company.revision, action, company.updated_at, AsJson(company)),
    )
    .await?;
    Ok(())
}

/// Which page of the changes; a page has room for those of most companies.
pub type Changes = Listing<NoFilter, Unsorted, 100, 1000>;

/// One page of what became of a company, the latest first.
///
/// # Errors
/// 404 if it is not registered.
pub async fn history(db: &Db, cnpj: Cnpj, asked: &Changes) -> Result<Page<HistoryEntry>> {
    let of = Where::new().equal("cnpj", Some(cnpj));
    let count = Sql::new("SELECT count(*) FROM company_history").filter(&of);
    let total: i64 = db.one(count, ()).await?.unwrap_or_default();
    // Registering writes the first entry: without one there is no company.
    if total == 0 {
        return Err(unknown(cnpj));
    }
    let entries = Sql::new("SELECT revision, action, at, company FROM company_history")
        .filter(&of)
        .push(" ORDER BY revision DESC");
    Ok(db.page(asked, entries, total.unsigned_abs()).await?)
}
