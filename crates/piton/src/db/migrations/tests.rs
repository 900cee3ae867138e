//! Tests of names, comparison and marks of migrations.

use super::apply::marked;
use super::compare::{AppliedMigration, compare};
use super::embedded::{
    MigrationFile, MigrationMarks, Migrations, checksum_of, files_for, normalized,
};
use crate::db::dialect::Dialect;
use crate::db::error::{Error, Kind};
use crate::db::setting_enums::AcceptNewer;

fn names(files: &[MigrationFile]) -> Vec<&str> {
    files.iter().map(|file| file.name).collect()
}

fn applied(files: &[MigrationFile]) -> Vec<AppliedMigration> {
    let apply = |file: &MigrationFile| AppliedMigration {
        version: file.migration.version,
        description: file.migration.description.to_string(),
        checksum: file.migration.checksum.to_vec(),
        at: String::new(),
        backward_compatible: file.backward_compatible,
    };
    files.iter().map(apply).collect()
}

fn pending<'a>(
    files: &'a [MigrationFile],
    applied: &[AppliedMigration],
) -> Result<&'a [MigrationFile], Error> {
    compare(files, applied, AcceptNewer::Compatible).map(|comparison| comparison.pending)
}

fn files(list: &'static [(&'static str, &'static str)]) -> Vec<MigrationFile> {
    files_for([&Migrations::new(list)], Dialect::Sqlite).unwrap()
}

#[test]
fn each_backend_takes_its_variants_in_the_order_of_numbers() {
    let list = Migrations::new(&[
        ("0010_c.sql", ""),
        ("0002_b.postgres.sql", "p"),
        ("0002_b.sqlite.sql", "s"),
        ("0001_a.sql", ""),
    ]);
    assert_eq!(
        names(&files_for([&list], Dialect::Sqlite).unwrap()),
        ["0001_a.sql", "0002_b.sqlite.sql", "0010_c.sql"]
    );
    assert_eq!(
        names(&files_for([&list], Dialect::Postgres).unwrap()),
        ["0001_a.sql", "0002_b.postgres.sql", "0010_c.sql"]
    );
}

#[test]
fn names_that_do_not_fit_are_refused() {
    const BAD: [&[(&str, &str)]; 6] = [
        &[("users.sql", "")],
        &[("0001_.sql", "")],
        &[("0001_a.mysql.sql", "")],
        &[("+1_a.sql", "")],
        &[("0001_a.txt", "")],
        &[("_a.sql", "")],
    ];
    for list in BAD {
        let error = files_for([&Migrations::new(list)], Dialect::Sqlite).unwrap_err();
        assert_eq!(error.kind(), Kind::Migration);
        assert!(error.to_string().contains(list[0].0), "{error}");
    }
}

#[test]
fn two_files_with_one_number_are_refused_across_lists() {
    let (one, two) = (Migrations::new(&[("0001_a.sql", "")]), Migrations::new(&[("1_b.sql", "")]));
    let error = files_for([&one, &two], Dialect::Sqlite).unwrap_err().to_string();
    assert_eq!(error, "migrations: 0001_a.sql and 1_b.sql have the same number");
}

#[test]
fn only_what_has_not_run_is_pending() {
    let all = files(&[("0001_a.sql", "a"), ("0002_b.sql", "b")]);
    assert_eq!(names(pending(&all, &[]).unwrap()), ["0001_a.sql", "0002_b.sql"]);
    assert_eq!(names(pending(&all, &applied(&all[..1])).unwrap()), ["0002_b.sql"]);
    assert!(pending(&all, &applied(&all)).unwrap().is_empty());
}

#[test]
fn changed_missing_and_late_files_are_refused_by_name() {
    let all = files(&[("0001_a.sql", "a"), ("0002_b.sql", "b")]);
    let text = |files: &[MigrationFile], applied: &[AppliedMigration]| {
        pending(files, applied).unwrap_err().to_string()
    };
    let edited = files(&[("0001_a.sql", "A"), ("0002_b.sql", "b")]);
    assert!(text(&edited, &applied(&all)).contains("0001_a.sql was changed after it had run"));
    assert!(
        text(&all[..1], &applied(&all)).contains("has run 0002 (b), which is not in this program")
    );
    assert!(
        text(&all[1..], &applied(&all)).contains("has run 0001 (a), which is not in this program")
    );
    assert!(
        text(&all, &applied(&all[1..]))
            .contains("0001_a.sql has not run, but the later 0002 (b) has")
    );
}

