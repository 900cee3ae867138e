//! Finds, inserts and changes companies. Every change is recorded in the history, in the same
//! transaction.

use piton::chrono::{DateTime, SubsecRound, Utc};
use piton::db::{AsJson, Kind, Sql, Tx, Where};
use piton::http::{Listing, NoFilter, Page, Unsorted};
use piton::prelude::*;

use super::fold_for_search;
use crate::converters::Cnpj;
use crate::models::{Action, Company, CompanyFilter, CompanyOrder, HistoryEntry, NewCompany};

const SELECT: &str =
    "SELECT cnpj, name, state, partners, revision, created_at, updated_at FROM companies";

/// Reads a company and locks its row until the transaction ends. PostgreSQL needs the lock, because
/// two concurrent changes would otherwise start from the same version, and one of them would be lost.
/// SQLite has one writer at a time.
const SELECT_LOCKED: &str = "UPDATE companies SET revision = revision WHERE cnpj = $1
    RETURNING cnpj, name, state, partners, revision, created_at, updated_at";

/// Returns the current time to the microsecond, because the database stores no finer times: the
/// response must equal what is read later.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(6)
}

/// Returns the company with this CNPJ.
///
/// # Errors
/// 404 if it is not registered.
pub async fn find(db: &Db, cnpj: Cnpj) -> Result<Company> {
    let sql = Sql::new(SELECT).push(" WHERE cnpj = ").bind(cnpj);
    db.one::<Company>(sql, ()).await?.ok_or_else(|| not_registered(cnpj))
}

fn not_registered(cnpj: Cnpj) -> Error {
    Error::not_found(format!("no company with the CNPJ {cnpj} is registered"))
}

/// Returns one page of the companies that match the filter.
///
/// # Errors
/// Those of the database.
pub async fn search(
    db: &Db,
    asked: &Listing<CompanyFilter, CompanyOrder>,
) -> Result<Page<Company>> {
    let conditions = conditions(&asked.filter);
    let count = Sql::new("SELECT count(*) FROM companies").filter(&conditions);
    let total = db.scalar(count, ()).await?;
    let companies = Sql::new(SELECT).filter(&conditions).sort(&asked.sort);
    Ok(db.page(asked, companies, total).await?)
}

fn conditions(filter: &CompanyFilter) -> Where {
    Where::new()
        .one_of("state", filter.state.as_ref())
        .contains("searched", filter.q.as_deref().map(fold_for_search))
        .at_least("updated_at", filter.updated_since)
}

/// Inserts a company.
///
/// # Errors
/// 409 if its CNPJ is registered already.
pub async fn insert(db: &Db, new: NewCompany) -> Result<Company> {
    let company = new.into_company(now());
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

/// Inserts a company in a transaction.
///
/// # Errors
/// [`Kind::Unique`] if its CNPJ is registered already.
pub async fn insert_in(tx: &mut Tx, company: &Company) -> Result<(), piton::db::Error> {
    tx.run(
        "INSERT INTO companies (cnpj, name, searched, state, partners, revision, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        (
            company.cnpj,
            &company.name,
            fold_for_search(&company.name),
            company.state,
            company.partners.as_ref().map(AsJson),
            company.revision,
            company.created_at,
            company.updated_at,
        ),
    )
    .await?;
    record_history(tx, Action::Insert, company).await
}

/// Changes a company to the result of `change`. If that equals the present company, nothing is
/// written and the history does not grow. The row is locked while `change` runs, so that its checks
/// still hold when the result is written.
///
/// # Errors
/// 404 if it is not registered; those of `change`.
pub async fn update(
    db: &Db,
    cnpj: Cnpj,
    change: impl FnOnce(&Company) -> Result<Company>,
) -> Result<Company> {
    let mut tx = db.begin().await?;
    let before: Company =
        tx.one(SELECT_LOCKED, (cnpj,)).await?.ok_or_else(|| not_registered(cnpj))?;
    let mut after = change(&before)?;
    if after == before {
        return Ok(before);
    }
    after.revision += 1;
    // Not before the previous change, because the clock may have been set back.
    after.updated_at = now().max(before.updated_at);
    tx.run(
        "UPDATE companies
         SET name = $2, searched = $3, state = $4, partners = $5, revision = $6, updated_at = $7
         WHERE cnpj = $1",
        (
            cnpj,
            &after.name,
            fold_for_search(&after.name),
            after.state,
            after.partners.as_ref().map(AsJson),
            after.revision,
            after.updated_at,
        ),
    )
    .await?;
    record_history(&mut tx, Action::Update, &after).await?;
    tx.commit().await?;
    Ok(after)
}

/// Adds the company, as it is now, to its history.
async fn record_history(
    tx: &mut Tx,
    action: Action,
    company: &Company,
) -> Result<(), piton::db::Error> {
    tx.run(
        "INSERT INTO company_history (cnpj, revision, action, at, company) VALUES ($1, $2, $3, $4, $5)",
        (company.cnpj, company.revision, action, company.updated_at, AsJson(company)),
    )
    .await?;
    Ok(())
}

/// The request for a page of a company's history. One page holds the history of most companies.
pub type HistoryListing = Listing<NoFilter, Unsorted, 100, 1000>;

/// Returns one page of a company's history, the latest change first.
///
/// # Errors
/// 404 if it is not registered.
pub async fn history(db: &Db, cnpj: Cnpj, asked: &HistoryListing) -> Result<Page<HistoryEntry>> {
    let conditions = Where::new().equal("cnpj", Some(cnpj));
    let count = Sql::new("SELECT count(*) FROM company_history").filter(&conditions);
    let total: u64 = db.scalar(count, ()).await?;
    // Without an entry there is no company, because registering it writes the first one.
    if total == 0 {
        return Err(not_registered(cnpj));
    }
    let entries = Sql::new("SELECT revision, action, at, company FROM company_history")
        .filter(&conditions)
        .push(" ORDER BY revision DESC");
    Ok(db.page(asked, entries, total).await?)
}
