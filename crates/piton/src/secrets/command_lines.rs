//! Passwords on command lines: `mysql -phunter2`, `redis-cli -a hunter2`, `curl -u me:hunter2`.

/// A group of programs that take a password by a flag, as the next word or as the rest of the same
/// word.
struct Program {
    names: &'static [&'static str],
    flags: &'static [&'static str],
    /// True if the flag takes a user too, as `user:password` or `user%password`.
    with_user: bool,
    /// Subcommand that has the flag: `docker login -p` takes a password, `docker run -p` a port.
    command: Option<&'static str>,
}

const PROGRAMS: [Program; 9] = [
    program(&["mysql", "mysqladmin", "mysqldump", "mysqlimport", "mysqlsh", "mariadb"], &["-p"]),
    program(&["mysqlcheck", "mysqlshow", "mariadb-dump", "mariadb-admin", "sshpass"], &["-p"]),
    program(
        &["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "7z", "7za", "rar"],
        &["-p"],
    ),
    program(&["redis-cli", "valkey-cli", "keydb-cli"], &["-a"]),
    program(
        &["ldapsearch", "ldapmodify", "ldapadd", "ldapwhoami", "ldapdelete", "ldappasswd"],
        &["-w"],
    ),
    program(
        &["sqlcmd", "bcp", "mosquitto_pub", "mosquitto_sub", "zip", "unzip", "ipmitool"],
        &["-P"],
    ),
    Program {
        command: Some("login"),
        ..program(&["docker", "podman", "oc", "az", "helm", "nerdctl"], &["-p"])
    },
    Program {
        with_user: true,
        ..program(
            &["curl", "http", "https", "wget"],
            &["-u", "--user", "-U", "--proxy-user", "-a", "--auth"],
        )
    },
    Program { with_user: true, ..program(&["smbclient", "rpcclient", "net"], &["-U"]) },
];

const fn program(names: &'static [&'static str], flags: &'static [&'static str]) -> Program {
    Program { names, flags, with_user: false, command: None }
}

/// Beginnings of options that start with `-p` and may contain a digit, without the `-p`: `rofile2` of
/// `-profile2`, `rint0` of `-print0`. They are not passwords.
const OPTIONS_WITH_P: [&str; 71] = [
    "acceptance",
    "ackage",
    "age",
    "aint",
    "air",
    "alette",
    "anel",
    "arallel",
    "aram",
    "arent",
    "arse",
    "art",
    "ass1",
    "ass2",
    "atch",
    "ath",
    "attern",
    "ause",
    "ayload",
    "bkdf",
    "dest",
    "edantic",
    "eer",
    "erf",
    "eriod",
    "erm",
    "g",
    "hase",
    "hp",
    "id",
    "ic",
    "ie",
    "ing",
    "ipe",
    "ixel",
    "kcs",
    "latform",
    "lay",
    "lot",
    "lugin",
    "oint",
    "olicy",
    "oll",
    "ool",
    "ort",
    "osix",
    "ost",
    "ower",
    "re",
    "rimary",
    "rint",
    "rior",
    "rivate",
    "roc",
    "rod",
    "rof",
    "rog",
    "roj",
    "rompt",
    "rop",
    "rot",
    "rov",
    "roxy",
    "seudo",
    "thread",
    "ub",
    "ull",
    "ush",
    "y2",
    "y3",
    "ython",
];

/// Returns whether a command in the text has a password: by a flag of one of [`PROGRAMS`], or by
/// `-phunter2` of any program. `-p hunter2`, as two words, counts for known programs alone, because
/// it is the package, the port or the path of most others.
pub(super) fn has_password_argument(text: &str) -> bool {
    let ends = |c: char| c.is_whitespace() || "\"'`,[](){}|&;=".contains(c);
    let mut words = text.split(ends).filter(|word| !word.is_empty()).peekable();
    let (mut program, mut has_begun): (Option<&Program>, bool) = (None, false);
    while let Some(word) = words.next() {
        let name = word.rsplit('/').next().unwrap_or(word);
        if let Some(known) = PROGRAMS.iter().find(|known| known.names.contains(&name)) {
            (program, has_begun) = (Some(known), known.command.is_none());
            continue;
        }
        has_begun |= program.is_some_and(|program| program.command == Some(word));
        let next = words.peek().copied().filter(|next| !next.starts_with('-'));
        let value_of = |flag: &str| match word.strip_prefix(flag) {
            Some("") => next,
            // Not for long flags, because one that goes on is another flag: `--user-agent` is not `--user`.
            Some(rest) if !flag.starts_with("--") => Some(rest),
            _ => None,
        };
        let of_program = program.filter(|_| has_begun).is_some_and(|program| {
            let is_secret = |value: &str| match program.with_user {
                true => value.contains([':', '%']),
                false => !is_port(value),
            };
            program.flags.iter().any(|flag| value_of(flag).is_some_and(is_secret))
        });
        if of_program || word.strip_prefix("-p").is_some_and(is_attached_password) {
            return true;
        }
    }
    false
}

/// Returns whether a value is a port: `5432`, `8080:80/tcp`, `127.0.0.1:8080:80`.
fn is_port(value: &str) -> bool {
    let number = value.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    number.len() < value.len() && (number.is_empty() || number.starts_with(':'))
}

/// Returns whether the text attached to `-p` is a password: it has letters and digits, is no path,
/// address or name with hyphens, and is not the rest of a longer option.
fn is_attached_password(value: &str) -> bool {
    const MIN_BYTES: usize = 6;
    value.len() >= MIN_BYTES
        && value.contains(|c: char| c.is_ascii_digit())
        && value.contains(char::is_alphabetic)
        && !value.contains(['/', ':', '.', '-', '_'])
        && !OPTIONS_WITH_P.iter().any(|option| value.starts_with(option))
}
