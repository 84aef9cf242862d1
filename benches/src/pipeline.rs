//! The event pipeline: durable accepts, their way through a queue to a function, recorded answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::client::{closed_loop, get};
use crate::peers::{Peer, Programs};
use crate::process::free_port;
use crate::report::{figure, median};

const CALLERS: usize = 64;
const ROUNDS: usize = 3;
const ROUND_TIME: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(120);

/// Durable accepts a second over HTTP, and how fast they reach their function.
pub(crate) fn queue_to_function(programs: &Programs) {
    let guest = programs.guest("hello_batch").display().to_string();
    let manifest = format!(
        "[app]\nname = \"bench\"\n[function.hello]\ncomponent = {guest:?}\nreuse = 1000\n\
         [queue.jobs]\n[[trigger.http]]\nroute = \"/jobs\"\nmode = \"async\"\n\
         target = \"queue:jobs\"\n"
    );
    let trigger = "[[trigger.queue]]\nqueue = \"jobs\"\ntarget = \"function:hello\"\n\
                   batch = { size = 100 }\n";
    let request = post("/jobs", "", &"x".repeat(256));
    let (mut accepts, mut runs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Accepts alone, then the same with a function that takes them out at the same time.
        let server = programs.wfh(&manifest);
        let alone = closed_loop(server.address, &request, CALLERS, ROUND_TIME);
        assert_eq!(alone.errors, 0, "an accept failed");
        accepts.push(alone.per_second());
        drop(server);
        let admin = free_port();
        let server = programs.wfh_with_admin(&(manifest.clone() + trigger), admin);
        // What the round before left is worked off first.
        empty(admin);
        let begun = Instant::now();
        let load = closed_loop(server.address, &request, CALLERS, ROUND_TIME);
        assert_eq!(load.errors, 0, "an accept failed");
        empty(admin);
        runs.push(load.requests as f64 / begun.elapsed().as_secs_f64());
    }
    let (accepts, runs) = (median(accepts), median(runs));
    figure("durable accepts over HTTP, 64 callers", accepts, "/s", "", "");
    figure("queue to function, end to end / durable accepts", runs / accepts, "x", "0.5", "");
}

/// Recorded answers a second, against a server that only answers.
pub(crate) fn replay(programs: &Programs) {
    let guest = programs.guest("hello").display().to_string();
    let server = programs.wfh(&format!(
        "[app]\nname = \"bench\"\n[function.hello]\ncomponent = {guest:?}\n\
         [function.hello.idempotency]\nkey = [\"header:Idempotency-Key\"]\n\
         [[trigger.http]]\nroute = \"/\"\ntarget = \"function:hello\"\n"
    ));
    let bare = programs.start(Peer::Bare, "hello");
    let request = post("/", "idempotency-key: same\r\n", "x");
    closed_loop(server.address, &request, 1, Duration::from_millis(200));
    let (mut replays, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        replays.push(closed_loop(server.address, &request, CALLERS, ROUND_TIME).per_second());
        plain.push(closed_loop(bare.address, &get("/"), CALLERS, ROUND_TIME).per_second());
    }
    let (replays, plain) = (median(replays), median(plain));
    figure("recorded answers, 64 callers", replays, "/s", "", "");
    figure("recorded answers / bare hyper without a read", replays / plain, "x", "", "");
}

fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Waits until nothing is in any queue.
fn empty(admin: u16) {
    let start = Instant::now();
    while waiting(([127, 0, 0, 1], admin).into()) && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the admin port answers.
pub(crate) fn ask_admin(admin: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(admin).expect("the admin port");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

fn waiting(admin: SocketAddr) -> bool {
    let answer = ask_admin(admin, "/v1/queues");
    let entries = answer.split("\"entries\":").skip(1);
    entries.into_iter().any(|rest| !rest.starts_with('0'))
}
