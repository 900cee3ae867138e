//! Tests of signup, activation, login and the current user.

use super::*;

on_both! {
    async fn a_user_signs_up_activates_logs_in_and_sees_the_account(app) {
        let ada = json!({ "email": "ada@example.org", "password": "correct horse", "name": "Ada" });
        let answer = app.post("/user/signup").json(&ada).await;
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.json::<Value>(), json!({ "email": "ada@example.org" }));
        let activation = activation_token(&app, "ada@example.org").await;
        let answer = app.get(&format!("/user/activate/{activation}")).await;
        assert_eq!(answer.json::<Value>(), json!({ "email": "ada@example.org" }));
        let token = token_of(&app, "ada@example.org", "correct horse").await;
        let me: Value = get_as(&app, "/user/me", &token).await.json();
        assert_eq!(me, json!({ "email": "ada@example.org", "name": "Ada", "active": true }));
    }
}

on_both! {
    async fn an_address_has_one_account(app) {
        assert_eq!(signup(&app, "ada@example.org", "one").await.status(), 200);
        let before = activation_token(&app, "ada@example.org").await;
        let again = signup(&app, "ada@example.org", "two").await;
        assert_eq!(refusal(&again), (409, "Email is taken".into()));
        assert_eq!(activation_token(&app, "ada@example.org").await, before);
    }
}

on_both! {
    async fn one_of_many_concurrent_signups_gets_the_address(app) {
        let one = || signup(&app, "ada@example.org", "x");
        let (a, b, c, d) = piton::tokio::join!(one(), one(), one(), one());
        let mut statuses = [a, b, c, d].map(|answer| answer.status().as_u16());
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409, 409]);
    }
}

on_both! {
    async fn a_missing_member_of_a_signup_is_422(app) {
        for body in [
            json!({}),
            json!({ "email": "ada@example.org" }),
            json!({ "password": "x" }),
            json!({ "email": "", "password": "x" }),
            json!({ "email": "ada@example.org", "password": "" }),
            json!({ "email": null, "password": "x" }),
        ] {
            let answer = app.post("/user/signup").json(&body).await;
            assert_eq!(refusal(&answer), (422, "Email and password are required".into()), "{body}");
        }
        let wrong = app.post("/user/signup").json(&json!({ "email": 1, "password": "x" })).await;
        assert_eq!(refusal(&wrong).0, 422);
        for email in ["ada", "ada@", "@example.org", "a@b.c\r\nBcc: eve@example.org", "a\0@example.org"] {
            let none = json!({ "email": email, "password": "x" });
            let answer = app.post("/user/signup").json(&none).await;
            assert_eq!(refusal(&answer), (422, "Email is not an address".into()), "{email}");
        }
        let half = app.post("/user/login").json(&json!({ "email": "ada@example.org" })).await;
        assert_eq!(refusal(&half).0, 422);
    }
}

on_both! {
    async fn a_link_activates_once_and_responds_the_same_again(app) {
        signup(&app, "ada@example.org", "x").await;
        let path = format!("/user/activate/{}", activation_token(&app, "ada@example.org").await);
        let done = json!({ "email": "ada@example.org" });
        for _ in 0..3 {
            let answer = app.get(&path).await;
            assert_eq!((answer.status().as_u16(), answer.json::<Value>()), (200, done.clone()));
        }
        // An account that was locked later must not be activated by an old letter.
        app.handle().db().run("UPDATE users SET active = FALSE", ()).await.unwrap();
        let invalid = (404, "Invalid activation token".to_owned());
        assert_eq!(refusal(&app.get(&path).await), invalid);
        assert_eq!(login(&app, "ada@example.org", "x").await.status(), 403);
        assert_eq!(refusal(&app.get("/user/activate/None").await), invalid);
        assert_eq!(refusal(&app.get("/user/activate/%27%20OR%201=1").await), invalid);
        let kept = activation_token(&app, "ada@example.org").await;
        assert_eq!(refusal(&app.get(&format!("/user/activate/{kept}")).await), invalid);
    }
}

on_both! {
    async fn two_concurrent_clicks_both_succeed(app) {
        signup(&app, "ada@example.org", "x").await;
        let path = format!("/user/activate/{}", activation_token(&app, "ada@example.org").await);
        let (one, other) = piton::tokio::join!(app.get(&path), app.get(&path));
        assert_eq!((one.status().as_u16(), other.status().as_u16()), (200, 200));
    }
}

