//! The published table of types, row by row.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde_json::json;
use uuid::Uuid;

use super::*;

/// Stores `value` in a column declared `declared`, and reads back what it is there and the value.
async fn stored<T: Bind + Column>(
    db: &Db,
    declared: &'static str,
    value: T,
) -> (String, String, T) {
    let mut tx = db.begin().await.unwrap();
    tx.run(Sql::new("CREATE TABLE one (v ").push(declared).push(") STRICT"), ()).await.unwrap();
    tx.run("INSERT INTO one VALUES ($1)", (value,)).await.unwrap();
    let (kind, shown) = tx.one("SELECT typeof(v), quote(v) FROM one", ()).await.unwrap().unwrap();
    let back: T = tx.one("SELECT v FROM one", ()).await.unwrap().unwrap();
    tx.rollback().await.unwrap();
    (kind, shown, back)
}

macro_rules! row_of_the_table {
    ($db:expr, $declared:literal, $($value:expr => $kind:literal $shown:literal),+ $(,)?) => {$({
        let value = $value;
        let (kind, shown, back) = stored($db, $declared, value.clone()).await;
        assert_eq!((kind.as_str(), shown.as_str()), ($kind, $shown));
        assert_eq!(back, value);
    })+};
}

#[tokio::test]
async fn every_type_comes_back_as_it_went_and_is_stored_as_published() {
    let db = &*shop().await;
    row_of_the_table!(db, "INTEGER", true => "integer" "1", false => "integer" "0");
    row_of_the_table!(db, "INTEGER",
        i8::MIN => "integer" "-128", i16::MIN => "integer" "-32768", i32::MAX => "integer" "2147483647",
        i64::MIN => "integer" "-9223372036854775808", i64::MAX => "integer" "9223372036854775807",
        5_isize => "integer" "5", u8::MAX => "integer" "255", u16::MAX => "integer" "65535",
        u32::MAX => "integer" "4294967295", u64::MAX / 2 => "integer" "9223372036854775807",
        5_usize => "integer" "5",
    );
    row_of_the_table!(db, "REAL",
        0.1_f64 => "real" "0.1", 2.0_f64 => "real" "2.0", f64::INFINITY => "real" "9.0e+999", 0.5_f32 => "real" "0.5",
    );
    row_of_the_table!(db, "TEXT",
        String::new() => "text" "''", "it's $1".to_owned() => "text" "'it''s $1'", "çé🐍".to_owned() => "text" "'çé🐍'",
        "5".to_owned() => "text" "'5'",
    );
    row_of_the_table!(db, "BLOB", Vec::<u8>::new() => "blob" "X''", vec![0_u8, 255] => "blob" "X'00FF'");
    let uuid = Uuid::parse_str("67E55044-10B1-426F-9247-BB680E5FE0C8").unwrap();
    row_of_the_table!(db, "TEXT", uuid => "text" "'67e55044-10b1-426f-9247-bb680e5fe0c8'");
    let date = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
    let time = NaiveTime::from_hms_micro_opt(1, 2, 3, 4).unwrap();
    row_of_the_table!(db, "TEXT",
        date => "text" "'2026-11-21'",
        time => "text" "'01:02:03.000004'",
        NaiveDateTime::new(date, time) => "text" "'2026-11-21T01:02:03.000004'",
        NaiveDateTime::new(date, time).and_utc() => "text" "'2026-11-21T01:02:03.000004Z'",
    );
    row_of_the_table!(db, "TEXT",
        json!({"a": [1, null]}) => "text" r#"'{"a":[1,null]}'"#,
        serde_json::Value::Null => "text" "'null'",
        AsJson(vec![1, 2]) => "text" "'[1,2]'",
    );
    row_of_the_table!(db, "TEXT", None::<String> => "null" "NULL", Some("a".to_owned()) => "text" "'a'", None::<Uuid> => "null" "NULL");
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
async fn what_sqlite_writes_by_itself_is_read() {
    let db = shop().await;
    let documented: DateTime<Utc> =
        db.one("SELECT strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')", ()).await.unwrap().unwrap();
    let current: DateTime<Utc> = db.one("SELECT CURRENT_TIMESTAMP", ()).await.unwrap().unwrap();
    assert!((documented - current).num_seconds().abs() <= 1);
    let _: (NaiveDate, NaiveTime) =
        db.one("SELECT CURRENT_DATE, CURRENT_TIME", ()).await.unwrap().unwrap();
}
