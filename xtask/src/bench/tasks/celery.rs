//! Celery 5.7, measured by `bench/celery_tasks.py`: on Redis, and on SQLite and PostgreSQL by its
//! SQLAlchemy transport and result backend.

use std::process::Command;
use std::time::Duration;

use super::program::{IdleWorker, Numbers, numbers};
use super::storage::{Database, Storage};
use crate::bench::cache::Redis;
use crate::bench::{Effort, killed_with_parent};
use crate::command::{Cmd, Result, root};

/// Threads that send, at which Celery is about as fast as it gets.
const CALLERS: u64 = 8;

/// Celery with a broker and a result backend.
pub struct Celery {
    venv: &'static str,
    arguments: Vec<String>,
}

/// Returns the interpreter of a venv in `target/python`.
pub fn python(venv: &str) -> String {
    root().join("target/python").join(venv).join("bin/python").display().to_string()
}

impl Celery {
    /// Returns Celery on Redis. Results are in a database of their own there, which counts them.
    pub fn on_redis(redis: &Redis) -> Self {
        let url = |database| format!("redis://127.0.0.1:{}/{database}", redis.port);
        Self::new("celery", url(0), url(1), "full")
    }

    /// Adds an argument of `bench/celery_tasks.py`.
    pub fn with(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Returns Celery on the storage. SQLite's file is made to use a log, as Piton's does.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn on(storage: &Storage<'_>) -> Result<Self> {
        let (url, synchronous) = match &storage.database {
            Database::Sqlite { file, synchronous } => {
                let wal = "import sqlite3, sys; \
                    sqlite3.connect(sys.argv[1]).execute('PRAGMA journal_mode = wal')";
                Cmd::new("").arg(python("celery_sql")).arg("-c").arg(wal).arg(file).read()?;
                (format!("sqlite:///{}", file.display()), *synchronous)
            }
            Database::Postgres { url, .. } => {
                (url.replacen("postgres", "postgresql+psycopg2", 1), "full")
            }
        };
        Ok(Self::new("celery_sql", format!("sqla+{url}"), format!("db+{url}"), synchronous))
    }

    fn new(venv: &'static str, broker: String, backend: String, synchronous: &str) -> Self {
        let script = root().join("bench/celery_tasks.py").display().to_string();
        let callers = CALLERS.to_string();
        let options = ["--synchronous", synchronous, "--callers", &callers].map(str::to_owned);
        let mut arguments =
            vec![script, "--broker".to_owned(), broker, "--backend".to_owned(), backend];
        arguments.extend(options);
        Self { venv, arguments }
    }

    /// Measures everything that Celery has. `storage` counts its own part of the work.
    ///
    /// # Errors
    /// When a program cannot be started, or fails.
    pub fn measure(&self, effort: Effort, storage: Option<&Storage<'_>>) -> Result<Numbers> {
        let count = match storage {
            None => effort.pick(2_000, 10_000),
            // About a hundred per second.
            Some(_) => effort.pick(300, 3_000),
        };
        let run = || numbers(self.command("run").arg(count.to_string()));
        let (mut all, share) = match storage {
            None => (run()?, None),
            Some(storage) => storage.account(count, run)?,
        };
        if let Some(share) = share {
            all.set("wal_bytes_per_task", share.wal_bytes);
        }
        all.extend(numbers(self.command("latency").arg(effort.pick("20", "200")))?);
        let idle = IdleWorker::start(&mut self.command("worker"))?;
        all.extend(idle.measure(Duration::from_secs(effort.pick(5, 20)))?);
        Ok(all)
    }

    /// Returns a command of `bench/celery_tasks.py`.
    pub fn command(&self, name: &str) -> Command {
        let mut command = killed_with_parent(&[python(self.venv)]);
        command.args(&self.arguments).arg(name);
        // Celery warns of a worker that runs as root.
        command.env("PYTHONWARNINGS", "ignore");
        command
    }
}
