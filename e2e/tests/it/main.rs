//! Built programs, driven from outside: signals, exit codes, and nginx before two replicas.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod addresses;
mod admin;
mod cache;
mod celery;
mod celery_5_6;
mod celery_beat;
mod celery_compositions;
mod celery_peers;
mod celery_poison;
mod certificate_exchange;
mod clients;
mod database;
mod database_file;
mod early_responses;
mod early_responses_clients;
mod edges_service;
mod envpage;
mod failover;
mod gnar;
mod hostile;
mod http2_peers;
mod listeners;
mod memory;
mod migration_guide;
mod migration_guide_tasks;
mod openapi;
mod outbox;
mod piste;
mod process;
mod python;
mod rolling_migration;
mod rolling_restart;
mod settings;
mod small_disk;
mod streams;
mod task_commands;
mod task_faults;
mod tasks;
mod tasks_redis;
mod tasks_redis_servers;
mod terminal;
mod tls_scan;
mod uploads;

/// A company as JSON.
fn company(number: u32) -> String {
    format!(r#"{{"cnpj":"{}","name":"Company {number}","state":"SP"}}"#, test_support::cnpj(number))
}
