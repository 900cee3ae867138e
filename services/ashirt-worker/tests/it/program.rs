//! `ashirt-worker try`: what the worker would say of a file.

use super::config::program;

#[test]
fn a_file_is_tried_without_keys_and_without_an_ashirt() {
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("evidence.json");
    std::fs::write(&code, r#"{"contentSubtype":"python","content":"print(1)\n"}"#).unwrap();
    let path = code.to_str().unwrap();
    let said = program(folder.path(), &["try", path], &[]);
    assert_eq!((said.code, &*said.err), (Some(0), ""), "{}", said.out);
    assert!(said.out.contains("Python") && said.out.ends_with('\n'), "{}", said.out);
    let rejected = program(folder.path(), &["try", path, "--type", "image"], &[]);
    assert_eq!((rejected.code, &*rejected.out), (Some(1), ""));
    assert!(rejected.err.contains("rejected as image"), "{}", rejected.err);
}

#[test]
fn a_file_that_nobody_knows_is_told_with_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "hello").unwrap();
    let unknown = program(folder.path(), &["try", "notes.txt"], &[]);
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.err.contains("--type") && unknown.err.contains("codeblock"), "{}", unknown.err);
    let absent = program(folder.path(), &["try", "absent.har"], &[]);
    assert!(absent.err.contains("absent.har") && absent.code == Some(1), "{}", absent.err);
    let wrong = program(folder.path(), &["try", "notes.txt", "--type", "pcap"], &[]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
}
