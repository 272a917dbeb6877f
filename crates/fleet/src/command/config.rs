//! `fleet config`: every value in effect, and where it came from.

use crate::Exit;
use crate::config::{DEFAULTS, Loaded};
use crate::show::print;

pub(super) fn run(loaded: &Loaded) -> anyhow::Result<Exit> {
    let widest = |of: fn(&crate::config::Setting) -> usize| loaded.settings.iter().map(of).max().unwrap_or(0);
    let keys = widest(|setting| setting.key.len());
    let values = widest(|setting| setting.value.to_string().chars().count());
    let mut text = String::new();
    for setting in &loaded.settings {
        let value = setting.value.to_string();
        text += &format!("{:keys$}  {value:values$}  {}\n", setting.key, setting.origin);
    }
    text += &match &loaded.file {
        Some(path) => format!("\nConfiguration file: {}\n", path.display()),
        None => "\nConfiguration file: none\n".to_owned(),
    };
    text += &match loaded.state_dir() {
        Ok(dir) => format!("State directory:    {}\n", dir.display()),
        Err(error) => format!("State directory:    {error}\n"),
    };
    if loaded.api_keys.is_empty() {
        text += "Model servers' keys: none\n";
    }
    for (profile, key) in &loaded.api_keys {
        text += &format!("Key of profile {profile}: set ({})\n", key.origin);
    }
    print(&text)?;
    Ok(Exit::Done)
}

pub(super) fn reference() -> anyhow::Result<Exit> {
    print(DEFAULTS)?;
    Ok(Exit::Done)
}
