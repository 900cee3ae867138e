//! Programming languages: their names, and their comments.

/// Syntax of comments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CommentStyle {
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
    /// No comments, or unknown ones.
    None,
}

/// Marks that make a line a comment, and those around several lines.
type CommentMarks = (CommentStyle, &'static [&'static str], Option<(&'static str, &'static str)>);

const STYLES: [CommentMarks; 7] = [
    (CommentStyle::Hash, &["#"], None),
    (CommentStyle::Slashes, &["//"], Some(("/*", "*/"))),
    (CommentStyle::Dashes, &["--"], Some(("/*", "*/"))),
    (CommentStyle::Semicolon, &[";"], None),
    (CommentStyle::Percent, &["%"], None),
    (CommentStyle::Markup, &[], Some(("<!--", "-->"))),
    (CommentStyle::Rem, &["REM ", "rem ", "Rem ", "::", "'"], None),
];

/// A language with its names: `name` is for people, `others` are subtypes, extensions and
/// interpreters.
pub(super) struct Language {
    pub(super) name: &'static str,
    others: &'static [&'static str],
    style: CommentStyle,
}

const fn language(
    name: &'static str,
    others: &'static [&'static str],
    style: CommentStyle,
) -> Language {
    Language { name, others, style }
}

static LANGUAGES: &[Language] = &[
    language("ABAP", &["abap"], CommentStyle::None),
    language("ActionScript", &["actionscript", "as"], CommentStyle::Slashes),
    language("Ada", &["ada", "adb", "ads"], CommentStyle::Dashes),
    language(
        "Assembly",
        &["assembly", "assembly_x86", "asm", "nasm", "s"],
        CommentStyle::Semicolon,
    ),
    language("AWK", &["awk", "gawk", "mawk"], CommentStyle::Hash),
    language("Bash", &["bash"], CommentStyle::Hash),
    language("Batch", &["batch", "batchfile", "bat", "cmd", "dos"], CommentStyle::Rem),
    language("C", &["c", "h"], CommentStyle::Slashes),
    language("C or C++", &["c_cpp"], CommentStyle::Slashes),
    language("C++", &["cpp", "c++", "cc", "cxx", "hpp", "hh"], CommentStyle::Slashes),
    language("C#", &["csharp", "c#", "cs"], CommentStyle::Slashes),
    language("Clojure", &["clojure", "clj"], CommentStyle::Semicolon),
    language("COBOL", &["cobol", "cob", "cbl"], CommentStyle::None),
    language("CoffeeScript", &["coffeescript", "coffee"], CommentStyle::Hash),
    language("CSS", &["css"], CommentStyle::Slashes),
    language("D", &["d"], CommentStyle::Slashes),
    language("Dart", &["dart"], CommentStyle::Slashes),
    language("Diff", &["diff", "patch"], CommentStyle::None),
    language("Dockerfile", &["dockerfile", "docker"], CommentStyle::Hash),
    language("Elixir", &["elixir", "ex", "exs"], CommentStyle::Hash),
    language("Elm", &["elm"], CommentStyle::Dashes),
    language("Erlang", &["erlang", "erl", "escript"], CommentStyle::Percent),
    language("F#", &["fsharp", "f#", "fs"], CommentStyle::Slashes),
    language("Go", &["go", "golang"], CommentStyle::Slashes),
    language("GraphQL", &["graphql", "graphqlschema", "gql"], CommentStyle::Hash),
    language("Groovy", &["groovy", "gradle"], CommentStyle::Slashes),
    language("Haskell", &["haskell", "hs", "runhaskell"], CommentStyle::Dashes),
    language("HCL", &["hcl", "terraform", "tf"], CommentStyle::Hash),
    language("HTML", &["html", "htm", "xhtml"], CommentStyle::Markup),
    language("HTTP", &["http"], CommentStyle::None),
    language("INI", &["ini", "cfg", "conf"], CommentStyle::Semicolon),
    language("Java", &["java"], CommentStyle::Slashes),
    language(
        "JavaScript",
        &["javascript", "js", "mjs", "cjs", "node", "nodejs", "jsx"],
        CommentStyle::Slashes,
    ),
    language("JSON", &["json", "json5", "ndjson", "jsonl"], CommentStyle::Slashes),
    language("Julia", &["julia", "jl"], CommentStyle::Hash),
    language("Kotlin", &["kotlin", "kt", "kts"], CommentStyle::Slashes),
    language("LaTeX", &["latex", "tex"], CommentStyle::Percent),
    language("Lisp", &["lisp", "el", "scheme", "scm", "guile"], CommentStyle::Semicolon),
    language("Lua", &["lua"], CommentStyle::Dashes),
    language("Makefile", &["makefile", "make", "mk"], CommentStyle::Hash),
    language("Markdown", &["markdown", "md"], CommentStyle::None),
    language("MATLAB", &["matlab"], CommentStyle::Percent),
    language("nginx", &["nginx"], CommentStyle::Hash),
    language("Nim", &["nim"], CommentStyle::Hash),
    language("Objective-C", &["objectivec", "objective-c", "objc"], CommentStyle::Slashes),
    language("OCaml", &["ocaml", "ml"], CommentStyle::None),
    language("Pascal", &["pascal", "pas", "delphi"], CommentStyle::Slashes),
    language("Perl", &["perl", "pl", "pm"], CommentStyle::Hash),
    language("PHP", &["php", "php3", "phtml"], CommentStyle::Slashes),
    language("PowerShell", &["powershell", "pwsh", "ps1", "psm1"], CommentStyle::Hash),
    language("Prolog", &["prolog", "swipl"], CommentStyle::Percent),
    language("Protobuf", &["protobuf", "proto"], CommentStyle::Slashes),
    language("Python", &["python", "py", "python2", "python3", "pyw"], CommentStyle::Hash),
    language("R", &["r", "rscript"], CommentStyle::Hash),
    language("Ruby", &["ruby", "rb"], CommentStyle::Hash),
    language("Rust", &["rust", "rs"], CommentStyle::Slashes),
    language("SCSS", &["scss", "sass", "less"], CommentStyle::Slashes),
    language("Scala", &["scala", "sc"], CommentStyle::Slashes),
    language(
        "Shell",
        &["sh", "shell", "shellscript", "zsh", "ksh", "dash", "fish"],
        CommentStyle::Hash,
    ),
    language("SQL", &["sql", "mysql", "pgsql", "sqlserver", "plsql", "tsql"], CommentStyle::Dashes),
    language("Swift", &["swift"], CommentStyle::Slashes),
    language("Tcl", &["tcl", "tclsh", "expect"], CommentStyle::Hash),
    language("TOML", &["toml"], CommentStyle::Hash),
    language("TypeScript", &["typescript", "ts", "tsx", "deno"], CommentStyle::Slashes),
    language("VBScript", &["vbscript", "vbs", "vb", "vba", "bas"], CommentStyle::Rem),
    language("Verilog", &["verilog", "v", "sv"], CommentStyle::Slashes),
    language("VHDL", &["vhdl", "vhd"], CommentStyle::Dashes),
    language("XML", &["xml", "xsd", "xsl", "svg"], CommentStyle::Markup),
    language("YAML", &["yaml", "yml"], CommentStyle::Hash),
    language("YARA", &["yara", "yar"], CommentStyle::Slashes),
    language("Zig", &["zig"], CommentStyle::Slashes),
];

