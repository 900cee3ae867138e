//! Tests of the documented table of types, row by row.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

use super::*;

/// Stores `value` in a column declared `declared`, and reads back what it is there (its type and its
/// text, as the database says) and the value.
async fn stored<T: Bind + Column>(
    db: &Db,
    declared: &'static str,
    value: T,
) -> (String, String, T) {
    let postgres = db.postgres_pool().is_some();
    let mut tx = db.begin().await.unwrap();
    let strict = if postgres { ")" } else { ") STRICT" };
    tx.run(Sql::new("CREATE TABLE one (v ").push(declared).push(strict), ()).await.unwrap();
    tx.run("INSERT INTO one VALUES ($1)", (value,)).await.unwrap();
    let look = if postgres {
        "SELECT pg_typeof(v)::text, coalesce(v::text, 'NULL') FROM one"
    } else {
        "SELECT typeof(v), quote(v) FROM one"
    };
    let (kind, shown) = tx.one(look, ()).await.unwrap().unwrap();
    let back: T = tx.one("SELECT v FROM one", ()).await.unwrap().unwrap();
    tx.rollback().await.unwrap();
    (kind, shown, back)
}

/// A row of the table: the column's declaration in SQLite and in PostgreSQL, then values with what each
/// is in the one and in the other.
macro_rules! row_of_the_table {
    ($dbs:expr, $lite:literal / $server:literal, $($value:expr => $kind:literal $shown:literal / $there:literal),+ $(,)?) => {$({
        let (lite, server) = $dbs;
        let value = $value;
        let (kind, shown, back) = stored(lite, $lite, value.clone()).await;
        assert_eq!((kind.as_str(), shown.as_str()), ($kind, $shown), "SQLite");
        assert_eq!(back, value, "SQLite");
        let (kind, shown, back) = stored(server, $server, value.clone()).await;
        assert_eq!((kind.as_str(), shown.as_str()), ($server, $there), "PostgreSQL");
        assert_eq!(back, value, "PostgreSQL");
    })+};
}

#[tokio::test]
async fn every_type_is_read_back_unchanged_and_stored_as_documented() {
    let (lite, server) = (shop().await, shop_on_a_server().await);
    let dbs = (&*lite, &*server);
    row_of_the_table!(dbs, "INTEGER" / "boolean",
        true => "integer" "1" / "true", false => "integer" "0" / "false");
    row_of_the_table!(dbs, "INTEGER" / "smallint",
        i8::MIN => "integer" "-128" / "-128", i16::MIN => "integer" "-32768" / "-32768", u8::MAX => "integer" "255" / "255");
    row_of_the_table!(dbs, "INTEGER" / "integer",
        i32::MAX => "integer" "2147483647" / "2147483647", u16::MAX => "integer" "65535" / "65535");
    row_of_the_table!(dbs, "INTEGER" / "bigint",
        i64::MIN => "integer" "-9223372036854775808" / "-9223372036854775808",
        i64::MAX => "integer" "9223372036854775807" / "9223372036854775807",
        5_isize => "integer" "5" / "5", u32::MAX => "integer" "4294967295" / "4294967295",
        u64::MAX / 2 => "integer" "9223372036854775807" / "9223372036854775807", 5_usize => "integer" "5" / "5",
    );
    row_of_the_table!(dbs, "REAL" / "double precision",
        0.1_f64 => "real" "0.1" / "0.1", 2.0_f64 => "real" "2.0" / "2", f64::INFINITY => "real" "9.0e+999" / "Infinity",
        0.5_f32 => "real" "0.5" / "0.5");
    row_of_the_table!(dbs, "REAL" / "real", 0.5_f64 => "real" "0.5" / "0.5");
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    row_of_the_table!(dbs, "TEXT" / "numeric",
        decimal("12.50") => "text" "'12.50'" / "12.50", decimal("-0.1") => "text" "'-0.1'" / "-0.1",
        decimal("79228162514264337593543950335") => "text" "'79228162514264337593543950335'" / "79228162514264337593543950335");
    row_of_the_table!(dbs, "TEXT" / "text",
        String::new() => "text" "''" / "", "it's $1".to_owned() => "text" "'it''s $1'" / "it's $1",
        "çé🐍".to_owned() => "text" "'çé🐍'" / "çé🐍", "5".to_owned() => "text" "'5'" / "5",
    );
    row_of_the_table!(dbs, "BLOB" / "bytea",
        Vec::<u8>::new() => "blob" "X''" / "\\x", vec![0_u8, 255] => "blob" "X'00FF'" / "\\x00ff");
    let uuid = Uuid::parse_str("67E55044-10B1-426F-9247-BB680E5FE0C8").unwrap();
    row_of_the_table!(dbs, "TEXT" / "uuid",
        uuid => "text" "'67e55044-10b1-426f-9247-bb680e5fe0c8'" / "67e55044-10b1-426f-9247-bb680e5fe0c8");
    let date = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    let time = NaiveTime::from_hms_micro_opt(1, 2, 3, 4).unwrap();
    let moment = NaiveDateTime::new(date, time);
    row_of_the_table!(dbs, "TEXT" / "date", date => "text" "'2026-11-21'" / "2026-11-21");
    row_of_the_table!(dbs, "TEXT" / "time without time zone",
        time => "text" "'01:02:03.000004'" / "01:02:03.000004");
    row_of_the_table!(dbs, "TEXT" / "timestamp without time zone",
        moment => "text" "'2026-11-21T01:02:03.000004'" / "2026-11-21 01:02:03.000004");
    row_of_the_table!(dbs, "TEXT" / "timestamp with time zone",
        moment.and_utc() => "text" "'2026-11-21T01:02:03.000004Z'" / "2026-11-21 01:02:03.000004+00");
    row_of_the_table!(dbs, "TEXT" / "jsonb",
        json!({"a": [1, null]}) => "text" r#"'{"a":[1,null]}'"# / r#"{"a": [1, null]}"#,
        serde_json::Value::Null => "text" "'null'" / "null",
        AsJson(vec![1, 2]) => "text" "'[1,2]'" / "[1, 2]",
    );
    row_of_the_table!(dbs, "TEXT" / "json", json!([1]) => "text" "'[1]'" / "[1]");
    row_of_the_table!(dbs, "TEXT" / "text",
        None::<String> => "null" "NULL" / "NULL", Some("a".to_owned()) => "text" "'a'" / "a");
    row_of_the_table!(dbs, "TEXT" / "uuid", None::<Uuid> => "null" "NULL" / "NULL");
    // What has a text of its own in SQLite has the same in a text column of PostgreSQL.
    row_of_the_table!(dbs, "TEXT" / "text",
        uuid => "text" "'67e55044-10b1-426f-9247-bb680e5fe0c8'" / "67e55044-10b1-426f-9247-bb680e5fe0c8",
        moment.and_utc() => "text" "'2026-11-21T01:02:03.000004Z'" / "2026-11-21T01:02:03.000004Z",
        AsJson(vec![1, 2]) => "text" "'[1,2]'" / "[1,2]", decimal("12.50") => "text" "'12.50'" / "12.50");
}

