//! The second half of `docs/MIGRATING-FROM-FLASK.md`, done as it stands there: a task of Celery moves to Rust, and back.

use test_support::free_port;
use test_support::redis::Redis;
use test_support::walkthrough::{Action, WalkthroughRunner};

use crate::migration_guide::{empty_folder, is_of_tasks, page, variables, workspace};

#[tokio::test]
async fn the_tutorial_of_tasks_does_what_it_says() {
    let folder = empty_folder(&["shop", "totals"]);
    std::fs::create_dir_all(&folder).unwrap();
    let redis = Redis::start();
    let names = [
        ("6379", redis.port().to_string()),
        ("5001", free_port().to_string()),
        ("../piton/crates/piton", workspace().join("crates/piton").display().to_string()),
        // The folder is in this workspace, and not part of it.
        ("[dependencies]", "[workspace]\n[dependencies]".to_owned()),
    ];
    let mut reader = WalkthroughRunner::new(&folder, &variables(&folder, "celery"), &names);
    reader.run_command("redis-cli() { command redis-cli -p 6379 \"$@\"; }");
    for step in page().steps.iter().filter(|step| is_of_tasks(step)) {
        if matches!(&step.action, Action::Type { command, .. } if command == "cargo build") {
            // The versions that are tested here are those that are on this machine.
            std::fs::copy(workspace().join("Cargo.lock"), folder.join("totals/Cargo.lock"))
                .unwrap();
        }
        println!("{}: {:?}", step.line, step.action);
        reader.run_step(step);
    }
    assert_eq!(redis.command(&["EXISTS", "rust", "celery", "rust.dead"]), "0");
    assert_eq!(redis.command(&["HLEN", "unacked"]), "0");
}
