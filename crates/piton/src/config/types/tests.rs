//! Claims about all types of settings.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::setting::Setting;

#[test]
fn every_shown_value_parses_again() {
    fn round<T: Setting>(value: T) {
        let shown = value.show();
        assert_eq!(T::parse(&shown).map(|again| again.show()), Ok(shown));
    }
    round(true);
    round(0.25);
    round(u64::MAX);
    round(String::from("x"));
    round(None::<u8>);
    round(vec![Some(1_i64)]);
}

#[test]
fn every_type_has_a_schema_and_says_what_it_expects() {
    fn check<T: Setting>() {
        assert!(T::schema().is_object());
        assert!(!T::expects().is_empty());
    }
    check::<bool>();
    check::<u8>();
    check::<f64>();
    check::<String>();
    check::<SecretString>();
    check::<PathBuf>();
    check::<IpAddr>();
    check::<SocketAddr>();
    check::<Option<Vec<u16>>>();
}
