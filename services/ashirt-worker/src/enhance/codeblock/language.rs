//! Languages: what they are called, and what a comment looks like in them.

/// What comments begin with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `#`
    Hash,
    /// `//`, and `/*` to `*/`
    Slashes,
    /// `--`, and `/*` to `*/`
    Dashes,
    /// `;`
    Semicolon,
    /// `%`
    Percent,
    /// `<!--` to `-->`
    Markup,
    /// `REM`, `::` and `'`
    Rem,
    /// None, or none we know.
    None,
}

/// Marks that make a line a comment, and those around several lines.
type Marks = (Style, &'static [&'static str], Option<(&'static str, &'static str)>);

const STYLES: [Marks; 7] = [
    (Style::Hash, &["#"], None),
    (Style::Slashes, &["//"], Some(("/*", "*/"))),
    (Style::Dashes, &["--"], Some(("/*", "*/"))),
    (Style::Semicolon, &[";"], None),
    (Style::Percent, &["%"], None),
    (Style::Markup, &[], Some(("<!--", "-->"))),
    (Style::Rem, &["REM ", "rem ", "Rem ", "::", "'"], None),
];

/// A language with its names: the first is for people, the others are subtypes, extensions and interpreters.
pub(super) struct Language {
    pub(super) name: &'static str,
    others: &'static [&'static str],
    style: Style,
}