on_both! {
    async fn a_head_request_does_not_use_a_link_up(app) {
        signup(&app, "ada@example.org", "x").await;
        let path = format!("/user/activate/{}", activation_token(&app, "ada@example.org").await);
        for _ in 0..2 {
            let head = app.request(piton::axum::http::Method::HEAD, &path).await;
            assert_eq!((head.status().as_u16(), head.text()), (200, String::new()));
            assert_eq!(login(&app, "ada@example.org", "x").await.status(), 403, "it is not active");
        }
        let unknown = "/user/activate/00000000-0000-4000-8000-000000000000";
        assert_eq!(app.request(piton::axum::http::Method::HEAD, unknown).await.status(), 404);
        for method in [piton::axum::http::Method::OPTIONS, piton::axum::http::Method::POST] {
            app.request(method, &path).await;
            assert_eq!(login(&app, "ada@example.org", "x").await.status(), 403, "it is not active");
        }
        assert_eq!(app.get(&path).await.status(), 200);
        assert_eq!(login(&app, "ada@example.org", "x").await.status(), 200);
        assert_eq!(app.request(piton::axum::http::Method::HEAD, &path).await.status(), 200);
    }
}

/// Adds an account as the Python service would have.
async fn of_before(app: &TestApp, email: &str, password: &str) {
    let passwords: Passwords = app.handle().part();
    let hash = passwords.hash(password).await.unwrap();
    let sql = "INSERT INTO users (email, password_hash, active) VALUES ($1, $2, TRUE)";
    app.handle().db().run(sql, (email, hash)).await.unwrap();
}

on_both! {
    async fn an_older_account_logs_in_by_its_own_address(app) {
        for email in [
            "old user@example.org", "Ann <ann@example.org>", "trail@example.org ", "no-address",
            " lead@example.org", "two@at@example.org", "tab\t@example.org", "Caps@Example.ORG",
            "a,b@example.org", "zoë@bücher.example",
        ] {
            of_before(&app, email, "correct horse").await;
            let token = token_of(&app, email, "correct horse").await;
            let me: Value = get_as(&app, "/user/me", &token).await.json();
            assert_eq!(me["email"], email);
            assert_eq!(login(&app, email, "wrong").await.status(), 401, "{email}");
        }
        for email in ["", "a\0@example.org", &"a".repeat(5000)] {
            let answer = login(&app, email, "correct horse").await;
            assert_eq!(refusal(&answer), (401, "Invalid email or password".into()));
        }
    }
}

on_both! {
    async fn addresses_that_differ_in_the_case_of_their_domain_are_one_account(app) {
        let first = signup(&app, "Ada@Example.ORG", "correct horse").await;
        assert_eq!(first.json::<Value>(), json!({ "email": "Ada@example.org" }));
        for again in ["Ada@example.org", "Ada@EXAMPLE.org", " Ada@example.Org "] {
            assert_eq!(signup(&app, again, "x").await.status(), 409, "{again}");
            assert_eq!(login(&app, again, "correct horse").await.status(), 403, "{again}");
        }
        assert_eq!(login(&app, "ada@example.org", "correct horse").await.status(), 401);
        assert_eq!(signup(&app, "ada@example.org", "x").await.status(), 200, "another name");

        of_before(&app, "bob@Example.Org", "one").await;
        assert_eq!(signup(&app, "bob@example.org", "x").await.status(), 409);
        for typed in ["bob@Example.Org", "bob@example.org", "bob@EXAMPLE.ORG"] {
            let token = token_of(&app, typed, "one").await;
            let me: Value = get_as(&app, "/user/me", &token).await.json();
            assert_eq!(me["email"], "bob@Example.Org", "{typed}");
        }
        // Two accounts that already existed each log in by their own spelling.
        of_before(&app, "bob@EXAMPLE.org", "two").await;
        assert_eq!(login(&app, "bob@EXAMPLE.org", "two").await.status(), 200);
        assert_eq!(login(&app, "bob@Example.Org", "one").await.status(), 200);

        assert_eq!(signup(&app, "ada@bücher.example", "x").await.status(), 200);
        assert_eq!(signup(&app, "ada@xn--bcher-kva.example", "x").await.status(), 409);
        assert_eq!(login(&app, "ada@BÜCHER.example", "x").await.status(), 403);
    }
}

