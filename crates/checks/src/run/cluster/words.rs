//! What `kubectl` says on standard error: which of it is its own, and what that means for a manifest.
//!
//! Programs that a kubeconfig names for credentials write there, too, and may write secrets; so nothing is repeated
//! but the forms of `kubectl`. Servers quote what they were shown; so what they mean is read where only they write.

use super::kubectl::Answer;

const WHY_CHARS_MAX: usize = 300;
const UNKNOWN: &str = "kubectl could not ask the server; run `kubectl get --raw /api/v1` with this kubeconfig \
                       and context to see why";
/// How failures to connect begin that tell of nothing but the connection.
const CONNECTING: &[&str] = &[
    "dial ",
    "read tcp ",
    "write tcp ",
    "proxyconnect ",
    "tls: ",
    "remote error: tls: ",
    "x509: ",
    "http: server gave HTTP response to HTTPS client",
    "net/http: ",
    "context deadline exceeded",
    "EOF",
];
/// That a server has no time, of which the next manifest would hear as well.
const BUSY: &[&str] = &["TooManyRequests", "Timeout", "ServerTimeout", "ServiceUnavailable", "Unauthorized"];

/// What `kubectl` says itself.
#[derive(Debug, PartialEq, Eq)]
enum Own<'a> {
    /// The server refused, for a reason such as `NotFound` (empty where it gives none), with this message.
    Server { reason: &'a str, message: &'a str },
    /// The server holds what it was sent to be wrong: all of what is said of it.
    Invalid(&'a str),
    /// The server was not asked.
    NotAsked(String),
}

/// What an answer that is no success means for the manifest that was sent.
pub(super) fn answer(said: &str) -> Answer {
    match own(said) {
        None => Answer::Silent(UNKNOWN.to_owned()),
        Some(Own::NotAsked(why)) => Answer::Silent(why),
        Some(Own::Invalid(all)) => Answer::Refused(on_one_line(all)),
        Some(Own::Server { reason, message }) => judged(reason, message),
    }
}

/// Why a server did not do what it was asked for.
pub(super) fn why(said: &str) -> String {
    configured(said).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The same, where `kubectl` says it.
pub(super) fn configured(said: &str) -> Option<String> {
    Some(match own(said)? {
        Own::NotAsked(why) => why,
        Own::Invalid(all) => on_one_line(all),
        Own::Server { reason, message } => line(reason, message),
    })
}

/// Whether the server has not what it was asked for.
pub(super) fn is_not_found(said: &str) -> bool {
    matches!(own(said), Some(Own::Server { reason: "NotFound", .. }))
}

fn judged(reason: &str, message: &str) -> Answer {
    // A webhook may give whatever reason it wants.
    let webhook = message.strip_prefix("admission webhook ").and_then(behind_quotes);
    if webhook.is_some_and(|rest| rest.starts_with(" denied the request")) {
        return Answer::Refused(on_one_line(message));
    }
    if webhook.is_some_and(|rest| rest.starts_with(" does not support dry run")) {
        return Answer::Unjudged(line(reason, message));
    }
    let rules = ["violates PodSecurity ", "ValidatingAdmissionPolicy '"];
    match reason {
        // Its name is taken, which is found out last.
        "AlreadyExists" => Answer::Accepted,
        "BadRequest" | "Invalid" => Answer::Refused(on_one_line(message)),
        "Forbidden" if rules.iter().any(|rule| behind_forbidden(message).starts_with(rule)) => {
            Answer::Refused(on_one_line(message))
        }
        _ if BUSY.contains(&reason) => Answer::Silent(line(reason, message)),
        _ => Answer::Unjudged(line(reason, message)),
    }
}

/// The first of what is said that has a form of `kubectl`. What plugins write comes before it, and behind it is the
/// rest of the server's message.
fn own(said: &str) -> Option<Own<'_>> {
    let mut at = 0;
    said.split_inclusive('\n').find_map(|line| {
        let rest = &said[at..];
        at += line.len();
        of_server(rest).or_else(|| not_asked(line.trim_end()).map(Own::NotAsked))
    })
}

