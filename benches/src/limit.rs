//! The limit: the calls of a council by a program that keeps nothing and knows nothing of failures.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::Args;
use futures_util::future::try_join_all;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::councils::share_within;
use crate::process::Programs;

const AGENTS: usize = 3;
const WARM_UP: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    #[arg(long)]
    url: String,
    #[arg(long)]
    at_once: usize,
    #[arg(long)]
    seconds: f64,
}

/// Runs the limit as a process of its own; gives its councils a second.
pub(crate) async fn start(
    programs: &Programs,
    url: &str,
    at_once: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let mut command = programs.again();
    command.args(["limit", "--url", url, "--at-once", &at_once.to_string()]);
    command.args(["--seconds", &time.as_secs_f64().to_string()]).stderr(Stdio::inherit());
    let output = command.output().await.context("running the limit")?;
    ensure!(output.status.success(), "the limit ended with {}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().parse().context("reading the limit's figure")
}

/// The limit itself: prints councils a second.
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { url, at_once, seconds } = arguments;
    let client = Client::builder().no_proxy().tls_certs_only([]).build()?;
    let url = format!("{url}/v1/chat/completions");
    let warm = Instant::now() + WARM_UP;
    let until = warm + Duration::from_secs_f64(seconds);
    let mut callers = JoinSet::new();
    for n in 0..at_once {
        let (client, url) = (client.clone(), url.clone());
        callers.spawn(async move {
            let mut done = 0.0;
            while Instant::now() < until {
                let began = Instant::now();
                council(&client, &url, n).await?;
                done += share_within(began, Instant::now(), warm, until);
            }
            anyhow::Ok(done)
        });
    }
    let mut done = 0.0;
    while let Some(caller) = callers.join_next().await {
        done += caller??;
    }
    println!("{}", done / seconds);
    Ok(())
}

/// Three proposals; when all are there, three reviews, each with the revision behind it.
async fn council(client: &Client, url: &str, n: usize) -> anyhow::Result<()> {
    let caller = |round: u32, kind: &str, agent: usize| format!("{n}/{round}/{kind}/agent-dev-{agent:03}");
    let propose = |agent| async move {
        let prompt = format!("{TASK}\n\n# What an answer must contain\n\n{CONTENTS}");
        call(client, url, &caller(0, "propose", agent), &prompt, false).await
    };
    let proposals = try_join_all((1..=AGENTS).map(propose)).await?;
    let improve = |(agent, proposal): (usize, String)| async move {
        let prompt = format!("{TASK}\n\n<proposal>\n{proposal}\n</proposal>\n\n# Your review\n\n{CONTENTS}");
        let review = call(client, url, &caller(1, "critique", agent), &prompt, true).await?;
        let prompt = format!("{TASK}\n\n<proposal>\n{proposal}\n</proposal>\n\n# A review\n\n{review}");
        call(client, url, &caller(1, "revise", agent), &prompt, false).await
    };
    try_join_all((1..).zip(proposals).map(improve)).await?;
    Ok(())
}

const TASK: &str = "# Task\n\nWrite a function that sums every nth value of a list, for a service that \
    reads measurements from many sensors. It must not fail on an empty list, and callers must be able \
    to tell a sum of nothing from a sum of zeros.";
const CONTENTS: &str = "In Markdown: an analysis of the task; the approach and why; the implementation, \
    complete, with code in fenced blocks that name their language; and the challenges that remain.";

#[derive(Serialize)]
struct Call<'a> {
    model: &'a str,
    messages: [Message<'a>; 2],
    temperature: f64,
    max_tokens: u32,
    stream: bool,
    stream_options: Options,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format>,
    user: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct Options {
    include_usage: bool,
}

#[derive(Serialize)]
struct Format {
    r#type: &'static str,
}

/// One call: the text of its streamed answer.
async fn call(client: &Client, url: &str, user: &str, prompt: &str, json: bool) -> anyhow::Result<String> {
    let call = Call {
        model: "scripted",
        messages: [
            Message { role: "system", content: "You are an expert software developer." },
            Message { role: "user", content: prompt },
        ],
        temperature: 0.7,
        max_tokens: 2048,
        stream: true,
        stream_options: Options { include_usage: true },
        response_format: json.then_some(Format { r#type: "json_object" }),
        user,
    };
    let body = serde_json::to_vec(&call)?;
    let request = client.post(url).header("content-type", "application/json").body(body);
    let mut response = request.send().await?.error_for_status()?;
    let (mut text, mut held) = (String::new(), Vec::new());
    while let Some(piece) = response.chunk().await? {
        held.extend_from_slice(&piece);
        let mut from = 0;
        while let Some(at) = held[from..].iter().position(|byte| *byte == b'\n') {
            text.push_str(&content(&held[from..from + at])?);
            from += at + 1;
        }
        held.drain(..from);
    }
    ensure!(!text.is_empty(), "the model gave an empty answer");
    Ok(text)
}

/// What a line of the stream adds to the answer.
fn content(line: &[u8]) -> anyhow::Result<String> {
    #[derive(Deserialize)]
    struct Chunk {
        #[serde(default)]
        choices: Vec<Choice>,
    }
    #[derive(Deserialize)]
    struct Choice {
        delta: Delta,
    }
    #[derive(Deserialize)]
    struct Delta {
        content: Option<String>,
    }
    let data = line.strip_prefix(b"data: ").unwrap_or_default();
    if data.is_empty() || data == b"[DONE]" {
        return Ok(String::new());
    }
    let chunk: Chunk = serde_json::from_slice(data).context("reading an event")?;
    let choice = chunk.choices.into_iter().next();
    Ok(choice.and_then(|choice| choice.delta.content).unwrap_or_default())
}
