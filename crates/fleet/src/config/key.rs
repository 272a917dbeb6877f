//! What keys mean: those of roles and profiles, whose names are free, and the plain ones.

use std::borrow::Cow;

/// A key by what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// Something of a role's council: `councils.ROLE.agents`. The role may hold dots itself.
    Council { role: &'a str, name: &'a str },
    /// Something of a model profile: `profiles.NAME.url`. `[model]` is the profile named default.
    Profile { profile: &'a str, name: &'a str },
    /// A parameter that is passed through: `parameters.top_p` of a profile. What it may be the server knows.
    Parameter { profile: &'a str, path: &'a str },
    /// Any other.
    Plain,
}

/// The name of the profile that is `[model]`.
pub(crate) const DEFAULT_PROFILE: &str = "default";

impl<'a> Key<'a> {
    pub(super) fn of(key: &'a str) -> Key<'a> {
        if let Some((role, name)) = key.strip_prefix("councils.").and_then(|rest| rest.rsplit_once('.')) {
            return Key::Council { role, name };
        }
        let in_profile = key.strip_prefix("profiles.").and_then(|rest| rest.split_once('.'));
        let in_model = key.strip_prefix("model.").map(|name| (DEFAULT_PROFILE, name));
        let Some((profile, name)) = in_profile.or(in_model) else { return Key::Plain };
        match name.strip_prefix("parameters.") {
            Some(path) => Key::Parameter { profile, path },
            None => Key::Profile { profile, name },
        }
    }
}

/// The key under which the kind and the bounds of a value are known.
pub(super) fn canonical(key: &str) -> Cow<'_, str> {
    match Key::of(key) {
        Key::Council { name, .. } => format!("councils.*.{name}").into(),
        Key::Profile { name, .. } => format!("model.{name}").into(),
        Key::Parameter { .. } => "model.parameters.*".into(),
        Key::Plain => key.into(),
    }
}
