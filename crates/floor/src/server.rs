//! The long-running half: workers that wait for a line, do the work and answer.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use std::{fs, io, thread};

use crate::collect::Collector;
use crate::netlink::Socket;
use crate::node::Node;
use crate::pair::Pair;
use crate::record::Records;

/// Enough that the kernel, not a free worker, is what 100 callers wait for.
const WORKERS: usize = 16;

/// What all workers share.
struct Shared {
    records: Records,
    collector: Collector,
    node: Node,
}

/// Serves until the process is killed.
///
/// # Errors
/// Options that are missing, a socket or directory that cannot be used.
pub fn run(words: &[String]) -> Result<(), String> {
    let (mut socket, mut directory) = (None, None);
    crate::options(words.iter().map(String::as_str), |key, value| {
        match key {
            "socket" => socket = Some(value),
            "dir" => directory = Some(value),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let (socket, directory) = (socket.ok_or("--socket is missing")?, directory.ok_or("--dir is missing")?);
    let records = Records::create(Path::new(directory)).map_err(|error| format!("{directory}: {error}"))?;
    let shared = Arc::new(Shared {
        records,
        collector: Collector::start()?,
        node: Node::default(),
    });
    // A stale file of an earlier run would refuse the bind.
    drop(fs::remove_file(socket));
    let listener = Arc::new(UnixListener::bind(socket).map_err(|error| format!("{socket}: {error}"))?);
    let workers: Vec<_> = (0..WORKERS)
        .map(|_| {
            let (listener, shared) = (Arc::clone(&listener), Arc::clone(&shared));
            let host = Socket::open().map_err(|error| format!("netlink: {error}"))?;
            Ok(thread::spawn(move || work(&listener, &shared, host)))
        })
        .collect::<Result<_, String>>()?;
    println!("ready");
    for worker in workers {
        worker.join().map_err(|_| "a worker died")?;
    }
    Ok(())
}

fn work(listener: &UnixListener, shared: &Shared, mut host: Socket) {
    loop {
        if let Ok((stream, _)) = listener.accept() {
            // A client that has gone away hears nothing, and nobody else needs to.
            drop(answer(&stream, shared, &mut host));
        }
    }
}

fn answer(mut stream: &UnixStream, shared: &Shared, host: &mut Socket) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer = match perform(&line, shared, host) {
        Ok(measured) => format!("ok {measured}\n"),
        Err(error) => format!("error {error}\n"),
    };
    stream.write_all(answer.as_bytes())
}

/// Does what the line says and tells what it took, as JSON in microseconds.
fn perform(line: &str, shared: &Shared, host: &mut Socket) -> Result<String, String> {
    let mut words = line.split_whitespace();
    let command = words.next().unwrap_or_default();
    let started = Instant::now();
    if command == "echo" {
        return Ok("{}".into());
    }
    shared.records.append().map_err(|error| format!("fdatasync: {error}"))?;
    let synced = started.elapsed();
    if command == "sync" {
        return Ok(format!("{{\"syncUs\":{}}}", synced.as_micros()));
    }
    let pair = Pair::parse(words)?;
    match command {
        "add" => {
            let table = shared.node.ensure(&pair, host)?;
            pair.add(host, table)?;
        }
        "del" => {
            let table = shared.node.ensure(&pair, host)?;
            pair.del(host, table)?;
            shared.collector.wake();
        }
        _ => return Err(format!("{command:?} is unknown")),
    }
    let kernel = started.elapsed() - synced;
    Ok(format!(
        "{{\"syncUs\":{},\"kernelUs\":{}}}",
        synced.as_micros(),
        kernel.as_micros()
    ))
}
