//! Classifies PostgreSQL's types.

use sqlx::TypeInfo;
use sqlx::postgres::{PgTypeInfo, PgTypeKind};

/// Returns the type that a domain is based on, or the type itself.
pub(super) fn base(info: &PgTypeInfo) -> &PgTypeInfo {
    match info.kind() {
        PgTypeKind::Domain(inner) => base(inner),
        _ => info,
    }
}

/// Returns whether values of the type are text on the wire.
pub(super) fn is_text(info: &PgTypeInfo) -> bool {
    let name = info.name();
    matches!(info.kind(), PgTypeKind::Enum(_))
        || ["TEXT", "VARCHAR", "CHAR", "NAME", "UNKNOWN", "XML", "\"CHAR\""].contains(&name)
        || name.eq_ignore_ascii_case("citext")
}