on_both! {
    async fn all_spellings_of_a_domain_are_one_account(app) {
        let spellings = [
            "bücher.example", "BÜCHER.example", "BÜCHER.EXAMPLE.", "xn--bcher-kva.example",
            "bücher.example.",
        ];
        for (number, kept) in spellings.iter().enumerate() {
            let kept = format!("Bob{number}@{kept}");
            of_before(&app, &kept, "one").await;
            // Signing up looks for the account as logging in does, and hashes nothing if there is one.
            for domain in spellings {
                let typed = format!("Bob{number}@{domain}");
                assert_eq!(signup(&app, &typed, "x").await.status(), 409, "{typed} of {kept}");
            }
            let typed = format!("Bob{number}@xn--bcher-kva.example");
            assert_eq!(login(&app, &typed, "one").await.status(), 200, "{typed} of {kept}");
        }
        assert_eq!(login(&app, "bob0@bücher.example", "one").await.status(), 401);
        let rooted = signup(&app, "ada@example.org.", "x").await;
        assert_eq!(rooted.json::<Value>(), json!({ "email": "ada@example.org" }));
        assert_eq!(signup(&app, "ada@example.org", "x").await.status(), 409);
        for email in ["a@example..org", "a..b@example.org", "a@-x.org"] {
            assert_eq!(refusal(&signup(&app, email, "x").await).0, 422, "{email}");
            of_before(&app, email, "one").await;
            assert_eq!(login(&app, email, "one").await.status(), 200, "{email}");
        }
    }
}

on_both! {
    async fn a_token_for_a_number_does_not_identify_the_user_with_the_same_digits(app) {
        let digits = "1180591620717411303424";
        of_before(&app, digits, "one").await;
        let text = app.handle().tokens().access(digits).sign().unwrap();
        assert_eq!(get_as(&app, "/user/me", &text).await.status(), 200);
        // Says `"identity":1180591620717411303424`, without quotes, and is signed with `KEY`.
        let number = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpYXQiOjAsIm5iZiI6MCwianRpIjoiMSIsImV4cCI\
            6OTk5OTk5OTk5OTksImlkZW50aXR5IjoxMTgwNTkxNjIwNzE3NDExMzAzNDI0LCJmcmVzaCI6ZmFsc2U\
            sInR5cGUiOiJhY2Nlc3MifQ.qxHS5mNB6UUrXeZlk-YAmGKbwE5diWKQaEfjPUK_HlQ";
        assert_eq!(refusal(&get_as(&app, "/user/me", number).await).0, 422);
    }
}

on_both! {
    async fn a_wrong_password_and_an_unknown_user_have_the_same_response(app) {
        activated(&app, "ada@example.org", "correct horse").await;
        let wrong = login(&app, "ada@example.org", "battery staple").await;
        let nobody = login(&app, "nobody@example.org", "correct horse").await;
        assert_eq!(refusal(&wrong), (401, "Invalid email or password".into()));
        assert_eq!(refusal(&nobody), refusal(&wrong));
        let names = |answer: &TestResponse| {
            answer.headers().keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&nobody), names(&wrong));
        assert_eq!(refusal(&login(&app, "ada@example.org", "").await).0, 401);
    }
}

on_both! {
    async fn an_inactive_account_is_403_with_the_right_password_only(app) {
        signup(&app, "ada@example.org", "correct horse").await;
        let right = login(&app, "ada@example.org", "correct horse").await;
        assert_eq!(refusal(&right), (403, "Account is not active".into()));
        assert_eq!(login(&app, "ada@example.org", "wrong").await.status(), 401);
    }
}

on_both! {
    async fn the_current_user_needs_a_token_and_an_account(app) {
        for path in ["/user/me", "/peer/me"] {
            assert_eq!(app.get(path).await.status(), 401, "{path}");
            assert_eq!(get_as(&app, path, "no.such.token").await.status(), 401, "{path}");
        }
        let token = app.handle().tokens().access("gone@example.org").sign().unwrap();
        let gone = get_as(&app, "/user/me", &token).await;
        assert_eq!(refusal(&gone), (404, "User not found".into()));
        let number = app.handle().tokens().access(7).sign().unwrap();
        assert_eq!(refusal(&get_as(&app, "/user/me", &number).await).0, 422);
    }
}

