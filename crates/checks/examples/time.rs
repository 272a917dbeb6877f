//! How long the checks that run in the process take for proposals of 10 KB, put together from the corpus.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use fleet_checks::{Policies, Suite};

/// As in `fleet`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PROPOSAL_BYTES: usize = 10 * 1024;
const ROUNDS: usize = 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/known");
    let mut paths =
        fs::read_dir(folder)?.map(|file| file.map(|file| file.path())).collect::<Result<Vec<_>, _>>()?;
    paths.sort();
    let mut proposals = vec![String::new()];
    for path in paths {
        let file = fs::read_to_string(path)?;
        let text = file.splitn(3, "+++\n").nth(2).unwrap_or_default();
        match proposals.last_mut() {
            Some(last) if last.len() < PROPOSAL_BYTES => last.push_str(text),
            _ => proposals.push(text.to_owned()),
        }
    }
    let suite = Suite::new(Policies::load(None)?);
    let _ = suite.run(&proposals[0]);
    let mut times: Vec<Duration> = proposals
        .iter()
        .map(|proposal| {
            let once = || {
                let begun = Instant::now();
                let _ = suite.run(proposal);
                begun.elapsed()
            };
            let mut times: Vec<_> = (0..ROUNDS).map(|_| once()).collect();
            times.sort();
            times[ROUNDS / 2]
        })
        .collect();
    times.sort();
    let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{} proposals of 10 KB: median {median:.1?}, longest {longest:.1?}", times.len());
    Ok(())
}
