//! What a text says once its comments are left out, and once what it only quotes is left out, too.
//!
//! Both keep every line and column: what is left out becomes spaces. They are read lightly, without a parser:
//! rules of policies want to know what code does, and a comment or a message that warns of a thing is not the
//! thing.

/// Two views of a text.
pub(crate) struct Views {
    /// Without comments.
    pub(crate) code: String,
    /// Without comments and without what strings hold; in languages of the shell, without messages only.
    pub(crate) bare: String,
}

/// How comments and strings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// A language of programs, by the marks of its comments.
    Program { line: &'static [&'static str], block: bool },
    /// A shell, or a file that holds commands for one.
    Shell { yaml: bool, docker: bool },
    /// Nothing is quoted in it that is not meant: data, settings.
    Settings { line: &'static [&'static str], block: bool },
    /// Commands after a prompt among what they print.
    Console,
    /// Text that does nothing.
    Plain,
}

fn style(language: &str) -> Style {
    match language {
        "python" | "ruby" | "perl" | "r" | "elixir" | "toml" => Style::Program { line: &["#"], block: false },
        "rust" | "javascript" | "typescript" | "tsx" | "go" | "java" | "c" | "cpp" | "csharp" | "kotlin"
        | "scala" | "swift" | "dart" | "groovy" => Style::Program { line: &["//"], block: true },
        "php" => Style::Program { line: &["//", "#"], block: true },
        "hcl" => Style::Program { line: &["#", "//"], block: true },
        "sql" | "lua" => Style::Program { line: &["--"], block: true },
        "bash" | "makefile" => Style::Shell { yaml: false, docker: false },
        "dockerfile" => Style::Shell { yaml: false, docker: true },
        "yaml" => Style::Shell { yaml: true, docker: false },
        "powershell" | "env" | "ini" | "nginx" => Style::Settings { line: &["#"], block: false },
        "json" => Style::Settings { line: &["//"], block: true },
        "console" => Style::Console,
        _ => Style::Plain,
    }
}

/// The views of a text in a language.
pub(crate) fn views(language: &str, text: &str) -> Views {
    match style(language) {
        Style::Program { line, block } => Scan::new(text).program(language, line, block),
        Style::Settings { line, block } => {
            let Views { code, .. } = Scan::new(text).program(language, line, block);
            Views { bare: code.clone(), code }
        }
        Style::Shell { yaml, docker } => Scan::new(text).shell(yaml, docker),
        Style::Console => Scan::new(&typed(text)).shell(false, false),
        Style::Plain => Views { code: text.to_owned(), bare: blank(text) },
    }
}

fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { ' ' }).collect()
}

/// What was typed in at a transcript's prompts, in its place.
fn typed(text: &str) -> String {
    let mut goes_on = false;
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let prompt = line
            .find("$ ")
            .or_else(|| line.find("% "))
            .filter(|at| line[..*at].chars().all(|c| c.is_alphanumeric() || " @:~/._-[]()".contains(c)));
        match prompt {
            Some(at) => {
                out.extend(line[..at + 1].chars().map(|_| ' '));
                out.push_str(&line[at + 1..]);
            }
            None if goes_on => out.push_str(line),
            None => out.push_str(&blank(line)),
        }
        goes_on = (prompt.is_some() || goes_on) && line.trim_end().ends_with('\\');
    }
    out
}

/// A text on its way to its views.
struct Scan {
    text: Vec<char>,
    code: Vec<char>,
    bare: Vec<char>,
}

impl Scan {
    fn new(text: &str) -> Scan {
        let text: Vec<char> = text.chars().collect();
        Scan { code: text.clone(), bare: text.clone(), text }
    }

    fn views(self) -> Views {
        Views { code: self.code.into_iter().collect(), bare: self.bare.into_iter().collect() }
    }

    fn at(&self, at: usize, what: &str) -> bool {
        what.chars().enumerate().all(|(n, c)| self.text.get(at + n) == Some(&c))
    }

    fn blank_code(&mut self, from: usize, to: usize) {
        wipe(&mut self.code, from, to);
        wipe(&mut self.bare, from, to);
    }

    fn line_end(&self, from: usize) -> usize {
        self.text.iter().skip(from).position(|c| *c == '\n').map_or(self.text.len(), |n| from + n)
    }

