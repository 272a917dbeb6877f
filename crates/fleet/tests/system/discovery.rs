//! Where no model is named, the usual local ports are looked at.

use fleet_llm::USUAL_PORTS;
use fleet_scripted::{Ledger, Settings, serve};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Place, council};

/// One test, because there is one set of usual ports on a machine. What others run on them is left alone,
/// and then only as much is asserted as still must hold.
#[tokio::test]
async fn a_server_on_a_usual_port_is_found_and_without_one_the_model_is_simulated() {
    let place = Place::new();
    let asked = ["deliberate", "Add two numbers", "--rounds", "0", "--agents", "1", "--id", "sound"];
    let mut taken = false;
    for port in USUAL_PORTS {
        taken |= TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    }
    if !taken {
        let ended = place.run(&asked).await;
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert!(ended.stderr.contains("using the SIMULATED model"), "{}", ended.stderr);
        assert!(ended.stderr.contains("8000, 8080, 11434, 1234; --url names one"), "{}", ended.stderr);
        assert!(ended.stdout.starts_with("SIMULATED: "), "{}", ended.stdout);
        for (flag, value) in
            [("--model", "some-model"), ("--config", &place.file("c.toml", "[model]\nkind = \"openai\"\n"))]
        {
            let ended = place.fleet(&asked).also(&[flag, value]).end().await;
            assert_eq!(ended.code, 8, "{flag}: {}", ended.stderr);
            assert!(ended.stderr.contains("no model server answers on the local ports"), "{}", ended.stderr);
        }
    }
    let mut free = None;
    for port in USUAL_PORTS {
        if free.is_none() {
            free = TcpListener::bind(("127.0.0.1", port)).await.ok();
        }
    }
    let Some(listener) = free else { return };
    let port = listener.local_addr().unwrap().port();
    let ledger = Ledger::none();
    let models = vec!["first".to_owned(), "second".to_owned()];
    let server = tokio::spawn(serve(listener, Settings { models, api_key: None, ledger }, council(0)));
    let ended = place.run(&asked).await;
    let named = place.fleet(&asked).also(&["--model", "second"]).end().await;
    server.abort();
    assert_eq!((ended.code, named.code), (0, 0), "{}{}", ended.stderr, named.stderr);
    assert!(ended.stderr.contains("found on a usual port"), "{}", ended.stderr);
    if !taken {
        assert!(
            ended.stderr.contains(&format!("using first at 127.0.0.1:{port}"))
                || ended.stderr.contains(&format!("using first at http://127.0.0.1:{port}")),
            "{}",
            ended.stderr
        );
        assert!(named.stderr.contains("using second at "), "{}", named.stderr);
    }
}
