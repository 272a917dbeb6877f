//! The tokens of SQL in any dialect: words, numbers, what is quoted, marks.

/// What is wrong, and at which byte.
pub(super) type Wrong = (usize, String);
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    /// A string in single quotes, or in dollars.
    Text,
    /// A name in quotes.
    Name,
    /// `(`, `[` and what closes them, `,`, `;`, or a run of operator characters.
    Mark,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) at: usize,
    pub(super) text: &'a str,
    /// Whether it is the first of its line.
    pub(super) first: bool,
}

impl Token<'_> {
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    pub(super) fn mark(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }
}

/// The tokens of a text; `escapes` says whether a backslash escapes a quote.
pub(super) fn tokens(code: &str, escapes: bool) -> Result<Vec<Token<'_>>, Wrong> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut at = 0;
    let mut first = true;
    while let Some(c) = code[at..].chars().next() {
        let rest = &code[at..];
        if c == '\n' {
            first = true;
        }
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let line = || rest.find('\n').unwrap_or(rest.len());
        if rest.starts_with("--") || (first && matches!(c, '#' | '\\')) {
            at += line();
            continue;
        }
        if rest.starts_with("/*") {
            let Some(length) = rest.find("*/") else {
                return Err((at, "the comment is never closed".to_owned()));
            };
            at += length + 2;
            continue;
        }
        let (kind, length) = match c {
            '\'' => (Kind::Text, quoted(rest, '\'', escapes).ok_or_else(|| open(at, "string"))?),
            '"' => (Kind::Name, quoted(rest, '"', escapes).ok_or_else(|| open(at, "name or string"))?),
            '`' => (Kind::Name, quoted(rest, '`', false).ok_or_else(|| open(at, "name"))?),
            '$' => match dollars(rest) {
                Some(Some(length)) => (Kind::Text, length),
                Some(None) => return Err(open(at, "string in dollars")),
                None => (Kind::Word, 1 + word(&rest[1..])),
            },
            '(' | ')' | '[' | ']' | ',' | ';' => (Kind::Mark, 1),
            '“' | '”' | '‘' | '’' => {
                return Err((at, "typographic quotes where SQL has `'` or `\"`".to_owned()));
            }
            _ if c.is_ascii_digit() => (Kind::Number, number(rest)),
            _ if c.is_alphabetic() || "_@?{}".contains(c) => (Kind::Word, word(rest).max(c.len_utf8())),
            // A parameter, as in `:name`; but not the second half of a cast, as in `x::date`.
            ':' if rest[1..].starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                (Kind::Word, 1 + word(&rest[1..]))
            }
            '.' if rest.starts_with("...") => (Kind::Word, 3),
            '.' => (Kind::Mark, 1),
            _ => {
                let operator = |c: char| "+-*/<>=~!@#%^&|?:".contains(c);
                let mut length = rest.find(|c| !operator(c)).unwrap_or(rest.len()).max(c.len_utf8());
                // A comment may follow at once.
                if let Some(comment) = rest[..length].find("--").or_else(|| rest[..length].find("/*")) {
                    length = comment.max(1);
                }
                (Kind::Mark, length)
            }
        };
        tokens.push(Token { kind, at, text: &code[at..at + length], first });
        first = false;
        at += length;
    }
    Ok(tokens)
}

fn open(at: usize, what: &str) -> Wrong {
    (at, format!("the {what} is never closed"))
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_alphanumeric() || "_$@#{}?".contains(c))).unwrap_or(rest.len())
}

fn number(rest: &str) -> usize {
    let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '.' || c == '_')).unwrap_or(rest.len());
    let exponent = rest[..length].ends_with(['e', 'E']) && !rest.starts_with("0x");
    match rest[length..].strip_prefix(['+', '-']) {
        Some(more) if exponent => length + 1 + more.find(|c: char| !c.is_ascii_digit()).unwrap_or(more.len()),
        _ => length,
    }
}

/// The length of what is quoted at the beginning; a doubled quote is one within.
fn quoted(rest: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut escaped = false;
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escaped {
            escaped = false;
        } else if escapes && c == '\\' {
            escaped = true;
        } else if c == quote {
            if chars.peek().is_none_or(|(_, next)| *next != quote) {
                return Some(at + 1);
            }
            chars.next();
        }
    }
    None
}

/// The length of a string in dollars at the beginning: none if it is none, none within if it stays open.
fn dollars(rest: &str) -> Option<Option<usize>> {
    let name = word(&rest[1..]).min(rest[1..].find('$').unwrap_or(0));
    let inner = &rest[1..1 + name];
    if !rest[1 + name..].starts_with('$') || inner.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mark = &rest[..name + 2];
    Some(rest[mark.len()..].find(mark).map(|at| at + 2 * mark.len()))
}