    /// Where `what` stands at or after `from`, and the end of the text where it does not.
    fn find(&self, from: usize, what: &str) -> usize {
        (from..self.text.len()).find(|at| self.at(*at, what)).unwrap_or(self.text.len())
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].iter().rposition(|c| *c == '\n').map_or(0, |n| n + 1)
    }

    fn program(mut self, language: &str, line: &[&str], block: bool) -> Views {
        let mut at = 0;
        while at < self.text.len() {
            if line.iter().any(|mark| self.at(at, mark)) && self.may_comment(language, at) {
                let end = self.line_end(at);
                self.blank_code(at, end);
                at = end;
            } else if block && self.at(at, "/*") {
                let end = (self.find(at + 2, "*/") + 2).min(self.text.len());
                self.blank_code(at, end);
                at = end;
            } else if let Some((from, to, end)) = self.string(language, at) {
                wipe(&mut self.bare, from, to);
                at = end;
            } else {
                at += 1;
            }
        }
        self.views()
    }

    /// In some languages the mark of a comment also stands for something else.
    fn may_comment(&self, language: &str, at: usize) -> bool {
        match language {
            "sql" | "lua" | "python" | "toml" => true,
            // `https://…` that stands in no string.
            _ => at == 0 || self.text[at - 1] != ':',
        }
    }

    /// The inside of the string that begins at a place, and where it ends.
    fn string(&self, language: &str, at: usize) -> Option<(usize, usize, usize)> {
        let quote = self.text[at];
        if language == "rust" && quote == 'r' && (at == 0 || !is_word(self.text[at - 1])) {
            let marks = self.text[at + 1..].iter().take_while(|c| **c == '#').count();
            let from = at + marks + 2;
            if self.text.get(at + 1 + marks) == Some(&'"') {
                let close = format!("\"{}", "#".repeat(marks));
                let to = self.find(from, &close);
                return Some((from, to, (to + close.len()).min(self.text.len())));
            }
        }
        if language == "cpp" && self.at(at, "R\"") {
            let open = self.find(at, "(");
            let name: String = self.text.get(at + 2..open)?.iter().collect();
            if name.len() <= 16 && !name.contains(char::is_whitespace) {
                let close = format!("){name}\"");
                let to = self.find(open + 1, &close);
                return Some((open + 1, to, (to + close.chars().count()).min(self.text.len())));
            }
        }
        match quote {
            '\'' if language == "rust" => {
                // A character, unless it is a lifetime.
                let length = if self.text.get(at + 1) == Some(&'\\') { 3 } else { 2 };
                (self.text.get(at + length) == Some(&'\'')).then_some((at + 1, at + length, at + length + 1))
            }
            '\'' if matches!(language, "hcl" | "json") => None,
            '"' | '\'' => {
                let triple: String = [quote; 3].iter().collect();
                let long = !matches!(language, "c" | "cpp" | "sql" | "javascript" | "typescript" | "tsx");
                if long && self.at(at, &triple) {
                    let to = self.closed(at + 3, &triple, true);
                    return Some((at + 3, to, (to + 3).min(self.text.len())));
                }
                let to = self.closed(at + 1, &quote.to_string(), language == "sql");
                Some((at + 1, to, (to + 1).min(self.text.len())))
            }
            '`' if matches!(language, "javascript" | "typescript" | "tsx" | "go") => {
                let to = self.closed(at + 1, "`", true);
                Some((at + 1, to, (to + 1).min(self.text.len())))
            }
            _ => None,
        }
    }

    /// Where a string is closed. One that may not go over its line ends there.
    fn closed(&self, from: usize, close: &str, lines: bool) -> usize {
        let mut at = from;
        while at < self.text.len() {
            match self.text[at] {
                '\\' => at += 1,
                '\n' if !lines => return at,
                _ if self.at(at, close) => return at,
                _ => {}
            }
            at += 1;
        }
        self.text.len()
    }

    fn shell(mut self, yaml: bool, docker: bool) -> Views {
        let mut at = 0;
        // The names of heredocs whose bodies begin on the next line, and whether they are only said.
        let mut documents: Vec<(String, bool)> = Vec::new();
        while at < self.text.len() {
            let c = self.text[at];
            let before = at.checked_sub(1).map(|n| self.text[n]);
            match c {
                '\\' => at += 2,
                '#' if before.is_none_or(|c| c.is_whitespace() || c == ';') => {
                    let end = self.line_end(at);
                    self.blank_code(at, end);
                    at = end;
                }
                '"' | '\'' if c == '"' || before.is_none_or(|c| !is_word(c)) => {
                    let to = self.closed(at + 1, &c.to_string(), !yaml && !docker);
                    if self.is_said(at, to, yaml || docker) {
                        wipe(&mut self.bare, at + 1, to);
                    }
                    at = to + 1;
                }
                '<' if !yaml && self.at(at, "<<") && before != Some('<') && !self.at(at, "<<<") => {
                    if let Some(name) = self.heredoc(at + 2) {
                        documents.push((name, !docker && self.only_prints(at)));
                    }
                    at += 2;
                }
                '\n' if !documents.is_empty() => {
                    at += 1;
                    for (name, said) in std::mem::take(&mut documents) {
                        let end = self.end_of_document(at, &name);
                        if said {
                            wipe(&mut self.bare, at, end);
                            at = end;
                        }
                    }
                }
                _ => at += 1,
            }
        }
        self.views()
    }

    /// Whether a string of the shell is a message rather than an argument or a command.
    fn is_said(&self, open: usize, to: usize, structured: bool) -> bool {
        let inside = &self.text[(open + 1).min(to)..to];
        if !inside.iter().any(|c| c.is_whitespace()) {
            return false;
        }
        let inside: String = inside.iter().collect();
        if inside.contains("$(") || inside.contains('`') {
            return false;
        }
        let line: String = self.text[self.line_start(open)..open].iter().collect();
        // Where strings are how values are written, what they hold is the value.
        let before = line.trim_end();
        if structured && (before.is_empty() || before.ends_with([':', '-', '[', ','])) {
            return false;
        }
        let mut words = line.split_whitespace();
        let first = words.clone().find(|word| *word != "-" && *word != "sudo").unwrap_or_default();
        let last = words.next_back().unwrap_or_default();
        let runs = matches!(last, "eval" | "trap" | "su" | "exec")
            || last.starts_with('-') && !last.starts_with("--") && last.ends_with('c');
        !runs && first != "ssh"
    }

    /// The name after `<<`.
    fn heredoc(&self, from: usize) -> Option<String> {
        let rest: String = self.text.iter().skip(from).take(64).take_while(|c| **c != '\n').collect();
        let rest = rest.trim_start_matches('-').trim_start().trim_start_matches(['\'', '"', '\\']);
        let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
        name.starts_with(|c: char| c.is_alphabetic() || c == '_').then_some(name)
    }

    /// Whether the command a heredoc goes to only prints or keeps it.
    fn only_prints(&self, at: usize) -> bool {
        let line: String = self.text[self.line_start(at)..self.line_end(at)].iter().collect();
        let line = line.replace(">&2", "");
        let prints = ["cat", "echo", "read", "usage"]
            .iter()
            .any(|word| line.split(|c: char| c.is_whitespace() || "{(;=".contains(c)).any(|w| w == *word));
        prints && !line.contains('>') && !line.contains('|')
    }

    /// The start of the line that ends a heredoc whose body begins at `from`.
    fn end_of_document(&self, from: usize, name: &str) -> usize {
        let mut at = from;
        while at < self.text.len() {
            let end = self.line_end(at);
            if self.text[at..end].iter().collect::<String>().trim() == name {
                return at;
            }
            at = end + 1;
        }
        self.text.len()
    }
}