#[tokio::test]
async fn text_may_hold_a_zero_byte() {
    let db = shop().await;
    let back: String = db.one("SELECT $1", ("a\0b",)).await.unwrap().unwrap();
    assert_eq!(back, "a\0b");
}

#[tokio::test]
async fn times_sort_as_their_texts_do_and_are_cut_to_the_microsecond() {
    let db = shop().await;
    let at = |nanos| DateTime::<Utc>::from_timestamp(1_000_000_000, nanos).unwrap();
    db.run("CREATE TABLE times (at TEXT) STRICT", ()).await.unwrap();
    for nanos in [500_000_000, 0, 1_999] {
        db.run("INSERT INTO times VALUES ($1)", (at(nanos),)).await.unwrap();
    }
    let times: Vec<DateTime<Utc>> = db.all("SELECT at FROM times ORDER BY at", ()).await.unwrap();
    assert_eq!(times, [at(0), at(1_000), at(500_000_000)]);
}

#[tokio::test]
async fn values_that_sqlite_writes_by_itself_are_read() {
    let db = shop().await;
    let documented: DateTime<Utc> =
        db.one("SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')", ()).await.unwrap().unwrap();
    let current: DateTime<Utc> = db.one("SELECT CURRENT_TIMESTAMP", ()).await.unwrap().unwrap();
    assert!((documented - current).num_seconds().abs() <= 1);
    let _: (NaiveDate, NaiveTime) =
        db.one("SELECT CURRENT_DATE, CURRENT_TIME", ()).await.unwrap().unwrap();
}

#[test]
fn every_type_of_the_table_may_stand_in_a_documented_answer() {
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is made")]
    struct Shown {
        id: Uuid,
        price: Decimal,
        day: NaiveDate,
        at: DateTime<Utc>,
        more: serde_json::Value,
    }
    let schema = schemars::schema_for!(Shown).to_value();
    assert_eq!(schema["properties"]["id"]["format"], "uuid");
    assert_eq!(schema["properties"]["at"]["format"], "date-time");
}