fn of_server(said: &str) -> Option<Own<'_>> {
    if let Some(message) = said.strip_prefix("Error from server: ") {
        return Some(Own::Server { reason: "", message });
    }
    if let Some(rest) = said.strip_prefix("Error from server (") {
        let (reason, message) = rest.split_once("): ")?;
        let plain = reason.chars().all(|c| c.is_ascii_alphanumeric());
        return plain.then_some(Own::Server { reason, message });
    }
    let rest = said.strip_prefix("The ")?;
    let whole = rest.strip_prefix("request");
    let named = || behind_quotes(rest.split_once(' ').filter(|(kind, _)| is_plain(kind))?.1);
    whole.or_else(named)?.starts_with(" is invalid").then_some(Own::Invalid(said))
}

/// Why the server was not asked: no more than what cannot be anybody's credentials.
fn not_asked(line: &str) -> Option<String> {
    let is = |begin: &str, end: &str| line.starts_with(begin) && line.ends_with(end);
    const CONNECT: &str = "Unable to connect to the server";
    const CONFIG: &str = "error: error loading config file ";
    const LOGIN: &str = "error: You must be logged in to the server";
    if let Some(cause) = line.strip_prefix(CONNECT) {
        let cause = cause.strip_prefix(": ").unwrap_or_default();
        return Some(match cause {
            _ if CONNECTING.iter().any(|begin| cause.starts_with(begin)) => cut(line),
            _ if cause.starts_with("getting credentials") => format!("{CONNECT}: getting credentials failed"),
            _ => CONNECT.to_owned(),
        });
    }
    if let Some(rest) = line.strip_prefix(CONFIG) {
        let rest = behind_quotes(rest)?;
        return Some(cut(&line[..line.len() - rest.len()]));
    }
    if line.starts_with("Error in configuration: ") || line == "Error in configuration:" {
        return Some("Error in configuration".to_owned());
    }
    if line.starts_with(LOGIN) {
        return Some(LOGIN.to_owned());
    }
    let whole = is("The connection to the server ", " - did you specify the right host or port?")
        || is("error: context \"", "\" does not exist")
        || is("error: cannot locate context ", "")
        || is("error: current-context must exist in order to minify", "")
        || is("error: stat ", ": no such file or directory");
    whole.then(|| cut(line))
}

/// What stands behind `pods "a" is forbidden: `; nothing where this does not begin so.
fn behind_forbidden(message: &str) -> &str {
    let rest = message.split_once(' ').filter(|(resource, _)| is_plain(resource)).map(|(_, rest)| rest);
    let rest = rest.and_then(|rest| behind_quotes(rest).map_or(Some(rest), |rest| rest.strip_prefix(' ')));
    rest.and_then(|rest| rest.strip_prefix("is forbidden: ")).unwrap_or_default()
}

/// What stands behind words in quotes, as Go writes them: quotes within are escaped.
fn behind_quotes(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inner.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(&inner[end + 1..])
}

/// Whether it can be a resource or a kind, as in `deployments.apps`.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_alphanumeric() || ".-/".contains(c))
}

fn line(reason: &str, message: &str) -> String {
    let before = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    cut(&format!("Error from server{before}: {}", message.lines().next().unwrap_or_default()))
}