/// Returns whether a subtype declares plain text.
pub(super) fn is_plain(subtype: &str) -> bool {
    ["", "text", "txt", "plain", "plaintext", "plain_text", "none", "unknown"]
        .contains(&subtype.to_ascii_lowercase().as_str())
}

impl Language {
    pub(super) fn by_name(name: &str) -> Option<&'static Self> {
        let name = name.to_ascii_lowercase();
        LANGUAGES.iter().find(|language| language.others.contains(&name.as_str()))
    }

    /// Returns the language of a line such as `#!/usr/bin/env -S python3.12 -u`.
    pub(super) fn by_shebang(line: &str) -> Option<&'static Self> {
        let mut words = line.strip_prefix("#!")?.split_whitespace();
        let mut program = words.next()?.rsplit('/').next()?;
        if program == "env" {
            program = words
                .find(|word| !word.starts_with('-') && !word.contains('='))?
                .rsplit('/')
                .next()?;
        }
        let bare = program.trim_end_matches(|char: char| char.is_ascii_digit() || char == '.');
        Self::by_name(program).or_else(|| Self::by_name(bare))
    }

    /// Returns the language of a file's name or a URL, by its extension.
    pub(super) fn by_source(source: &str) -> Option<&'static Self> {
        let path = source.split(['?', '#']).next()?;
        let file = path.trim_end().rsplit(['/', '\\']).next()?;
        match file.rsplit_once('.') {
            Some((_, extension)) => {
                Self::by_name(extension.trim_end_matches(|char: char| !char.is_alphanumeric()))
            }
            None => {
                ["Dockerfile", "Makefile"].contains(&file).then(|| Self::by_name(file)).flatten()
            }
        }
    }
}

/// Counts comment lines in each style, because the language may be known only at the end.
#[derive(Default)]
pub(super) struct CommentLines {
    lines: [u64; STYLES.len()],
    open: [bool; STYLES.len()],
}

impl CommentLines {
    /// Counts a line that is not blank and is trimmed.
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

    /// Returns the number of comment lines, or `None` if the language's comments are not known.
    pub(super) fn of(&self, language: &Language) -> Option<u64> {
        STYLES.iter().position(|(style, ..)| *style == language.style).map(|at| self.lines[at])
    }
}
