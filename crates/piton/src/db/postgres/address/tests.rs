//! Tests of every form of an address.

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::parse::{parse_address, parse_endpoint};
use super::server_address::ServerAddress;
use crate::db::setting_enums::{SessionTarget, Tls};

fn endpoints(address: &ServerAddress) -> String {
    let shown = address.endpoints().into_iter().map(|(host, port)| format!("{host}:{port}"));
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_form_of_an_endpoint_is_understood_whole() {
    for (text, wanted) in [
        ("db", "db:5432"),
        ("db.internal:6432", "db.internal:6432"),
        (" 127.0.0.1:5999 ", "127.0.0.1:5999"),
        ("127.0.0.1 port=5999", "127.0.0.1:5999"),
        ("host=127.0.0.1 port=5999", "127.0.0.1:5999"),
        ("db port = '6000' sslmode=require", "db:6000"),
        ("::1", "[::1]:5432"),
        ("[::1]:6432", "[::1]:6432"),
        ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1"),
        ("fe80::1%eth0", "[fe80::1%eth0]:5432"),
        ("/run/postgresql", "/run/postgresql:5432"),
        ("/run/postgresql:6432", "/run/postgresql:6432"),
        ("/cloudsql/p:r:i", "/cloudsql/p:r:i:5432"),
        ("/cloudsql/p:r:i:6432", "/cloudsql/p:r:i:6432"),
        ("2001:db8::1", "[2001:db8::1]:5432"),
        ("[::1:7601]", "[::1:7601]:5432"),
        ("a:1,b:2", "a:1 b:2"),
        ("a,b", "a:5432 b:5432"),
        ("a,b port=6000", "a:6000 b:6000"),
        ("a,[::1],/run/x port=1,2,3", "a:1 [::1]:2 /run/x:3"),
    ] {
        let address = parse_endpoint(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        assert_eq!(endpoints(&address), wanted, "{text}");
    }
    let words = "db port=1 dbname=shop user=me password='it\\'s me' sslmode=verify-full \
        sslrootcert=/ca.pem application_name=a connect_timeout=3 target_session_attrs=standby";
    let address = parse_endpoint(words).unwrap();
    assert_eq!(address.database.as_deref(), Some("shop"));
    assert_eq!(address.user.as_deref(), Some("me"));
    assert_eq!(address.password.unwrap().expose_secret(), "it's me");
    assert_eq!(address.tls, Some(Tls::VerifyFull));
    assert_eq!(address.tls_ca.as_deref(), Some(Path::new("/ca.pem")));
    assert_eq!(address.connect_timeout, Some(Duration::from_secs(3)));
    assert_eq!(address.target, Some(SessionTarget::Standby));
}

#[test]
fn an_endpoint_that_is_not_understood_is_refused() {
    for (text, why) in [
        ("127.0.0.1:99999", "1 to 65535"),
        ("127.0.0.1:65536", "1 to 65535"),
        ("db:0", "1 to 65535"),
        ("db:+5", "1 to 65535"),
        ("db:-1", "1 to 65535"),
        ("db:5432x", "1 to 65535"),
        ("db:", "missing"),
        (":5432", "port without a host"),
        ("", "host is missing"),
        ("a,", "host is missing"),
        (",", "host is missing"),
        ("a, b", "host is missing"),
        ("host:5999/", "1 to 65535"),
        ("host/db", "cannot stand"),
        ("host:5999 sslmod=require", "`sslmod`"),
        ("host require", "word 2"),
        ("host port=1 port=2", "twice"),
        ("host:1 port=2", "as well"),
        ("host host=b", "twice"),
        ("a,b port=1,2,3", "2 hosts, but 3 ports"),
        ("a port=1,2", "1 hosts, but 2 ports"),
        ("a port=", "no value"),
        ("a port=0", "1 to 65535"),
        ("postgres://u@h/d", "URL"),
        ("user@host:5432", "user stands before"),
        ("user:pw@host:5432", "user stands before"),
        ("@abstract", "user stands before"),
        ("127.0.0.999", "IPv4"),
        ("1.2.3", "IPv4"),
        ("[::1", "without"),
        ("[::1]5432", "behind `]`"),
        ("[::g]", "IPv6"),
        ("::1:5432:x", "IPv6"),
        ("[fe80::1%]:1", "IPv6"),
        ("a..b", "name of a host"),
        ("a b", "word 2"),
        ("::1:7601", "may be a port"),
        ("fe80::1:65535", "may be a port"),
        ("//127.0.0.1:7601", "`//`"),
        ("/run/postgresql/.s.PGSQL.5432", "file of a socket"),
        ("/run/postgresql:", "missing"),
        ("h sslmode=allow", "allow"),
        ("h sslmode=on", "sslmode"),
        ("h connect_timeout=0", "connect_timeout"),
        ("h connect_timeout=5s", "connect_timeout"),
        ("h target_session_attrs=master", "target_session_attrs"),
        ("h client_encoding=latin1", "client_encoding"),
        ("h keepalives=1", "`keepalives`"),
        ("h options='-d 5'", "options"),
        ("h password='x", "quoted value"),
    ] {
        let fault = parse_endpoint(text).expect_err(text);
        assert!(fault.why.contains(why), "{text}: {fault:?}");
        assert!(!fault.fix.is_empty(), "{text}");
    }
}

#[test]
fn every_form_of_a_url_is_understood_whole() {
    for (text, wanted) in [
        ("postgres://me@h/d", "h:5432"),
        ("postgresql://me:p%40%2F%23@h:6000/d", "h:6000"),
        ("postgres://me@[::1]:6000/d", "[::1]:6000"),
        ("postgres://me@[fe80::1%25eth0]/d", "[fe80::1%eth0]:5432"),
        ("postgres://me@a:1,b:2/d", "a:1 b:2"),
        ("postgres://me@a,b:2/d", "a:5432 b:2"),
        ("postgres://me@a,b/d?port=7", "a:7 b:7"),
        ("postgres://me@%2Frun%2Fpostgresql/d", "/run/postgresql:5432"),
        ("postgres://me@%2Frun%2Fpostgresql:7/d", "/run/postgresql:7"),
        ("postgres:///d?user=me&host=/run/postgresql", "/run/postgresql:5432"),
        ("postgres://me@/d?host=a,b&port=1,2", "a:1 b:2"),
        ("postgres://h/d?user=me@corp", "h:5432"),
        ("host=h port=6 dbname=d user='m e'", "h:6"),
        ("postgres://a:p@/d?host=/cloudsql/p:r:i", "/cloudsql/p:r:i:5432"),
        ("postgres://a:p@%2Fcloudsql%2Fp%3Ar%3Ai/d", "/cloudsql/p:r:i:5432"),
    ] {
        let address = parse_address(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        assert_eq!(endpoints(&address), wanted, "{text}");
        assert_eq!(address.database.as_deref(), Some("d"), "{text}");
        assert!(address.user.is_some(), "{text}");
    }
    let text = "postgresql://me:p%40%2F%23@h/d?sslmode=disable&application_name=a%20b\
        &connect_timeout=9&options=-c%20search_path%3Da%5C%20b%20--work_mem%3D1MB&options[x.y]=1";
    let address = parse_address(text).unwrap();
    assert_eq!(address.password.unwrap().expose_secret(), "p@/#");
    assert_eq!(address.application_name.as_deref(), Some("a b"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        address.options,
        [pair("search_path", "a b"), pair("work_mem", "1MB"), pair("x.y", "1")]
    );
}

#[test]
fn a_url_that_is_not_understood_is_refused_without_its_password() {
    for (text, why, fix) in [
        ("postgres://a:hunter2#c@h/d", "`#`", "%23"),
        ("postgres://a:hunter2@c@h/d", "`@`", "%40"),
        ("postgres://a:hunter2/c@h/d", "`/`", "%2F"),
        ("postgres://a:hunter2?c@h/d", "`?`", "%3F"),
        ("postgres://a:1?hunter2@h/d", "`?`", "%3F"),
        ("postgres://a:1?hunter2=x@h/d", "`?`", "%3F"),
        ("postgres://a:hunter2%zz@h/d", "hexadecimal", "%25"),
        ("postgres://a:hunter2%@h/d", "hexadecimal", "%25"),
        ("postgres://a:hunter2%FF@h/d", "UTF-8", "%25"),
        ("postgres://a:hunter2%00@h/d", "%00", "%25"),
        ("postgres://a:hunter2 b@h/d", "space", "%20"),
        ("postgres://a:hunter2@h:99999/d", "65535", "5432"),
        ("postgres://a:hunter2@h:/d", "missing", "5432"),
        ("postgres://a:hunter2@::1/d", "brackets", "[::1]"),
        ("postgres://a:hunter2@h/d/e", "more than", "%2F"),
        ("postgres://a:hunter2@h/d/", "more than", "/database"),
        ("postgres://a:hunter2@h1,,h2/d", "missing", "list"),
        ("postgres://a:hunter2@h/d?sslmod=require", "`sslmod`", "sslmode"),
        ("postgres://a:hunter2@h/d?keepalives=1", "`keepalives`", "remove"),
        ("postgres://a:hunter2@h/d?ssl=true", "`ssl`", "sslmode=require"),
        ("postgres://a:hunter2@h/d?sslmode", "no value", "sslmode="),
        ("postgres://a:hunter2@h/d?user=b", "twice", "once"),
        ("postgres://a:hunter2@h/d?host=b", "twice", "once"),
        ("postgres://a:hunter2@h/d?port=1&port=2", "twice", "once"),
        ("postgres://a:hunter2@h,i/d?port=1,2,3", "ports", "each"),
        ("host=h password=correct hunter2", "word 3", "quotes"),
        ("host=h password=correct hunter2=x", "not written", "quotes"),
    ] {
        let fault = parse_address(text).expect_err(text);
        assert!(fault.why.contains(why) && fault.fix.contains(fix), "{text}: {fault:?}");
        assert!(!format!("{fault:?}").contains("hunter2"), "{text}: {fault:?}");
    }
}

#[test]
fn what_is_named_apart_replaces_that_part_alone() {
    let url = || parse_address("postgres://me:pw@h1:6000,h2:6000/d?sslmode=require").unwrap();
    let over = |text: &str| parse_endpoint(text).unwrap().over(url());
    assert_eq!(endpoints(&over("other")), "other:6000");
    assert_eq!(endpoints(&over("other:7")), "other:7");
    assert_eq!(endpoints(&over("other port=8 sslmode=disable")), "other:8");
    assert_eq!(over("other sslmode=disable").tls, Some(Tls::Disable));
    assert_eq!(over("other").tls, Some(Tls::Require));
    assert_eq!(over("other").user.as_deref(), Some("me"));
    let port = ServerAddress { ports: vec![9], ..ServerAddress::default() };
    assert_eq!(endpoints(&port.over(url())), "h1:9 h2:9");
}
