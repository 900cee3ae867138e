//! `.env` files that are unusual.

use super::*;

#[test]
fn a_folder_called_dotenv_is_no_file_of_variables() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    std::fs::create_dir(&path).unwrap();
    let (_, problems) = Config::loader("PITON").env_file(&path).load(&KNOWN);
    assert!(problems.is_empty(), "{problems}");
}

#[test]
fn a_dotenv_is_expanded_and_what_it_cannot_be_read_as_is_told_with_the_fix() {
    let (_folder, dotenv) = written(
        ".env",
        "BASE=1\nMY-VAR=1\nBARE\nexport\tPITON_LOG_LEVEL=${LEVEL:-debug}\nPITON_HTTP_PORT=${BASE}${LAST}\n",
    );
    let config = load(Config::loader("PITON").env([("LAST", "7")]).env_file(&dotenv));
    assert_eq!(http(&config).port, 17);
    let origin = config.origin("http.port").to_string();
    assert_eq!(origin, format!("{}:5", dotenv.display()));
    // The environment takes precedence, as in python-dotenv.
    let config =
        load(Config::loader("PITON").env([("BASE", "2"), ("LAST", "7")]).env_file(&dotenv));
    assert_eq!(http(&config).port, 27);

    std::fs::write(&dotenv, b"A=1\nPITON_HTTP_PORT=\xe9\n").unwrap();
    let (_, problems) = Config::loader("PITON").env_file(&dotenv).load(&KNOWN);
    assert_eq!(problems.len(), 1, "{problems}");
    assert!(problems[0].why.contains("not UTF-8") && problems[0].fix.contains("iconv"));
    assert_eq!(problems[0].origin.to_string(), format!("{}:2", dotenv.display()));
    let utf_16: Vec<u8> = "A=1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&dotenv, utf_16).unwrap();
    let (_, problems) = Config::loader("PITON").env_file(&dotenv).load(&KNOWN);
    assert!(problems.len() == 1 && problems[0].fix.contains("UTF-16"), "{problems}");
    std::fs::write(&dotenv, "A=1\n".repeat(2 << 20)).unwrap();
    let (_, problems) = Config::loader("PITON").env_file(&dotenv).load(&KNOWN);
    assert!(problems.len() == 1 && problems[0].why.contains("4MiB"), "{problems}");
}
