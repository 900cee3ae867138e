//! Built programs, driven from outside: signals, exit codes, and nginx before two replicas.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod addresses;
mod admin;
mod cache;
mod database;
mod database_file;
mod envpage;
mod failover;
mod gnar;
mod memory;
mod migrating;
mod openapi;
mod piste;
mod process;
mod python;
mod rolling_migration;
mod rolling_restart;
mod settings;

/// A CNPJ with right check digits for each number.
fn cnpj(number: u32) -> String {
    let mut digits: Vec<u32> =
        format!("{number:012}").bytes().map(|digit| u32::from(digit - b'0')).collect();
    for _ in 0..2 {
        let sum: u32 =
            digits.iter().rev().zip((2..=9).cycle()).map(|(digit, weight)| digit * weight).sum();
        digits.push(if sum % 11 < 2 { 0 } else { 11 - sum % 11 });
    }
    digits.iter().map(ToString::to_string).collect()
}

/// A company as JSON.
fn company(number: u32) -> String {
    format!(r#"{{"cnpj":"{}","name":"Company {number}","state":"SP"}}"#, cnpj(number))
}
