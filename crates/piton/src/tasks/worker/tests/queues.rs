//! The queues that a worker reads.

use super::fixture::{Fixture, echo};

#[tokio::test(start_paused = true)]
async fn a_worker_knows_which_of_its_queues_no_task_names() {
    let mut fixture = Fixture::new().await;
    assert!(fixture.worker([echo()]).0.unknown_queues().is_empty());
    fixture.settings.queues = vec!["celery".to_owned(), "cellery".to_owned()];
    assert_eq!(fixture.worker([echo()]).0.unknown_queues(), ["cellery"]);
}