fn wipe(text: &mut [char], from: usize, to: usize) {
    let to = to.min(text.len());
    for c in text.get_mut(from..to).unwrap_or_default() {
        if *c != '\n' {
            *c = ' ';
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn bare(language: &str, text: &str) -> String {
        let views = views(language, text);
        for view in [&views.code, &views.bare] {
            assert_eq!(view.chars().count(), text.chars().count(), "{view:?}");
            assert_eq!(view.lines().count(), text.lines().count(), "{view:?}");
        }
        squeezed(&views.bare)
    }

    #[test]
    fn comments_and_strings_of_programs_are_left_out() {
        assert_eq!(bare("python", "a = 'x # y' # z\n\"\"\"d\ne\"\"\"\nb"), "a = ' ' \"\"\" \"\"\" b");
        assert_eq!(bare("javascript", "f(`a\nb`) // c\n/* d\n*/ g('é')"), "f(` `) g(' ')");
        assert_eq!(bare("rust", "fn f<'a>(x: &'a str) { r#\"a\"b\"#; '\"'; \"c\" }"), {
            "fn f<'a>(x: &'a str) { r#\" \"#; ' '; \" \" }"
        });
        assert_eq!(bare("cpp", "R\"u(a)\" b)u\"; f();"), "R\"u( )u\"; f();");
        assert_eq!(bare("go", "s := \"it's\" // it's\nt := '\\''"), "s := \" \" t := ' '");
        assert_eq!(squeezed(&views("python", "a = 'x # y' # z").code), "a = 'x # y'");
    }

    #[test]
    fn messages_and_printed_documents_of_the_shell_are_left_out() {
        assert_eq!(bare("bash", "rm -rf \"$HOME\" # all of it"), "rm -rf \"$HOME\"");
        assert_eq!(bare("bash", "echo \"rm -rf / is bad\" >&2"), "echo \" \" >&2");
        assert_eq!(
            bare("bash", "sh -c 'rm -rf /'; eval \"$(curl x)\""),
            "sh -c 'rm -rf /'; eval \"$(curl x)\""
        );
        assert_eq!(bare("bash", "cat <<EOF\nrm -rf /\nEOF\nls"), "cat <<EOF EOF ls");
        assert_eq!(bare("bash", "bash <<'EOF'\nrm -rf /\nEOF"), "bash <<'EOF' rm -rf / EOF");
        assert_eq!(bare("bash", "echo ${#a} $# a#b"), "echo ${#a} $# a#b");
        assert_eq!(bare("yaml", "- run: \"a | sh\" # no\n- echo 'a | sh'"), "- run: \"a | sh\" - echo ' '");
    }

    #[test]
    fn of_a_transcript_only_what_was_typed_counts() {
        assert_eq!(bare("console", "$ ls \\\n  -l\ntotal 0\nme@box:~$ id"), "ls \\ -l id");
        assert_eq!(bare("text", "rm -rf /"), "");
    }
}
