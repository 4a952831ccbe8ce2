//! `relay`: a TCP port of this network namespace's loopback that leads to an address in another one.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::arguments::Arguments;
use crate::{init, sys};

/// # Errors
/// Options that are missing or wrong, a port that is taken, or a namespace that cannot be entered.
pub fn run(arguments: &Arguments) -> Result<(), String> {
    arguments.only(&["port", "netns", "to"])?;
    let port = arguments.get::<u16>("port")?.unwrap_or(0);
    let (netns, to) = (arguments.need::<String>("netns")?, arguments.need::<SocketAddr>("to")?);
    init::prepare()?;
    let open = || -> io::Result<(TcpListener, u16)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = listener.local_addr()?.port();
        Ok((listener, port))
    };
    let (listener, port) = open().map_err(|error| format!("port {port}: {error}"))?;
    // A socket stays in the namespace that it was made in; those that this thread and its children make from here on are in the other one.
    File::open(&netns)
        .and_then(|file| sys::enter_net_namespace(&file))
        .map_err(|error| format!("{netns}: {error}"))?;
    println!("{}", json!({ "listening": port }));
    thread::spawn(move || accept(&listener, to));
    init::wait()
}

fn accept(listener: &TcpListener, to: SocketAddr) {
    loop {
        match listener.accept() {
            // Out of threads: the connection is dropped, and its client may come again.
            Ok((client, _)) => drop(thread::Builder::new().stack_size(128 << 10).spawn(move || serve(client, to))),
            // Out of files, or a client that was gone before it was accepted.
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn serve(client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect_timeout(&to, Duration::from_secs(10))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_server, to_client) = (server.try_clone()?, client.try_clone()?);
    let back = thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(move || pass(from_server, to_client))?;
    pass(client, server);
    drop(back.join());
    Ok(())
}

/// Passes on what comes, its end included. After an error neither side can be served any more.
fn pass(mut from: TcpStream, mut to: TcpStream) {
    let how = match io::copy(&mut from, &mut to) {
        Ok(_) => Shutdown::Write,
        Err(_) => Shutdown::Both,
    };
    drop(to.shutdown(how));
    if how == Shutdown::Both {
        drop(from.shutdown(how));
    }
}
