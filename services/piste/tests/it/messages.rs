//! Tests of the stored messages.

use piste::repositories::messages;

use super::*;

async fn page(app: &TestApp, query: &str) -> Vec<Value> {
    let answer = app.get(&format!("/messages{query}")).await;
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

fn bodies(page: &[Value]) -> Vec<&str> {
    page.iter().map(|message| message["body"].as_str().unwrap()).collect()
}

on_both! {
    async fn messages_are_listed_the_latest_first_in_pages(app) {
        let db = app.handle().db();
        for number in 1..=205 {
            messages::store(&db, &format!("id-{number}"), &number.to_string()).await.unwrap();
        }
        let (mut all, mut query) = (Vec::new(), String::new());
        loop {
            let page = page(&app, &query).await;
            let Some(last) = page.last() else { break };
            query = format!("?before={}", last["id"]);
            assert!(page.len() <= 100);
            all.extend(page);
        }
        let expected: Vec<String> = (1..=205).rev().map(|number: u32| number.to_string()).collect();
        assert_eq!(bodies(&all), expected);
        assert_eq!(all[0]["message_id"], "id-205");
        assert!(all[0]["received_at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(bodies(&page(&app, "?limit=2").await), ["205", "204"]);
        assert_eq!(page(&app, "?limit=1000").await.len(), 100);
        assert_eq!(page(&app, "?limit=0").await.len(), 0);
        for query in ["?limit=x", "?limit=-1", "?before=x"] {
            assert_eq!(refusal(&app.get(&format!("/messages{query}")).await).0, 422, "{query}");
        }
    }
}

on_both! {
    async fn a_message_that_is_delivered_twice_is_stored_once(app) {
        let db = app.handle().db();
        for body in ["first", "again"] {
            messages::store(&db, "same", body).await.unwrap();
        }
        assert_eq!(bodies(&page(&app, "").await), ["first"]);
    }
}
