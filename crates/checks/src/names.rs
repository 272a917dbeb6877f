//! What fences and files call the languages: one table for every check.

/// Each language by the name it has here, with the words of fences and the extensions of files that mean it.
const NAMES: [(&str, &[&str]); 27] = [
    ("python", &["python", "py", "python3", "py3", "pycon", "python-console", "python-repl", "pyi"]),
    ("rust", &["rust", "rs"]),
    ("javascript", &["javascript", "js", "jsx", "mjs", "cjs", "node", "nodejs", "ecmascript"]),
    ("typescript", &["typescript", "ts", "mts", "cts"]),
    ("tsx", &["tsx", "typescriptreact"]),
    ("go", &["go", "golang"]),
    ("java", &["java"]),
    ("c", &["c"]),
    // A header may be either's; what is C is C++ as far as syntax goes.
    ("cpp", &["cpp", "c++", "cc", "cxx", "h", "hh", "hpp", "hxx"]),
    ("bash", &["bash", "sh", "shell", "zsh", "ksh", "dash", "bats"]),
    ("console", &["console", "shell-session", "shellsession", "terminal", "sh-session", "bash-session"]),
    ("hcl", &["hcl", "tf", "terraform", "tfvars", "opentofu", "nomad"]),
    (
        "sql",
        &[
            "sql",
            "mysql",
            "mariadb",
            "postgres",
            "postgresql",
            "pgsql",
            "plpgsql",
            "psql",
            "sqlite",
            "sqlite3",
            "tsql",
            "mssql",
            "plsql",
            "bigquery",
            "snowflake",
            "duckdb",
        ],
    ),
    ("dockerfile", &["dockerfile", "docker", "containerfile"]),
    ("yaml", &["yaml", "yml", "kubernetes", "k8s"]),
    ("json", &["json", "jsonl", "ndjson", "jsonlines", "geojson", "webmanifest"]),
    ("jsonc", &["jsonc", "code-workspace"]),
    ("json5", &["json5"]),
    ("toml", &["toml"]),
    ("csharp", &["csharp", "cs", "c#"]),
    ("kotlin", &["kotlin", "kt", "kts"]),
    ("ruby", &["ruby", "rb"]),
    ("powershell", &["powershell", "ps1", "pwsh"]),
    ("makefile", &["makefile", "make", "mk"]),
    ("env", &["env", "dotenv"]),
    ("ini", &["ini", "cfg", "conf", "properties"]),
    ("text", &["text", "txt", "plain", "plaintext"]),
];

/// The language that a word on a fence means.
pub(crate) fn language_of_tag(tag: &str) -> Option<&'static str> {
    NAMES.iter().find(|(_, tags)| tags.contains(&tag)).map(|(name, _)| *name)
}

/// The language of the file of this path.
pub(crate) fn language_of_path(path: &str) -> Option<&'static str> {
    language_of_tag(&tag_of_path(path)?)
}

/// What a fence would be tagged with for the file of this path.
pub(crate) fn tag_of_path(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?.to_lowercase();
    let begins =
        |word: &str| name.strip_prefix(word).is_some_and(|rest| !rest.starts_with(char::is_alphabetic));
    let whole = ["dockerfile", "containerfile", "makefile", ".env"].into_iter().find(|word| begins(word));
    match (whole, name.rsplit_once('.')) {
        (Some("containerfile"), _) => Some("dockerfile".to_owned()),
        (Some(word), _) => Some(word.trim_start_matches('.').to_owned()),
        (None, Some((_, extension))) => Some(extension.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_means_two_languages() {
        let mut tags: Vec<&str> = NAMES.iter().flat_map(|(_, tags)| *tags).copied().collect();
        tags.sort_unstable();
        let all = tags.len();
        tags.dedup();
        assert_eq!(tags.len(), all);
        assert!(NAMES.iter().all(|(name, tags)| tags.contains(name)));
    }

    #[test]
    fn a_file_is_known_by_its_name_or_by_its_extension() {
        for (path, language) in [
            ("src/a.py", Some("python")),
            ("deploy/Dockerfile.dev", Some("dockerfile")),
            ("Containerfile", Some("dockerfile")),
            ("a.dockerfile", Some("dockerfile")),
            (".env.example", Some("env")),
            ("prod.env", Some("env")),
            ("Makefile", Some("makefile")),
            ("Environment.CS", Some("csharp")),
            ("a.unknown", None),
            ("LICENSE", None),
        ] {
            assert_eq!(language_of_path(path), language, "{path}");
        }
    }
}
