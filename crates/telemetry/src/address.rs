//! Where a server is, taken from its name in messages.

/// Host and port of a server that is named by a URL; `None` for one that is not, such as the simulated model.
pub(crate) fn of(server: &str) -> Option<(&str, u16)> {
    let (scheme, rest) = server.split_once("://")?;
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an IPv6 address stand within brackets.
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, default),
    };
    let host = host.trim_matches(['[', ']']);
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn a_host_and_a_port_are_found_in_every_form_of_a_url() {
        for (server, expected) in [
            ("http://gpu:8000", Some(("gpu", 8000))),
            ("http://gpu:8000/llm/v1", Some(("gpu", 8000))),
            ("https://models.example/v1", Some(("models.example", 443))),
            ("http://models.example", Some(("models.example", 80))),
            ("http://[::1]:8000/", Some(("::1", 8000))),
            ("http://[::1]", Some(("::1", 80))),
            ("https://user:key@models.example:1/", Some(("models.example", 1))),
            ("simulated", None),
            ("http://", None),
            ("http://gpu:port", None),
            ("ftp://gpu", None),
        ] {
            assert_eq!(of(server), expected, "{server}");
        }
    }
}
