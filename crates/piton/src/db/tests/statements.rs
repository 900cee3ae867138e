//! Tests of running statements and reading rows.

use super::*;
use crate::http::{NoFilter, Unsorted};

on_both! {
    async fn run_returns_the_number_of_changed_rows(db) {
        assert_eq!(db.run("UPDATE shops SET city = $1", ("Rome",)).await.unwrap(), 2);
        assert_eq!(
            db.run("UPDATE shops SET city = $1 WHERE name = $2", ("Rome", "nowhere")).await.unwrap(),
            0
        );
        // SQLite would repeat the 2.
        db.run("UPDATE shops SET city = 'Rome'", ()).await.unwrap();
        assert_eq!(db.run("CREATE TABLE more (a INTEGER)", ()).await.unwrap(), 0);
        assert_eq!(db.run("SELECT * FROM shops", ()).await.unwrap(), 0);
    }
}

on_both! {
    async fn one_is_none_or_the_row_and_an_error_for_more(db) {
        let north = Shop { name: "north".into(), city: Some("Oslo".into()) };
        let found: Option<Shop> =
            db.one("SELECT * FROM shops WHERE name = $1", ("north",)).await.unwrap();
        assert_eq!(found, Some(north));
        let none: Option<Shop> =
            db.one("SELECT * FROM shops WHERE name = $1", ("nowhere",)).await.unwrap();
        assert_eq!(none, None);
        let error = db.one::<Shop>("SELECT * FROM shops", ()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooMany);
        // The connection is whole after a row was left unread.
        assert_eq!(db.all::<Shop>("SELECT * FROM shops", ()).await.unwrap().len(), 2);
    }
}

on_both! {
    async fn exactly_one_is_the_row_and_an_error_without_it_or_with_more(db) {
        let north: Shop =
            db.exactly_one("SELECT * FROM shops WHERE name = $1", ("north",)).await.unwrap();
        assert_eq!(north, Shop { name: "north".into(), city: Some("Oslo".into()) });
        let missing = db.exactly_one::<Shop>("SELECT * FROM shops WHERE name = $1", ("nowhere",));
        let error = missing.await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        assert_eq!(crate::http::Error::from(error).status(), 404);
        let error = db.exactly_one::<Shop>("SELECT * FROM shops", ()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::TooMany);
        assert_eq!(crate::http::Error::from(error).status(), 500);
        // The transaction continues, because a missing row is not a failed statement.
        let mut tx = db.begin().await.unwrap();
        let error = tx.exactly_one::<Shop>("SELECT * FROM shops WHERE FALSE", ()).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        tx.run("DELETE FROM shops WHERE name = $1", ("south",)).await.unwrap();
        let last: Shop = tx.exactly_one("SELECT * FROM shops", ()).await.unwrap();
        assert_eq!(last.name, "north");
        tx.commit().await.unwrap();
        assert_eq!(db.all::<Shop>("SELECT * FROM shops", ()).await.unwrap().len(), 1);
    }
}

on_both! {
    async fn a_scalar_is_the_one_value_of_the_one_row(db) {
        let count: u64 = db.scalar("SELECT count(*) FROM shops", ()).await.unwrap();
        assert_eq!(count, 2);
        let city = "SELECT city FROM shops WHERE name = $1";
        assert_eq!(db.scalar::<Option<String>>(city, ("south",)).await.unwrap(), None);
        assert_eq!(db.scalar::<String>(city, ("south",)).await.unwrap_err().kind(), Kind::Type);
        assert_eq!(db.scalar::<String>(city, ("nowhere",)).await.unwrap_err().kind(), Kind::NotFound);
        let two = "SELECT name, city FROM shops WHERE name = 'north'";
        assert_eq!(db.scalar::<String>(two, ()).await.unwrap_err().kind(), Kind::Type);
        let all = "SELECT name FROM shops";
        assert_eq!(db.scalar::<String>(all, ()).await.unwrap_err().kind(), Kind::TooMany);
        let mut tx = db.begin().await.unwrap();
        tx.run("INSERT INTO shops VALUES ('west', NULL)", ()).await.unwrap();
        assert_eq!(tx.scalar::<i64>("SELECT count(*) FROM shops", ()).await.unwrap(), 3);
        tx.rollback().await.unwrap();
        assert_eq!(db.scalar::<i64>("SELECT count(*) FROM shops", ()).await.unwrap(), 2);
    }
}

on_both! {
    async fn rows_are_read_as_structs_tuples_and_single_columns(db) {
        let shops: Vec<Shop> =
            db.all("SELECT city, name, 1 AS extra FROM shops ORDER BY name", ()).await.unwrap();
        assert_eq!(shops[1], Shop { name: "south".into(), city: None });
        let pairs: Vec<(String, Option<String>)> =
            db.all("SELECT * FROM shops ORDER BY name", ()).await.unwrap();
        assert_eq!(pairs[0], ("north".into(), Some("Oslo".into())));
        let names: Vec<String> = db.all("SELECT name FROM shops ORDER BY name", ()).await.unwrap();
        assert_eq!(names, ["north", "south"]);
        let wide: (i64, i64, i64, i64, i64, i64, i64, i64) =
            db.one("SELECT 1, 2, 3, 4, 5, 6, 7, 8", ()).await.unwrap().unwrap();
        assert_eq!(wide.7, 8);
    }
}

