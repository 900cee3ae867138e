//! The commands `tasks ..` of a service, on both databases.

use serde_json::Value;
use test_support::service;

use crate::tasks::{PROGRAM, Shared, postgres, send, sqlite};

/// The commands of a service whose worker is off.
struct Commands {
    shared: Shared,
}

impl Commands {
    /// Runs `tasks` with these arguments. Returns what it prints.
    async fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let all = [&["tasks"], arguments, &["--set", &self.shared.setting]].concat();
        let output = service::run(PROGRAM, &all, &[]).await;
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        if output.status.success() { Ok(stdout) } else { Err(stderr) }
    }

    async fn says(&self, arguments: &[&str], expected: &str) {
        let said = self.run(arguments).await.unwrap();
        assert_eq!(said.trim_end(), expected, "{arguments:?}");
    }

    async fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let said = self.run(&[arguments, &["--json"]].concat()).await.unwrap();
        serde_json::from_str(&said).unwrap()
    }

    async fn ids(&self, state: &str) -> Vec<String> {
        let tasks = self.json(&["list", "--name", "tasks.work", "--state", state]).await;
        tasks.iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
    }
}

async fn tasks_are_chosen_and_changed(shared: Shared) {
    let front = shared.front().await;
    send(&front, 5, 0).await;
    let commands = Commands { shared };
    let ids = commands.ids("queued").await;
    assert_eq!(ids.len(), 5);

    // What would change everything has to say so.
    let refused = commands.run(&["cancel"]).await.unwrap_err();
    assert!(refused.contains("--all"), "{refused}");

    commands.says(&["cancel", &ids[0], &ids[1]], "2 tasks revoked.").await;
    let again = commands.run(&["cancel", &ids[0]]).await.unwrap();
    assert!(again.starts_with("0 tasks revoked: none of these ids"), "{again}");
    assert_eq!(commands.ids("revoked").await.len(), 2);

    // A revoked task is sent again if it is meant, and not with all failed ones.
    commands.says(&["retry", "--name", "tasks.work"], "0 tasks sent again.").await;
    commands.says(&["retry", &ids[0]], "1 task sent again.").await;
    commands.says(&["retry", "--state", "revoked"], "1 task sent again.").await;
    assert_eq!(commands.ids("queued").await.len(), 5);

    commands.says(&["purge", "--name", "tasks.work", "--limit", "2"], "2 tasks removed.").await;
    commands.says(&["purge", "--older-than", "1h"], "0 tasks removed.").await;
    let shown = commands.run(&["show", &commands.ids("queued").await[0]]).await.unwrap();
    assert!(shown.contains("tasks.work") && shown.contains("queued"), "{shown}");
    let unknown = commands.run(&["show", "nothing"]).await.unwrap_err();
    assert!(unknown.contains("no task nothing"), "{unknown}");

    let misspelt = commands.run(&["pause", "cellery"]).await.unwrap_err();
    assert!(misspelt.contains("Known are celery;"), "{misspelt}");
    assert_eq!(commands.json(&["queues"]).await.len(), 1, "nothing is paused");
    commands.run(&["pause", "cellery", "--force"]).await.unwrap();
    commands.run(&["resume", "cellery"]).await.unwrap();
    commands.run(&["pause", "celery"]).await.unwrap();
    let queues = commands.json(&["queues"]).await;
    let queue = queues.iter().find(|queue| queue["queue"] == "celery").unwrap();
    assert_eq!((&queue["paused"], &queue["queued"]), (&true.into(), &3.into()), "{queue}");
    let _worker = commands.shared.worker().await;
    assert_eq!(commands.json(&["workers"]).await.len(), 1);
    assert_eq!(commands.ids("queued").await.len(), 3);
    commands.run(&["resume", "celery"]).await.unwrap();
    test_support::wait_for("the tasks to run", || async {
        commands.ids("succeeded").await.len() == 3
    })
    .await;

    let schedule = commands.run(&["cron", "pause", "nothing"]).await.unwrap_err();
    assert!(schedule.contains("tasks cron list"), "{schedule}");
    commands.run(&["cron", "pause", "tasks.tick"]).await.unwrap();
    let schedules = commands.run(&["cron"]).await.unwrap();
    assert!(schedules.contains("tasks.tick") && schedules.contains("paused"), "{schedules}");
    commands.run(&["cron", "reset", "tasks.tick"]).await.unwrap();
}

/// The commands that only read.
const READING: [&[&str]; 7] = [
    &["list"],
    &["dead"],
    &["show", "id"],
    &["queues"],
    &["workers"],
    &["cron"],
    &["cron", "list"],
];

#[tokio::test]
async fn reading_commands_create_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("misspelt/tasks.db");
    let commands = Commands { shared: Shared::in_file(&file) };
    for command in READING {
        let refused = commands.run(command).await.unwrap_err();
        assert!(refused.contains("there is no database at"), "{command:?}: {refused}");
        assert!(refused.contains("set db.path or db.url"), "{command:?}: {refused}");
    }
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn reading_commands_create_no_tables() {
    let shared = postgres();
    let commands = Commands { shared };
    for command in READING {
        let refused = commands.run(command).await.unwrap_err();
        assert!(refused.contains("has no tables of tasks"), "{command:?}: {refused}");
    }
    // A command that changes creates them, and the service's own: then there is something to read.
    commands.run(&["cron", "pause", "tasks.tick"]).await.unwrap();
    for command in READING.iter().filter(|command| command[0] != "show") {
        commands.run(command).await.unwrap();
    }
}

#[tokio::test]
async fn tasks_in_memory_are_not_for_commands() {
    let shared = sqlite();
    let refused = Commands { shared }.run(&["list", "--set", "tasks.broker=memory"]).await;
    let refused = refused.unwrap_err();
    assert!(refused.contains("set tasks.broker to `database`"), "{refused}");
}

#[tokio::test]
async fn tasks_are_chosen_and_changed_on_sqlite() {
    tasks_are_chosen_and_changed(sqlite()).await;
}

#[tokio::test]
async fn tasks_are_chosen_and_changed_on_postgres() {
    tasks_are_chosen_and_changed(postgres()).await;
}
