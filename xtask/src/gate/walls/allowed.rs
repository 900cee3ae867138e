//! The table of arrows: which module of `crates/piton/src` may name which.
//!
//! This is the one place where they stand. ARCHITECTURE.md shows the same table to people; a test compares the two.

/// One module and what it may name.
pub struct ModuleRow {
    /// Name of the module, as in `crate::NAME`.
    pub name: &'static str,
    /// Modules that it may name, apart from itself.
    pub may_name: MayName,
}

/// Modules that a row allows.
pub enum MayName {
    /// These alone.
    Only(&'static [&'static str]),
    /// The whole ground floor, and these.
    GroundFloorAnd(&'static [&'static str]),
    /// Any module: for the crate's prelude.
    All,
}

use MayName::{All, GroundFloorAnd, Only};

/// Modules that know nothing above them. Everything else stands on these.
pub const GROUND_FLOOR: [&str; 16] = [
    "launch_steps",
    "stop_signal",
    "reload_signal",
    "support",
    "parse_address",
    "secrets",
    "config",
    "convert",
    "json_scanner",
    "memory",
    "metrics",
    "request",
    "error",
    "compat",
    "logging",
    "runtime",
];

/// All modules, in reading order.
pub const MODULES: [ModuleRow; 32] = [
    row("launch_steps", Only(&[])),
    row("stop_signal", Only(&[])),
    row("reload_signal", Only(&[])),
    row("support", Only(&[])),
    row("parse_address", Only(&[])),
    row("json_scanner", Only(&[])),
    row("convert", Only(&[])),
    row("metrics", Only(&[])),
    row("secrets", Only(&["parse_address"])),
    row("config", Only(&["secrets", "parse_address"])),
    row("memory", Only(&["config"])),
    row("request", Only(&["config", "memory", "metrics"])),
    row("error", Only(&["config", "request", "secrets"])),
    row("compat", Only(&["config", "error"])),
    row(
        "runtime",
        Only(&[
            "config",
            "error",
            "launch_steps",
            "memory",
            "metrics",
            "reload_signal",
            "request",
            "secrets",
            "stop_signal",
        ]),
    ),
    row("logging", Only(&["compat", "config", "request", "runtime", "secrets", "support"])),
    row("http", GroundFloorAnd(&[])),
    row("admin", GroundFloorAnd(&["http"])),
    row("app", GroundFloorAnd(&["admin", "http"])),
    row("db", GroundFloorAnd(&["app", "http"])),
    row("db_disabled", GroundFloorAnd(&["http"])),
    row("auth", GroundFloorAnd(&["app", "db", "http"])),
    row("redis_client", GroundFloorAnd(&[])),
    row("cache", GroundFloorAnd(&["http", "redis_client"])),
    row("client", GroundFloorAnd(&["http"])),
    row("aws", GroundFloorAnd(&["app", "http"])),
    row("openapi", GroundFloorAnd(&["app", "http"])),
    row("panel", GroundFloorAnd(&["admin", "http"])),
    row("tasks", GroundFloorAnd(&["app", "db", "http", "redis_client", "testing"])),
    row("testing", GroundFloorAnd(&["app", "http"])),
    row("allocator", Only(&[])),
    row("prelude", All),
];

const fn row(name: &'static str, may_name: MayName) -> ModuleRow {
    ModuleRow { name, may_name }
}

impl ModuleRow {
    /// Returns what the row allows, as a message and ARCHITECTURE.md say it: "ground floor, `http`".
    pub fn allowed_text(&self) -> String {
        let quoted = |names: &[&str]| {
            names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        };
        match self.may_name {
            Only([]) => "nothing".to_owned(),
            Only(names) => quoted(names),
            GroundFloorAnd([]) => "ground floor".to_owned(),
            GroundFloorAnd(names) => format!("ground floor, {}", quoted(names)),
            All => "everything".to_owned(),
        }
    }
}

/// Returns the row of a module path such as `["http", "server"]`.
pub fn row_of(module: &[String]) -> Option<&'static ModuleRow> {
    let top = module.first()?;
    MODULES.iter().find(|row| row.name == top)
}

/// Returns whether code of `from` may name something of `to`.
pub fn is_allowed(from: &ModuleRow, to: &ModuleRow) -> bool {
    let listed = |names: &[&str]| names.contains(&to.name);
    from.name == to.name
        || match from.may_name {
            Only(names) => listed(names),
            GroundFloorAnd(names) => GROUND_FLOOR.contains(&to.name) || listed(names),
            All => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ground_floor_names_nothing_above_it() {
        for row in MODULES.iter().filter(|row| GROUND_FLOOR.contains(&row.name)) {
            let above = MODULES.iter().filter(|other| !GROUND_FLOOR.contains(&other.name));
            for other in above {
                assert!(!is_allowed(row, other), "{} may name {}", row.name, other.name);
            }
        }
    }

    #[test]
    fn app_and_http_name_no_module_with_a_backend_and_no_authentication() {
        let row = |name: &str| MODULES.iter().find(|row| row.name == name).unwrap();
        for other in ["auth", "aws", "cache", "client", "db", "openapi", "panel"] {
            assert!(!is_allowed(row("app"), row(other)), "app may name {other}");
            assert!(!is_allowed(row("http"), row(other)), "http may name {other}");
        }
        assert!(!is_allowed(row("http"), row("admin")));
    }

    #[test]
    fn a_module_of_the_ground_floor_names_only_modules_before_it() {
        for (at, row) in MODULES.iter().enumerate() {
            let MayName::Only(names) = row.may_name else { continue };
            let before: Vec<&str> = MODULES[..at].iter().map(|row| row.name).collect();
            assert!(names.iter().all(|name| before.contains(name)), "{} names {names:?}", row.name);
        }
    }

    #[test]
    fn architecture_shows_this_table() {
        let page = include_str!("../../../../ARCHITECTURE.md");
        let table = page.split_once("| Module | Contents | May name |").unwrap().1;
        let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
        let cells = |line: &str| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            (cells[0].trim_matches('`').to_owned(), cells.last().unwrap().to_string())
        };
        let shown: Vec<_> = rows.map(cells).collect();
        let expected: Vec<_> =
            MODULES.iter().map(|row| (row.name.to_owned(), row.allowed_text())).collect();
        assert_eq!(shown, expected, "change ARCHITECTURE.md and this table together");
    }

    #[test]
    fn the_files_that_architecture_names_exist() {
        let page = include_str!("../../../../ARCHITECTURE.md");
        let root = crate::command::root();
        for path in page.split('`').skip(1).step_by(2).filter(|text| text.ends_with(".rs")) {
            let found =
                root.join(path).exists() || root.join("crates/piton/src").join(path).exists();
            assert!(found, "ARCHITECTURE.md names `{path}`, which does not exist");
        }
    }
}