#[test]
fn newer_migrations_are_accepted_where_they_are_marked() {
    let all = files(&[
        ("0001_a.sql", "a"),
        ("0002_b.sql", "-- Adds a column.\n-- backward-compatible\nb"),
        ("0003_c.sql", "-- backward-compatible\nc"),
        ("0004_d.sql", "d"),
    ]);
    let done = applied(&all);
    let newer = |program: &[MigrationFile], done: &[AppliedMigration], accept| {
        compare(program, done, accept).map(|it| it.newer).map_err(|error| error.to_string())
    };
    let compatible = AcceptNewer::Compatible;
    assert_eq!(newer(&all[..1], &done[..3], compatible).unwrap(), ["0002 (b)", "0003 (c)"]);
    let refused = newer(&all[..1], &done, compatible).unwrap_err();
    assert!(
        refused.contains("has run 0004 (d), which") && refused.contains("not marked"),
        "{refused}"
    );
    assert_eq!(newer(&all[..1], &done, AcceptNewer::Any).unwrap().len(), 3);
    assert!(newer(&all[..1], &done[..2], AcceptNewer::None).is_err());
    // A migration that is missing in the middle was deleted, so it is not a newer one.
    assert!(newer(&all[2..], &done[1..], AcceptNewer::Any).is_err());
}

#[test]
fn marks_are_read_from_the_first_comments_alone() {
    let marks = |sql| {
        let MigrationMarks { no_transaction, backward_compatible } =
            MigrationMarks::of(&normalized(sql));
        (no_transaction, backward_compatible)
    };
    assert_eq!(marks("-- no-transaction\nVACUUM"), (true, false));
    assert_eq!(marks("\u{feff}-- no-transaction\r\nVACUUM"), (true, false));
    assert_eq!(marks("-- why\n\n-- backward-compatible\n-- no-transaction\nx"), (true, true));
    assert_eq!(marks("--backwards compatible.\nx"), (false, true));
    assert_eq!(marks("SELECT 1;\n-- backward-compatible"), (false, false));
    assert_eq!(marks("-- this is not backward-compatible\nx"), (false, false));
}

#[test]
fn a_checkout_with_other_line_endings_is_the_same_migration() {
    const FORMS: [&str; 4] = ["a\nb\n", "a\r\nb\r\n", "\u{feff}a\nb\n", "\u{feff}a\r\nb\r\n"];
    for ran in FORMS {
        // Older programs recorded checksums of files that were not normalized.
        let mut done = applied(&files(&[("0001_a.sql", "x")]));
        done[0].checksum = checksum_of(ran.to_owned()).into_owned();
        for embedded in FORMS {
            let list: &'static [_] = vec![("0001_a.sql", embedded)].leak();
            let program = files(list);
            assert!(pending(&program, &done).unwrap().is_empty(), "{ran:?} {embedded:?}");
            assert_eq!(program[0].migration.sql.as_str(), "a\nb\n");
        }
    }
    let edited = files(&[("0001_a.sql", "a\nc\n")]);
    assert!(!edited[0].has_checksum(&checksum_of("a\r\nb\r\n".into())));
}

#[test]
fn a_mark_that_is_not_recorded_is_noticed() {
    let all = files(&[("0001_a.sql", "-- backward-compatible\na")]);
    let mut done = applied(&all);
    assert!(compare(&all, &done, AcceptNewer::None).unwrap().is_complete());
    done[0].backward_compatible = false;
    let comparison = compare(&all, &done, AcceptNewer::None).unwrap();
    assert_eq!(marked(comparison.unrecorded.iter().copied()), [1]);
}

#[test]
fn a_folder_that_differs_from_the_build_is_described() {
    let folder = tempfile::tempdir().unwrap();
    let path: &'static str = folder.path().to_str().unwrap().to_owned().leak();
    let list = Migrations::new(&[("0001_a.sql", "a\n"), ("0002_b.sql", "b"), ("0003_c.sql", "")])
        .embedded_from(path);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("0001_a.sql", "a\r\n");
    write("0002_b.sql", "B");
    write("0004_d.sql", "");
    write("notes.txt", "");
    assert_eq!(
        list.differences(),
        [
            "0002_b.sql was edited since this build",
            "0004_d.sql is not in this build",
            "0003_c.sql is in this build, and no longer in the folder",
        ]
    );
    assert!(Migrations::new(&[]).embedded_from("/nowhere/at/all").differences().is_empty());
}
