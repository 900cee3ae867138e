//! The table of arrows: which module of `crates/piton/src` may name which.
//!
//! This is the one place where they stand. ARCHITECTURE.md shows the same table to people; a test compares the two.

/// One module and what it may name.
pub struct ModuleRow {
    /// Name of the module, as in `crate::NAME`.
    pub name: &'static str,
    /// Modules that it may name, besides itself.
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
pub const GROUND_FLOOR: [&str; 15] = [
    "step",
    "stop",
    "support",
    "secrets",
    "config",
    "convert",
    "json_text",
    "memory",
    "metrics",
    "request",
    "error",
    "compat",
    "logging",
    "part",
    "handle",
];

/// All modules, in reading order.
pub const MODULES: [ModuleRow; 28] = [
    row("step", Only(&[])),
    row("stop", Only(&[])),
    row("support", Only(&[])),
    row("json_text", Only(&[])),
    row("convert", Only(&[])),
    row("secrets", Only(&[])),
    row("config", Only(&["secrets", "support"])),
    row("memory", Only(&["config"])),
    row("metrics", Only(&[])),
    row("request", Only(&[])),
    row("error", Only(&["config", "request"])),
    row("compat", Only(&["config", "error"])),
    row("logging", Only(&["compat", "config", "request", "secrets", "support"])),
    row("part", GroundFloorAnd(&[])),
    row("handle", GroundFloorAnd(&[])),
    row("context", GroundFloorAnd(&[])),
    row("http", GroundFloorAnd(&[])),
    row("admin", GroundFloorAnd(&["http"])),
    row("db", GroundFloorAnd(&["http"])),
    row("auth", GroundFloorAnd(&["http", "db"])),
    row("cache", GroundFloorAnd(&["http"])),
    row("client", GroundFloorAnd(&["http"])),
    row("aws", GroundFloorAnd(&["http"])),
    row("openapi", GroundFloorAnd(&["http", "app"])),
    row("panel", GroundFloorAnd(&["http", "admin"])),
    row("app", GroundFloorAnd(&["http", "admin"])),
    row("testing", GroundFloorAnd(&["http", "app"])),
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
}
