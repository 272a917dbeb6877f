//! SQL of any dialect, read for what is wrong in all of them: quotes and brackets that stay open, commas too
//! many or too few, clauses without what they need or in the wrong order, misspelt statements. No grammar of
//! SQL reads the dialects people write; this knows none of them, and refuses only what no dialect takes.

mod tokens;

use super::nearest;
use super::syntax::{Found, Reading, shortened};
use tokens::{Kind, Token, Wrong, tokens};

/// How far back `VALUES` is looked for.
const TOKENS_BACK_MAX: usize = 400;

/// Statements of any dialect begin with one of these, or with what is not misspelt from them.
const MISSPELT: [&str; 7] = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "TRUNCATE"];
const HEADS: [&str; 16] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "TRUNCATE", "RELEASE", "REPLACE", "EXECUTE",
    "DECLARE", "COMMENT", "VALUES", "UPSERT", "RECREATE", "COMMIT",
];
/// The clauses of a query in their order.
const CLAUSES: [&str; 6] = ["FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT"];
const TYPES: [&str; 40] = [
    "INT",
    "INTEGER",
    "SMALLINT",
    "BIGINT",
    "TINYINT",
    "MEDIUMINT",
    "SERIAL",
    "BIGSERIAL",
    "DECIMAL",
    "NUMERIC",
    "REAL",
    "FLOAT",
    "DOUBLE",
    "BOOLEAN",
    "BOOL",
    "BIT",
    "CHAR",
    "VARCHAR",
    "NVARCHAR",
    "NCHAR",
    "CHARACTER",
    "VARCHAR2",
    "TEXT",
    "TINYTEXT",
    "MEDIUMTEXT",
    "LONGTEXT",
    "CLOB",
    "BLOB",
    "BYTEA",
    "BINARY",
    "VARBINARY",
    "DATE",
    "TIME",
    "DATETIME",
    "TIMESTAMP",
    "TIMESTAMPTZ",
    "UUID",
    "JSON",
    "JSONB",
    "MONEY",
];
/// What may stand before the name of a type within a column's own definition.
const CONSTRAINTS: [&str; 26] = [
    "AS",
    "CAST",
    "CHECK",
    "COLLATE",
    "COMMENT",
    "CONSTRAINT",
    "DEFAULT",
    "FOREIGN",
    "GENERATED",
    "KEY",
    "NOT",
    "NULL",
    "ON",
    "PRIMARY",
    "REFERENCES",
    "UNIQUE",
    "USING",
    "WITH",
    "WITHOUT",
    "AT",
    "AND",
    "OR",
    "SIGNED",
    "UNSIGNED",
    "CHARACTER",
    "INTERVAL",
];

/// Reads statements.
pub(super) fn read(code: &str) -> Reading {
    // Whether a backslash escapes a quote is the dialect's; what is right in one of them is right.
    let wrong = match tokens(code, false) {
        Ok(tokens) if tokens.is_empty() => return Reading::NoCode,
        Ok(tokens) => check(code, &tokens),
        Err(wrong) => match tokens(code, true) {
            Ok(tokens) => check(code, &tokens),
            Err(_) => vec![wrong],
        },
    };
    let (mut row, mut begin, mut counted) = (0, 0, 0);
    let found = wrong.into_iter().map(|(at, message)| {
        let passed = &code.as_bytes()[counted..at];
        row += passed.iter().filter(|byte| **byte == b'\n').count();
        begin = passed.iter().rposition(|byte| *byte == b'\n').map_or(begin, |end| counted + end + 1);
        counted = at;
        Found { row, column: at - begin, message }
    });
    Reading::Code(found.collect())
}