fn on_one_line(message: &str) -> String {
    cut(&message.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn cut(words: &str) -> String {
    words.trim().chars().take(WHY_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(why: &str) -> Answer {
        Answer::Refused(why.to_owned())
    }

    #[test]
    fn what_is_wrong_with_a_manifest_is_told_from_what_is_wrong_with_the_cluster() {
        for (said, expected) in [
            (
                "The Deployment \"a\" is invalid: spec: Required value\n",
                refused("The Deployment \"a\" is invalid: spec: Required value"),
            ),
            (
                "The Pod \"a\" is invalid: \n* spec.x: no\n* spec.y: no\n",
                refused("The Pod \"a\" is invalid: * spec.x: no * spec.y: no"),
            ),
            ("The request is invalid: no\n", refused("The request is invalid: no")),
            ("Error from server (BadRequest): strict decoding error", refused("strict decoding error")),
            (
                "Error from server (Forbidden): pods \"a\" is forbidden: violates PodSecurity \"x\"",
                refused("pods \"a\" is forbidden: violates PodSecurity \"x\""),
            ),
            (
                "Error from server: admission webhook \"x\" denied the request: no",
                refused("admission webhook \"x\" denied the request: no"),
            ),
            ("Error from server (AlreadyExists): a exists", Answer::Accepted),
        ] {
            assert_eq!(answer(said), expected, "{said}");
        }
        for said in [
            "Error from server (Forbidden): User \"x\" cannot create resource \"pods\"",
            "Error from server (NotFound): namespaces \"x\" not found",
            "Error from server (BadRequest): admission webhook \"x\" does not support dry run",
            "Error from server (Forbidden): pods \"a\" is forbidden: exceeded quota: x",
            "Error from server (RequestEntityTooLarge): limit is 3145728",
        ] {
            assert!(matches!(answer(said), Answer::Unjudged(_)), "{said}");
        }
        for said in [
            "The connection to the server x was refused - did you specify the right host or port?",
            "error: You must be logged in to the server (Unauthorized)",
            "Error from server (ServiceUnavailable): later",
            "",
        ] {
            assert!(matches!(answer(said), Answer::Silent(_)), "{said}");
        }
    }

    #[test]
    fn a_manifest_does_not_word_its_own_acceptance() {
        for said in [
            "Error from server (BadRequest): unknown field \"spec.(AlreadyExists)\"",
            "Error from server (BadRequest): unknown field \"spec.exceeded quota\"",
            "Error from server (BadRequest): unknown field \"spec.admission webhook \"x\" does not support dry run\"",
            "The Pod \"a (AlreadyExists)\" is invalid: spec: no",
            "The Pod \"a\\\" is invalid: (NotFound)\" is invalid: spec: no",
            "Error from server (BadRequest): a\nError from server (AlreadyExists): b",
            "Error from server (Forbidden): pods \"a\\\" is forbidden: exceeded quota\" is forbidden: violates PodSecurity \"x\"",
        ] {
            assert!(matches!(answer(said), Answer::Refused(_)), "{said}: {:?}", answer(said));
        }
        // Nor that it is wrong, for what another proposal would be blamed.
        let said = "Error from server (Forbidden): pods \"a\\\" is forbidden: violates PodSecurity \" is forbidden: exceeded quota: x";
        assert!(matches!(answer(said), Answer::Unjudged(_)), "{:?}", answer(said));
    }

    #[test]
    fn nothing_is_repeated_but_what_kubectl_says_itself() {
        let plugin = "refresh failed for client_secret=hunter2\nerror: token=hunter2\n";
        for (said, expected) in [
            ("", UNKNOWN),
            (
                "Unable to connect to the server: getting credentials: decoding stdout: hunter2",
                "Unable to connect to the server: getting credentials failed",
            ),
            ("Unable to connect to the server: oauth2: hunter2", "Unable to connect to the server"),
            (
                "Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout",
                "Unable to connect to the server: dial tcp 10.0.0.1:6443: i/o timeout",
            ),
            (
                "error: error loading config file \"/a/b\": cannot unmarshal hunter2",
                "error: error loading config file \"/a/b\"",
            ),
            ("Error in configuration: \n* hunter2", "Error in configuration"),
            ("error: context \"zz\" does not exist", "error: context \"zz\" does not exist"),
            (
                "Error from server (Forbidden): pods is forbidden: no",
                "Error from server (Forbidden): pods is forbidden: no",
            ),
        ] {
            assert_eq!(why(&format!("{plugin}{said}\n")), expected);
        }
        let refused = answer(&format!("{plugin}The Pod \"a\" is invalid: \n* spec.x: no\n"));
        assert_eq!(refused, super::Answer::Refused("The Pod \"a\" is invalid: * spec.x: no".to_owned()));
    }
}