const fn language(name: &'static str, others: &'static [&'static str], style: Style) -> Language {
    Language { name, others, style }
}

static LANGUAGES: &[Language] = &[
    language("ABAP", &["abap"], Style::None),
    language("ActionScript", &["actionscript", "as"], Style::Slashes),
    language("Ada", &["ada", "adb", "ads"], Style::Dashes),
    language("Assembly", &["assembly", "assembly_x86", "asm", "nasm", "s"], Style::Semicolon),
    language("AWK", &["awk", "gawk", "mawk"], Style::Hash),
    language("Bash", &["bash"], Style::Hash),
    language("Batch", &["batch", "batchfile", "bat", "cmd", "dos"], Style::Rem),
    language("C", &["c", "h"], Style::Slashes),
    language("C or C++", &["c_cpp"], Style::Slashes),
    language("C++", &["cpp", "c++", "cc", "cxx", "hpp", "hh"], Style::Slashes),
    language("C#", &["csharp", "c#", "cs"], Style::Slashes),
    language("Clojure", &["clojure", "clj"], Style::Semicolon),
    language("COBOL", &["cobol", "cob", "cbl"], Style::None),
    language("CoffeeScript", &["coffeescript", "coffee"], Style::Hash),
    language("CSS", &["css"], Style::Slashes),
    language("D", &["d"], Style::Slashes),
    language("Dart", &["dart"], Style::Slashes),
    language("Diff", &["diff", "patch"], Style::None),
    language("Dockerfile", &["dockerfile", "docker"], Style::Hash),
    language("Elixir", &["elixir", "ex", "exs"], Style::Hash),
    language("Elm", &["elm"], Style::Dashes),
    language("Erlang", &["erlang", "erl", "escript"], Style::Percent),
    language("F#", &["fsharp", "f#", "fs"], Style::Slashes),
    language("Go", &["go", "golang"], Style::Slashes),
    language("GraphQL", &["graphql", "graphqlschema", "gql"], Style::Hash),
    language("Groovy", &["groovy", "gradle"], Style::Slashes),
    language("Haskell", &["haskell", "hs", "runhaskell"], Style::Dashes),
    language("HCL", &["hcl", "terraform", "tf"], Style::Hash),
    language("HTML", &["html", "htm", "xhtml"], Style::Markup),
    language("HTTP", &["http"], Style::None),
    language("INI", &["ini", "cfg", "conf"], Style::Semicolon),
    language("Java", &["java"], Style::Slashes),
    language(
        "JavaScript",
        &["javascript", "js", "mjs", "cjs", "node", "nodejs", "jsx"],
        Style::Slashes,
    ),
    language("JSON", &["json", "json5", "ndjson", "jsonl"], Style::Slashes),
    language("Julia", &["julia", "jl"], Style::Hash),
    language("Kotlin", &["kotlin", "kt", "kts"], Style::Slashes),
    language("LaTeX", &["latex", "tex"], Style::Percent),
    language("Lisp", &["lisp", "el", "scheme", "scm", "guile"], Style::Semicolon),
    language("Lua", &["lua"], Style::Dashes),
    language("Makefile", &["makefile", "make", "mk"], Style::Hash),
    language("Markdown", &["markdown", "md"], Style::None),
    language("MATLAB", &["matlab"], Style::Percent),
    language("nginx", &["nginx"], Style::Hash),
    language("Nim", &["nim"], Style::Hash),
    language("Objective-C", &["objectivec", "objective-c", "objc"], Style::Slashes),
    language("OCaml", &["ocaml", "ml"], Style::None),
    language("Pascal", &["pascal", "pas", "delphi"], Style::Slashes),
    language("Perl", &["perl", "pl", "pm"], Style::Hash),
    language("PHP", &["php", "php3", "phtml"], Style::Slashes),
    language("PowerShell", &["powershell", "pwsh", "ps1", "psm1"], Style::Hash),
    language("Prolog", &["prolog", "swipl"], Style::Percent),
    language("Protobuf", &["protobuf", "proto"], Style::Slashes),
    language("Python", &["python", "py", "python2", "python3", "pyw"], Style::Hash),
    language("R", &["r", "rscript"], Style::Hash),
    language("Ruby", &["ruby", "rb"], Style::Hash),
    language("Rust", &["rust", "rs"], Style::Slashes),
    language("SCSS", &["scss", "sass", "less"], Style::Slashes),
    language("Scala", &["scala", "sc"], Style::Slashes),
    language("Shell", &["sh", "shell", "shellscript", "zsh", "ksh", "dash", "fish"], Style::Hash),
    language("SQL", &["sql", "mysql", "pgsql", "sqlserver", "plsql", "tsql"], Style::Dashes),
    language("Swift", &["swift"], Style::Slashes),
    language("Tcl", &["tcl", "tclsh", "expect"], Style::Hash),
    language("TOML", &["toml"], Style::Hash),
    language("TypeScript", &["typescript", "ts", "tsx", "deno"], Style::Slashes),
    language("VBScript", &["vbscript", "vbs", "vb", "vba", "bas"], Style::Rem),
    language("Verilog", &["verilog", "v", "sv"], Style::Slashes),
    language("VHDL", &["vhdl", "vhd"], Style::Dashes),
    language("XML", &["xml", "xsd", "xsl", "svg"], Style::Markup),
    language("YAML", &["yaml", "yml"], Style::Hash),
    language("YARA", &["yara", "yar"], Style::Slashes),
    language("Zig", &["zig"], Style::Slashes),
];

/// Whether a subtype says that there is no language.
pub(super) fn is_plain(subtype: &str) -> bool {
    ["", "text", "txt", "plain", "plaintext", "plain_text", "none", "unknown"]
        .contains(&subtype.to_ascii_lowercase().as_str())
}

impl Language {
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        let name = name.to_ascii_lowercase();
        LANGUAGES.iter().find(|language| language.others.contains(&name.as_str()))
    }

    /// `#!/usr/bin/env -S python3.12 -u`
    pub(super) fn of_shebang(line: &str) -> Option<&'static Self> {
        let mut words = line.strip_prefix("#!")?.split_whitespace();
        let mut program = words.next()?.rsplit('/').next()?;
        if program == "env" {
            program = words
                .find(|word| !word.starts_with('-') && !word.contains('='))?
                .rsplit('/')
                .next()?;
        }
        let bare = program.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.');
        Self::named(program).or_else(|| Self::named(bare))
    }

    /// A file's name or a URL.
    pub(super) fn of_source(source: &str) -> Option<&'static Self> {
        let path = source.split(['?', '#']).next()?;
        let file = path.trim_end().rsplit(['/', '\\']).next()?;
        match file.rsplit_once('.') {
            Some((_, extension)) => {
                Self::named(extension.trim_end_matches(|char: char| !char.is_alphanumeric()))
            }
            None => ["Dockerfile", "Makefile"].contains(&file).then(|| Self::named(file)).flatten(),
        }
    }
}

/// Lines that are comments, in each style: which it is may be known only at the end.
#[derive(Default)]
pub(super) struct Comments {
    lines: [u64; STYLES.len()],
    open: [bool; STYLES.len()],
}

impl Comments {
    /// A line that is not blank, without the blanks around it.
    pub(super) fn line(&mut self, line: &str) {
        for (at, (_, marks, block)) in STYLES.iter().enumerate() {
            let begins = block.is_some_and(|(begin, _)| line.starts_with(begin));
            let is_comment =
                self.open[at] || begins || marks.iter().any(|mark| line.starts_with(mark));
            self.lines[at] += u64::from(is_comment);
            if let Some((_, end)) = block.filter(|_| self.open[at] || begins) {
                self.open[at] = !line.contains(end);
            }
        }
    }

    /// How many lines are comments; `None` if that is not known of the language.
    pub(super) fn of(&self, language: &Language) -> Option<u64> {
        STYLES.iter().position(|(style, ..)| *style == language.style).map(|at| self.lines[at])
    }
}