#[piton::test]
async fn a_response_renews_the_token_and_the_new_one_is_not_fresh() {
    let app = on_a_file(quiet().set("jwt.renew", true)).await;
    activated(&app, "ada@example.org", "correct horse").await;
    let token = token_of(&app, "ada@example.org", "correct horse").await;
    let answer = get_as(&app, "/user/me", &token).await;
    let renewed = answer.header("authorization").strip_prefix("Bearer ").unwrap().to_owned();
    assert_ne!(renewed, token);
    assert_eq!(get_as(&app, "/user/me", &renewed).await.status(), 200);
    let tokens = app.handle().tokens();
    assert!(tokens.read(&token).unwrap().is_fresh());
    assert!(!tokens.read(&renewed).unwrap().is_fresh());
    assert_eq!(app.get("/user/get").await.header("authorization"), "");
}

#[piton::test]
async fn in_gnars_style_an_error_is_its_text_with_status_200() {
    let app = on_a_file(quiet().set("http.error_style", "gnar")).await;
    signup(&app, "ada@example.org", "x").await;
    for (answer, words) in [
        (signup(&app, "ada@example.org", "x").await, "Email is taken"),
        (signup(&app, "", "x").await, "Email and password are required"),
        (login(&app, "ada@example.org", "y").await, "Invalid email or password"),
        (login(&app, "ada@example.org", "x").await, "Account is not active"),
        (app.get("/user/activate/x").await, "Invalid activation token"),
        (app.get("/user/me").await, "Missing Authorization Header"),
    ] {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.json::<Value>(), json!({ "error": words }));
    }
}

async fn without_ses_no_account_is_created_and_signup_can_be_repeated(app: TestApp) {
    for _ in 0..2 {
        let answer = signup(&app, "ada@example.org", "x").await;
        assert_eq!(refusal(&answer).0, 503);
        assert_ne!(answer.header("retry-after"), "");
    }
    assert_eq!(count_users(&app).await, 0);
}

async fn count_users(app: &TestApp) -> i64 {
    let sql = "SELECT count(*) FROM users";
    let count: Option<(i64,)> = app.handle().db().one(sql, ()).await.unwrap();
    count.unwrap().0
}

/// The service that sends letters, where nobody takes them.
fn with_a_sender() -> App {
    quiet().set("activation.from", "shop@example.com")
}

#[piton::test]
async fn without_ses_there_is_no_account_on_sqlite() {
    without_ses_no_account_is_created_and_signup_can_be_repeated(on_a_file(with_a_sender()).await)
        .await;
}

#[piton::test]
async fn without_ses_there_is_no_account_on_postgres() {
    without_ses_no_account_is_created_and_signup_can_be_repeated(
        on_a_server(with_a_sender()).await,
    )
    .await;
}

/// Where SES would be, somebody who takes connections and says nothing.
async fn silent() -> (piton::tokio::net::TcpListener, String) {
    let listener = piton::tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[piton::test]
async fn a_client_that_disconnects_while_its_email_is_sent_has_no_account() {
    let (listener, url) = silent().await;
    let app = on_a_file(with_a_sender().set("ses.endpoint_url", url)).await;
    piton::tokio::select! {
        _ = listener.accept() => {}
        answer = signup(&app, "ada@example.org", "x") => panic!("{}", answer.text()),
    }
    assert_eq!(count_users(&app).await, 0);
}

#[piton::test]
async fn an_email_that_exceeds_the_request_timeout_leaves_no_account() {
    let (_listener, url) = silent().await;
    let app = with_a_sender().set("ses.endpoint_url", url).set("http.timeout", "500ms");
    let app = on_a_file(app).await;
    assert_eq!(refusal(&signup(&app, "ada@example.org", "x").await).0, 503);
    assert_eq!(count_users(&app).await, 0);
}

#[piton::test]
async fn an_invalid_address_is_refused_at_signup_where_emails_are_sent() {
    let app = on_a_file(with_a_sender()).await;
    for email in ["ada", "a@b\r\nBcc: c@d.org", "Ada <ada@example.org>", "zoë@example.org", " @"] {
        let answer = signup(&app, email, "x").await;
        assert_eq!(refusal(&answer), (422, "Email is not an address".into()), "{email:?}");
    }
    assert_eq!(count_users(&app).await, 0);
}
