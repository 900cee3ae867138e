//! Writes all companies to a CSV file.

use std::path::{Path, PathBuf};

use piton::chrono::Utc;
use piton::db::Sql;
use piton::prelude::*;
use piton::serde_json::json;
use piton::tasks::TaskRun;
use piton::tokio::fs;

use crate::models::Company;

/// Number of companies that are read at once.
const BATCH: u64 = 500;

const SELECT: &str =
    "SELECT cnpj, name, state, partners, revision, created_at, updated_at FROM companies";

/// The result of [`export()`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exported {
    /// The file.
    pub file: PathBuf,
    /// The number of companies in it.
    pub companies: u64,
}

/// Writes all companies to `exports/companies-2026-11-29.csv` in the data folder, each night. The file is written under
/// another name first, so that it is whole whenever it is there.
#[cron(
    "0 3 * * *",
    name = "registry.export",
    timezone = "America/Sao_Paulo",
    missed = coalesce,
    retries = 3,
    backoff = "1m",
    timeout = "1h"
)]
pub async fn export(db: Db, app: Handle, run: TaskRun) -> task::Result<Exported> {
    let folder = app.data_dir().join("exports");
    fs::create_dir_all(&folder).await?;
    let file = folder.join(format!("companies-{}.csv", Utc::now().date_naive()));
    // The task's id, because two runs may overlap: one by its schedule, one by hand.
    let unfinished = folder.join(format!(".{}.unfinished", run.id()));
    let written = write(&db, &run, &unfinished).await;
    if written.is_err() {
        let _ = fs::remove_file(&unfinished).await;
    }
    let companies = written?;
    fs::rename(&unfinished, &file).await?;
    Ok(Exported { file, companies })
}

async fn write(db: &Db, run: &TaskRun, path: &Path) -> task::Result<u64> {
    let total: u64 = db.scalar("SELECT count(*) FROM companies", ()).await?;
    let mut csv = csv::Writer::from_path(path)?;
    csv.write_record([
        "cnpj",
        "name",
        "state",
        "partners",
        "revision",
        "created_at",
        "updated_at",
    ])?;
    let (mut done, mut last) = (0, String::new());
    loop {
        let page = Sql::new(SELECT).push(" WHERE cnpj > ").bind(last.clone());
        let page: Vec<Company> = db.all(page.push(" ORDER BY cnpj LIMIT ").bind(BATCH), ()).await?;
        let Some(company) = page.last() else { break };
        last = company.cnpj.to_string();
        for company in &page {
            csv.write_record(record(company))?;
        }
        done += page.len() as u64;
        run.set_progress(&json!({ "done": done, "of": total.max(done) }))?;
    }
    csv.flush()?;
    Ok(done)
}

fn record(company: &Company) -> [String; 7] {
    let partners = company.partners.iter().flatten().map(|partner| partner.name.as_str());
    [
        company.cnpj.to_string(),
        company.name.clone(),
        company.state.to_string(),
        partners.collect::<Vec<_>>().join("; "),
        company.revision.to_string(),
        company.created_at.to_rfc3339(),
        company.updated_at.to_rfc3339(),
    ]
}
