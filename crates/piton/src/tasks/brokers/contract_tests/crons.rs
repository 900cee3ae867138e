//! Schedules: one run for each tick.

use super::*;

on_every_broker! {
    async fn a_tick_fires_once(broker) {
        let other = broker.another().await;
        let run = |tick: i64| broker.new_task(format!("tick-{tick}"));
        assert_eq!(broker.cron("nightly", 1000).await.unwrap().last_tick_ms, 1000);
        assert!(broker.fire("nightly", 2000, Some(&run(2000))).await.unwrap());
        assert!(!other.fire("nightly", 2000, Some(&broker.new_task("double"))).await.unwrap());
        assert!(other.fire("nightly", 3000, Some(&run(3000))).await.unwrap());
        let record = broker.cron("nightly", 9000).await.unwrap();
        assert_eq!((record.last_tick_ms, record.is_paused), (3000, false));
        let worker = broker.worker().await;
        assert_eq!(broker.claim_ids(worker).await, ["tick-2000", "tick-3000"]);
    }

    async fn a_clock_that_was_set_back_fires_nothing(broker) {
        broker.cron("nightly", 5000).await.unwrap();
        assert!(!broker.fire("nightly", 4000, Some(&broker.new_task("a"))).await.unwrap());
        assert!(!broker.fire("nightly", 5000, Some(&broker.new_task("b"))).await.unwrap());
        assert_eq!(broker.state("a").await, None);
        assert_eq!(broker.cron("nightly", 0).await.unwrap().last_tick_ms, 5000);
    }

    async fn a_tick_whose_task_is_refused_is_not_recorded(broker) {
        broker.cron("nightly", 1000).await.unwrap();
        broker.send(&["a"]).await;
        let error = broker.fire("nightly", 2000, Some(&broker.new_task("a"))).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Duplicate);
        assert_eq!(broker.cron("nightly", 0).await.unwrap().last_tick_ms, 1000);
    }

    async fn a_missed_tick_may_be_recorded_without_a_run(broker) {
        broker.cron("nightly", 1000).await.unwrap();
        assert!(broker.fire("nightly", 2000, None).await.unwrap());
        assert_eq!(broker.cron("nightly", 0).await.unwrap().last_tick_ms, 2000);
        assert_eq!(broker.list(&TaskFilter::default()).await.unwrap().len(), 0);
    }

    async fn of_many_processes_one_fires_each_tick(broker) {
        let other = broker.another().await;
        broker.cron("often", 0).await.unwrap();
        let mut runs = Vec::new();
        for tick in 1..=20 {
            for (name, process) in [("a", &broker.broker), ("b", &broker.broker), ("c", &other)] {
                let process = Arc::clone(process);
                let task = broker.new_task(format!("{tick}-{name}"));
                runs.push(tokio::spawn(async move {
                    process.fire("often", tick, Some(&task)).await.unwrap()
                }));
            }
        }
        let mut fired = 0;
        for run in runs {
            fired += usize::from(run.await.unwrap());
        }
        // Ticks that another one overtook are not made up for; none is fired twice.
        let tasks = broker.list(&TaskFilter::default()).await.unwrap();
        assert_eq!(tasks.len(), fired);
        let ticks: BTreeSet<_> = tasks.iter().map(|task| task.id.split('-').next().unwrap()).collect();
        assert_eq!(ticks.len(), fired);
        assert!(ticks.contains("20"));
    }

    async fn a_last_tick_in_the_future_is_set_back(broker) {
        assert!(!broker.reset_cron("nightly", 1000).await.unwrap());
        broker.cron("nightly", 1000).await.unwrap();
        assert!(broker.fire("nightly", 900_000, None).await.unwrap());
        assert!(!broker.fire("nightly", 2000, Some(&broker.new_task("resting"))).await.unwrap());
        assert!(broker.reset_cron("nightly", 1500).await.unwrap());
        assert_eq!(broker.cron("nightly", 0).await.unwrap().last_tick_ms, 1500);
        assert!(broker.fire("nightly", 2000, Some(&broker.new_task("again"))).await.unwrap());
        assert_eq!(broker.state("resting").await, None);
        assert_eq!(broker.state("again").await, Some(TaskState::Queued));
    }

    async fn schedules_are_paused_and_listed(broker) {
        assert!(!broker.pause_cron("b", true).await.unwrap());
        broker.cron("b", 1).await.unwrap();
        broker.cron("a", 2).await.unwrap();
        assert!(broker.pause_cron("b", true).await.unwrap());
        assert!(broker.cron("b", 0).await.unwrap().is_paused);
        let all = broker.crons().await.unwrap();
        let all: Vec<_> = all.iter().map(|cron| (cron.name.as_str(), cron.is_paused)).collect();
        assert_eq!(all, [("a", false), ("b", true)]);
        assert!(broker.pause_cron("b", false).await.unwrap());
        assert!(!broker.cron("b", 0).await.unwrap().is_paused);
    }
}