on_both! {
    async fn a_page_with_more_bytes_than_allowed_is_cut_and_links_on(db) {
        let small = Db { max_page_bytes: 10_000, ..db.db.clone() };
        db.run("DELETE FROM shops", ()).await.unwrap();
        for number in 0..50 {
            let name = format!("{number:02}{}", "x".repeat(number * 40));
            db.run("INSERT INTO shops (name) VALUES ($1)", (name,)).await.unwrap();
        }
        let (mut seen, mut query, mut pages) = (0, String::from("per_page=40"), 0);
        while seen < 50 {
            let asked = Listing::<NoFilter, Unsorted, 40, 40>::from_query(&query).unwrap();
            let select = Sql::new("SELECT name FROM shops ORDER BY name");
            let page: Page<String> = small.page(&asked, select, 50).await.unwrap();
            let bytes: usize = page.items.iter().map(String::len).sum();
            assert!(bytes <= 10_000, "{bytes}");
            for name in page.items {
                assert_eq!(name[..2], format!("{seen:02}"));
                seen += 1;
            }
            query = format!("page={}&per_page={}", page.page + 1, page.per_page);
            pages += 1;
        }
        assert!(pages > 2, "{pages}");
        // The connection must be usable after rows were left unread, and a page has at least one
        // row.
        let tiny = Db { max_page_bytes: 1, ..db.db.clone() };
        let asked = Listing::<NoFilter>::from_query("").unwrap();
        let select = Sql::new("SELECT name FROM shops ORDER BY name DESC");
        let page: Page<String> = tiny.page(&asked, select, 50).await.unwrap();
        assert_eq!((page.items.len(), page.per_page, page.pages), (1, 1, 50));
    }
}

on_both! {
    async fn a_statement_that_returns_rows_has_also_changed_them(db) {
        let id: Option<i64> = db
            .one("INSERT INTO items (shop, cents) VALUES ($1, $2) RETURNING id", ("north", 5))
            .await
            .unwrap();
        assert_eq!(id, Some(1));
        assert_eq!(items(&db).await, 1);
    }
}

on_both! {
    async fn a_statement_made_of_pieces_runs_with_its_values(db) {
        for cents in 1..=9 {
            db.run(ADD, ("north", cents)).await.unwrap();
        }
        let sql = Sql::new("SELECT cents FROM items WHERE shop = $1")
            .push(" AND cents IN (")
            .bind_all([2, 4, 6, 8, 10])
            .push(") AND cents >")
            .bind(3)
            .push("ORDER BY cents LIMIT")
            .bind(2);
        assert_eq!(db.all::<i64>(sql, ("north",)).await.unwrap(), [4, 6]);
        let none = Sql::new("SELECT cents FROM items WHERE cents IN (").bind_all::<i64>([]).push(")");
        assert!(db.all::<i64>(none, ()).await.unwrap().is_empty());
        let many: Vec<Value> = vec![Value::Text("south".into()), Value::Integer(1)];
        assert_eq!(db.run(ADD, many).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn both_styles_of_placeholders_bind_in_order() {
    let db = shop().await;
    let row: (i64, String, i64) = db.one("SELECT ?, ?, ?", (1, "b", 3)).await.unwrap().unwrap();
    assert_eq!(row, (1, "b".into(), 3));
    let row: (i64, i64, i64) = db.one("SELECT $2, $1, $2", (1, 2)).await.unwrap().unwrap();
    assert_eq!(row, (2, 1, 2));
    let row: (i64, i64) = db.one("SELECT ?2, ?1", (1, 2)).await.unwrap().unwrap();
    assert_eq!(row, (2, 1));
}

mod derived {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize, serde::Serialize)]
    struct Address {
        street: String,
    }

    #[derive(Debug, PartialEq, FromRow)]
    struct Person<T> {
        #[row(rename = "full name")]
        name: T,
        r#type: String,
        #[row(json)]
        address: Address,
        #[row(json)]
        other: Option<Address>,
        #[row(default)]
        visits: i64,
    }

    on_both! {
        async fn fields_are_renamed_read_from_json_and_defaulted(db) {
            let address = || Address { street: "Main".into() };
            let person: Person<String> = db
                .one(
                    "SELECT 'Ada' AS \"full name\", 'x' AS type, $1 AS address, NULL AS other",
                    (AsJson(&address()),),
                )
                .await
                .unwrap()
                .unwrap();
            let wanted = Person {
                name: "Ada".to_owned(),
                r#type: "x".into(),
                address: address(),
                other: None,
                visits: 0,
            };
            assert_eq!(person, wanted);
        }
    }

    #[tokio::test]
    async fn a_column_of_another_type_is_named_with_both_types() {
        let db = shop().await;
        let error = |sql: &'static str| {
            let db = &db;
            async move {
                let error = db.one::<Shop>(sql, ()).await.unwrap_err();
                assert_eq!(error.kind(), Kind::Type);
                error.to_string()
            }
        };
        assert_eq!(error("SELECT 'a' AS name").await, "there is no column `city`, only name");
        assert_eq!(
            error("SELECT 5 AS name, 'a' AS city").await,
            "column `name`: expected text, found an integer"
        );
        assert_eq!(
            error("SELECT NULL AS name, 'a' AS city").await,
            "column `name`: expected text, found NULL: use `Option` for what may be NULL"
        );
        let error = db.one::<(i64, i64)>("SELECT 1", ()).await.unwrap_err();
        assert_eq!(error.to_string(), "expected a row of 2 columns, found 1");
        let error = db.one::<(i64, i64)>("SELECT 1, 'a'", ()).await.unwrap_err();
        assert_eq!(error.to_string(), "column 2: expected an integer (`i64`), found text");
        let error = db.one::<String>("SELECT CAST(x'ff' AS TEXT)", ()).await.unwrap_err();
        assert_eq!(error.to_string(), "column 1: found text that is not UTF-8");
    }
}

