//! Tests of `If-Match` and `If-None-Match`: no update is lost.

use piton::serde_json::{Value, json};

use super::{ONE, TestApp, company, post, registry, registry_on_a_server, revisions};

on_both! {
    async fn a_change_with_if_match_changes_that_version_only(app) {
        let registered = post(&app, &company(ONE, "One", "SP")).await;
        let path = format!("/api/companies/{ONE}");
        let first = registered.header("etag").to_owned();
        assert!(first.starts_with('"'), "{first} is strong");
        assert_eq!(app.get(&path).await.header("etag"), first);

        let patch = |tag: &str| app.patch(&path).header("if-match", tag);
        let changed = patch(&first).json(&json!({ "state": "RJ" })).await;
        assert_eq!(changed.status(), 200, "{}", changed.text());
        let second = changed.header("etag").to_owned();
        assert_ne!(second, first);
        assert_eq!(app.get(&path).await.header("etag"), second);

        let stale = patch(&first).json(&json!({ "state": "MG" })).await;
        assert_eq!(stale.status(), 412);
        assert!(stale.is_problem());
        assert_eq!(stale.header("etag"), second);
        let put = app.put(&path).header("if-match", &first);
        let replaced = put.json(&json!({ "name": "New", "state": "MG" })).await;
        assert_eq!(replaced.status(), 412);
        assert_eq!(app.get(&path).await.json::<Value>()["state"], "RJ");
        assert_eq!(revisions(&app, ONE).await, [2, 1]);

        for (header, value, status) in [
            ("if-match", "*", 200),
            ("if-match", &*format!("{first}, {second}"), 200),
            ("if-match", &format!("W/{second}"), 412),
            ("if-match", second.trim_matches('"'), 400),
            ("if-none-match", "*", 412),
            ("if-none-match", &second, 412),
            ("if-none-match", &first, 200),
        ] {
            // What is there already: an answer of 200 changes no version.
            let answer = app.patch(&path).header(header, value).json(&json!({ "state": "RJ" })).await;
            assert_eq!(answer.status(), status, "{header}: {value}: {}", answer.text());
        }
        // What else is wrong comes first.
        let unknown = app.patch("/api/companies/12ABC34501DE35").header("if-match", &first);
        assert_eq!(unknown.json(&json!({ "state": "RJ" })).await.status(), 404);
        assert_eq!(patch(&first).json(&json!({ "state": 7 })).await.status(), 422);
    }
}

on_both! {
    async fn one_of_four_changes_of_one_version_succeeds(app) {
        let tag = post(&app, &company(ONE, "One", "SP")).await.header("etag").to_owned();
        let path = format!("/api/companies/{ONE}");
        let change = |number: u8| {
            let body = json!({ "name": format!("Number {number}") });
            let request = app.patch(&path).header("if-match", &tag).json(&body);
            async move { request.await.status().as_u16() }
        };
        let (one, two, three, four) =
            piton::tokio::join!(change(1), change(2), change(3), change(4));
        let mut statuses = [one, two, three, four];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412]);
        assert_eq!(revisions(&app, ONE).await, [2, 1]);
    }
}