fn check(code: &str, tokens: &[Token<'_>]) -> Vec<Wrong> {
    let mut found = Vec::new();
    // Other statements may stand within, ended by other marks.
    if tokens.iter().any(|token| token.first && token.is("DELIMITER")) {
        return found;
    }
    let mut begin = 0;
    for (index, token) in tokens.iter().enumerate() {
        if token.mark(";") {
            statement(code, &tokens[begin..=index], &mut found);
            begin = index + 1;
        }
    }
    statement(code, &tokens[begin..], &mut found);
    found.sort();
    found.dedup_by_key(|(at, _)| *at);
    found
}

fn statement(code: &str, tokens: &[Token<'_>], found: &mut Vec<Wrong>) {
    let Some(head) = tokens.first() else { return };
    if let Some(wrong) = brackets(tokens) {
        found.push(wrong);
        // What is open or closed wrongly makes everything behind it look wrong.
        return;
    }
    if let Some(wrong) = misspelt(head, tokens.get(1)) {
        found.push(wrong);
        return;
    }
    found.extend(neighbours(code, tokens));
    if head.any(&["SELECT", "WITH", "INSERT", "DELETE", "UPDATE"]) {
        found.extend(clauses(tokens));
    }
    if head.any(&["INSERT", "REPLACE"]) {
        found.extend(rows(tokens));
    }
    if head.is("UPDATE")
        && !tokens.iter().any(|token| token.is("SET"))
        && tokens.iter().any(|token| token.is("WHERE"))
    {
        found.push((head.at, "`UPDATE` without `SET`".to_owned()));
    }
    let count = |word: &str| tokens.iter().filter(|token| token.is(word)).count();
    if head.any(&["SELECT", "WITH", "INSERT", "UPDATE"]) && count("CASE") > count("END") {
        let case = tokens.iter().rfind(|token| token.is("CASE")).unwrap_or(head);
        found.push((case.at, "`CASE` without `END`".to_owned()));
    }
    if head.is("CREATE") {
        found.extend(columns(tokens));
    }
}

fn brackets(tokens: &[Token<'_>]) -> Option<Wrong> {
    let mut open: Vec<&Token<'_>> = Vec::new();
    for token in tokens.iter().filter(|token| token.kind == Kind::Mark) {
        match token.text {
            "(" | "[" => open.push(token),
            ")" | "]" => {
                let partner = if token.text == ")" { "(" } else { "[" };
                match open.pop() {
                    Some(before) if before.text == partner => {}
                    Some(before) => return Some((before.at, format!("`{}` is never closed", before.text))),
                    None => return Some((token.at, format!("unexpected `{}`", token.text))),
                }
            }
            _ => {}
        }
    }
    open.last().map(|token| (token.at, format!("`{}` is never closed", token.text)))
}

fn misspelt(head: &Token<'_>, next: Option<&Token<'_>>) -> Option<Wrong> {
    let upper = head.text.to_uppercase();
    let word = head.kind == Kind::Word && upper.len() > 4 && !HEADS.contains(&upper.as_str());
    // A label or a variable goes before what sets it.
    let plain = next.is_none_or(|next| next.kind != Kind::Mark || next.text == "*");
    let near = nearest(&upper, MISSPELT.into_iter()).filter(|_| word && plain)?;
    Some((head.at, format!("`{}` begins no statement; `{near}`?", shortened(head.text, 40))))
}

/// What may not follow each other anywhere.
fn neighbours(code: &str, tokens: &[Token<'_>]) -> Vec<Wrong> {
    const ENDS: [&str; 6] = ["FROM", "WHERE", "HAVING", "UNION", "INTERSECT", "EXCEPT"];
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1);
        let by = |words: &[&str]| tokens.get(index + 2).is_some_and(|token| token.any(words));
        let ends = next.is_none_or(|next| {
            next.mark(")")
                || next.mark(";")
                || next.any(&ENDS)
                || (next.any(&["GROUP", "ORDER"]) && by(&["BY"]))
        });
        let before = index.checked_sub(1).and_then(|before| tokens.get(before));
        // A column may have the name of a clause where it is qualified.
        let qualified = before.is_some_and(|before| before.mark("."));
        if token.mark(",") {
            if next.is_some_and(|next| next.mark(",")) {
                found.push((token.at, "two commas in a row".to_owned()));
            } else if ends && next.is_some() {
                let next = next.map_or("", |next| next.text);
                found.push((token.at, format!("a comma before `{next}`")));
            }
        }
        let compares =
            token.kind == Kind::Mark && matches!(token.text, "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=");
        let joins = token.any(&["AND", "OR", "WHERE", "HAVING"]) && !qualified;
        if (compares || joins) && (ends || next.is_some_and(|next| next.mark(","))) && index > 0 {
            found.push((token.at, format!("nothing behind `{}`", token.text)));
        }
        let Some(next) = next else { continue };
        let literal = |token: &Token<'_>| matches!(token.kind, Kind::Text | Kind::Number);
        // Of strings after each other some dialects make one.
        let apart = code[token.at + token.text.len()..next.at].contains(['\n', ' ']);
        let strings = token.kind == Kind::Text && next.kind == Kind::Text;
        if literal(token) && literal(next) && apart && !strings {
            found.push((next.at, "missing `,` between two values".to_owned()));
        }
        let dotted = |index: usize| {
            let at = |more: usize| tokens.get(index + more);
            let named =
                |token: Option<&Token<'_>>| token.is_some_and(|t| matches!(t.kind, Kind::Word | Kind::Name));
            named(at(0)) && at(1).is_some_and(|token| token.mark(".")) && named(at(2))
        };
        if dotted(index) && dotted(index + 3) && !before.is_some_and(|before| before.mark(".")) {
            found.push((tokens[index + 3].at, "missing `,` between two columns".to_owned()));
        }
        if token.is("ON") && next.any(&["WHERE", "JOIN"]) {
            found.push((token.at, "nothing behind `ON`".to_owned()));
        }
        // Two tuples, of which the first is one of `VALUES`.
        if token.mark(")") && next.mark("(") && of_values(tokens, index) {
            found.push((next.at, "missing `,` between two rows".to_owned()));
        }
    }
    found
}

/// Whether the bracket closed at `index` is one of the rows behind `VALUES`.
fn of_values(tokens: &[Token<'_>], index: usize) -> bool {
    let mut depth = 0usize;
    for token in tokens[..=index].iter().rev().take(TOKENS_BACK_MAX) {
        if token.mark(")") {
            depth += 1;
        } else if token.mark("(") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && !token.mark(",") {
            return token.is("VALUES");
        }
    }
    false
}

/// Rows of an `INSERT` that have not as many values as there are columns.
fn rows(tokens: &[Token<'_>]) -> Vec<Wrong> {
    let Some(values) = tokens.iter().position(|token| token.any(&["VALUES", "VALUE"])) else {
        return Vec::new();
    };
    let (Some(open), true) = (
        tokens[..values].iter().position(|token| token.mark("(")),
        values > 0 && tokens[values - 1].mark(")"),
    ) else {
        return Vec::new();
    };
    let Some((columns, _)) = length(&tokens[open..values]) else { return Vec::new() };
    let mut at = values + 1;
    let mut found = Vec::new();
    while let Some((values, end)) = tokens.get(at..).and_then(length) {
        if values != columns {
            found.push((tokens[at].at, format!("{values} values for {columns} columns")));
        }
        at += end + 1;
        if !tokens.get(at).is_some_and(|token| token.mark(",")) {
            break;
        }
        at += 1;
    }
    found
}

/// How many items the bracket at the beginning holds, and where it is closed.
fn length(tokens: &[Token<'_>]) -> Option<(usize, usize)> {
    let mut depth = 0usize;
    let mut items = 1;
    for (index, token) in tokens.iter().enumerate() {
        if index == 0 && !token.mark("(") {
            return None;
        }
        // What is left out may be any number.
        if token.text == "..." {
            return None;
        }
        if token.mark("(") || token.mark("[") {
            depth += 1;
        } else if token.mark(")") || token.mark("]") {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some((items, index));
            }
        } else if token.mark(",") && depth == 1 {
            items += 1;
        }
    }
    None
}

/// The clauses of a query: in their order, with what belongs to them.
fn clauses(tokens: &[Token<'_>]) -> Vec<Wrong> {
    let mut found = Vec::new();
    // For each bracket that is open, the last clause of the query within it, if there is one.
    let mut open: Vec<Option<usize>> = vec![None];
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| tokens.get(before));
        let next = tokens.get(index + 1);
        if token.mark("(") || token.mark("[") {
            open.push(None);
            continue;
        }
        if token.mark(")") || token.mark("]") {
            open.pop();
            continue;
        }
        let Some(last) = open.last_mut() else { return found };
        let named = before.is_some_and(|before| before.mark(".") || before.any(&["AS"]));
        if token.kind != Kind::Word || named {
            continue;
        }
        const OTHERS: [&str; 10] =
            ["INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "DECLARE", "GO", "END"];
        if token.first && token.any(&OTHERS) {
            // Some dialects need no semicolon between statements.
            *last = None;
            continue;
        }
        if token.any(&["FORM", "FRM", "FRMO", "WHER", "WHRE", "WEHRE", "GROUPBY", "ORDERBY"])
            && last.is_some()
            && before.is_some_and(|before| !before.mark(",") && !before.is("SELECT"))
            && next.is_some_and(|next| next.kind == Kind::Word && !next.any(&CLAUSES))
        {
            found.push((token.at, format!("`{}` is no clause", token.text)));
            continue;
        }
        if token.any(&[
            "SELECT",
            "UNION",
            "INTERSECT",
            "EXCEPT",
            "MINUS",
            "CONFLICT",
            "RETURNING",
            "DUPLICATE",
            "WITH",
        ]) {
            *last = token.is("SELECT").then_some(0);
            if token.is("SELECT") && next.is_some_and(|next| next.mark(",") || next.any(&["WHERE"])) {
                found.push((token.at, "nothing behind `SELECT`".to_owned()));
            }
            continue;
        }
        let (Some(reached), Some(clause)) = (*last, CLAUSES.iter().position(|clause| token.is(clause)))
        else {
            continue;
        };
        let by = next.is_some_and(|next| next.is("BY"));
        let is_clause = match CLAUSES[clause] {
            "GROUP" | "ORDER" if by || next.is_some_and(|next| next.any(&["SIBLINGS"])) => true,
            // The end of an aggregate, or a name.
            "GROUP" | "ORDER" => {
                let plain = before.is_some_and(|before| {
                    before.any(&["WITHIN"]) || before.mark(",") || before.any(&["FROM", "JOIN", "SELECT"])
                });
                if !plain && next.is_some_and(|next| matches!(next.kind, Kind::Word | Kind::Name)) {
                    found.push((token.at, format!("`{}` without `BY`", token.text)));
                }
                false
            }
            // `IS DISTINCT FROM`, `FETCH … FROM`.
            "FROM" => !before.is_some_and(|before| before.any(&["DISTINCT", "FETCH", "NEXT"])),
            _ => true,
        };
        if !is_clause {
            continue;
        }
        if clause < reached {
            found.push((token.at, format!("`{}` behind `{}`", token.text, CLAUSES[reached])));
        }
        *last = Some(clause.max(reached));
        if clause == 0
            && next.is_none_or(|next| next.mark(";") || next.mark(")") || next.any(&["WHERE", "FROM"]))
        {
            found.push((token.at, "nothing behind `FROM`".to_owned()));
        }
    }
    found
}

/// Two columns of a table without a comma between them: a line that begins another one.
fn columns(tokens: &[Token<'_>]) -> Vec<Wrong> {
    let mut found = Vec::new();
    let is_table = tokens.iter().take(6).any(|token| token.is("TABLE"));
    let Some(open) = tokens.iter().position(|token| token.mark("(")).filter(|_| is_table) else {
        return found;
    };
    let mut depth = 0usize;
    for index in open..tokens.len() {
        let token = &tokens[index];
        match token.text {
            "(" if token.kind == Kind::Mark => depth += 1,
            ")" if token.kind == Kind::Mark => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            _ => {}
        }
        let (Some(before), Some(next)) = (tokens.get(index.wrapping_sub(1)), tokens.get(index + 1)) else {
            continue;
        };
        let named =
            matches!(token.kind, Kind::Word | Kind::Name) && !token.any(&CONSTRAINTS) && !token.any(&TYPES);
        let begins = token.first && depth == 1 && (before.kind != Kind::Mark || before.mark(")"));
        if begins && named && next.any(&TYPES) && !before.any(&BEFORE_NAMES) {
            found.push((token.at, format!("missing `,` before `{}`", shortened(token.text, 40))));
        }
    }
    found
}

/// What a name may follow on the next line.
const BEFORE_NAMES: [&str; 5] = ["CONSTRAINT", "COLLATE", "REFERENCES", "AS", "DEFAULT"];