#[tokio::test]
async fn constraints_are_distinguished_and_named() {
    let db = shop().await;
    let kind = |sql: &'static str| {
        let db = &db;
        async move {
            let error = db.run(sql, ()).await.unwrap_err();
            (error.kind(), error.constraint().unwrap_or_default().to_owned(), error.to_string())
        }
    };
    let (found, constraint, text) = kind("INSERT INTO shops VALUES ('north', NULL)").await;
    assert_eq!(
        (found, &*constraint, &*text),
        (Kind::Unique, "shops.name", "UNIQUE constraint failed: shops.name")
    );
    assert_eq!(
        kind("INSERT INTO items (shop, cents) VALUES ('west', 1)").await.0,
        Kind::ForeignKey
    );
    let (found, constraint, _) = kind("INSERT INTO items (shop, cents) VALUES ('north', -1)").await;
    assert_eq!((found, &*constraint), (Kind::Check, "cents >= 0"));
    let (found, constraint, _) = kind("INSERT INTO items (shop, cents) VALUES (NULL, 1)").await;
    assert_eq!((found, &*constraint), (Kind::NotNull, "items.shop"));
    assert_eq!(kind("INSERT INTO items (shop, cents) VALUES ('north', 'x')").await.0, Kind::Type);
    assert_eq!(kind("SELEKT 1").await.0, Kind::Statement);
    assert_eq!(kind("SELECT * FROM nowhere").await.2, "no such table: nowhere");
    assert_eq!(kind("BEGIN").await.0, Kind::Statement);
}

on_both! {
    async fn a_trigger_refuses_with_its_own_text(db) {
        db.run(ADD, ("north", 5)).await.unwrap();
        let error = db.run("DELETE FROM items", ()).await.unwrap_err();
        assert_eq!((error.kind(), &*error.to_string()), (Kind::Refused, "items are never deleted"));
        assert_eq!(items(&db).await, 1);
    }
}

#[tokio::test]
async fn a_missing_parameter_is_an_error_and_not_null() {
    let db = shop().await;
    let error = db.run("UPDATE shops SET city = $1 WHERE name = $2", ("Rome",)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Arity);
    assert!(
        error.to_string().starts_with("the statement takes 2 parameters, 1 was given"),
        "{error}"
    );
    let error = db.all::<Shop>("SELECT * FROM shops WHERE name = ?", ("a", "b")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Arity);
    let error = db.one::<Shop>("SELECT * FROM shops WHERE name = '$1'", ("a",)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Arity);
}

#[tokio::test]
async fn an_error_never_holds_a_parameter() {
    let db = shop().await;
    db.run("CREATE VIRTUAL TABLE notes USING fts5(text)", ()).await.unwrap();
    let secret = "hunter2";
    let errors = [
        db.run(ADD, (secret, 1)).await.unwrap_err(),
        db.run("INSERT INTO items (shop, cents) VALUES ('north', $1)", (secret,))
            .await
            .unwrap_err(),
        db.one::<i64>("SELECT $1", (secret,)).await.unwrap_err(),
        db.one::<serde_json::Value>("SELECT json($1)", (secret,)).await.unwrap_err(),
        db.one::<String>("SELECT json_extract('{}', $1)", (secret,)).await.unwrap_err(),
        db.run("INSERT INTO notes (notes) VALUES ($1)", (secret,)).await.unwrap_err(),
        db.all::<String>("SELECT text FROM notes WHERE notes MATCH $1", ("\"hunter2",))
            .await
            .unwrap_err(),
        db.all::<String>("SELECT text FROM notes WHERE notes MATCH $1", ("a hunter2:b:c",))
            .await
            .unwrap_err(),
    ];
    for error in errors {
        let all = format!(
            "{error} {error:?} {:?}",
            std::error::Error::source(&error).map(ToString::to_string)
        );
        assert!(!all.contains("hunter2"), "{all}");
    }
}
