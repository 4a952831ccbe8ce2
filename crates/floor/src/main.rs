//! `floor`: the work of an ADD and a DEL with nothing around it, so that a bench can say how far the product is from it.
//!
//! Timed from outside, each command adds one step: `noop` is fork and exec of a static program, `echo` adds one round trip over
//! a unix socket, `sync` one fdatasync, `add` and `del` the kernel objects of a pod.

use std::process::ExitCode;

mod client;
mod collect;
mod family;
mod message;
mod netlink;
mod node;
mod pair;
mod record;
mod server;
mod sys;

const USAGE: &str = "\
usage: floor serve --socket S --dir D          prints ready; its record file is in D, its kernel objects in its own namespace
       floor noop
       floor echo --socket S
       floor sync --socket S
       floor add|del --socket S --netns PATH --ifname NAME --host-if NAME --eni NAME
                     [--ipv4 A --gw4 G] [--ipv6 A --gw6 G] [--mtu N]";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let words: Vec<String> = words.collect();
    let result = match command.as_str() {
        "noop" => Ok(()),
        "serve" => server::run(&words),
        "echo" | "sync" | "add" | "del" => client::run(&command, &words),
        _ => Err(USAGE.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor {command}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Splits `--key value` pairs and hands each to `set`, which tells whether it knows the key.
fn options<'a>(
    words: impl IntoIterator<Item = &'a str>,
    mut set: impl FnMut(&str, &'a str) -> Result<bool, String>,
) -> Result<(), String> {
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let key = word.strip_prefix("--").ok_or_else(|| format!("{word:?} is no option"))?;
        let value = words.next().ok_or_else(|| format!("--{key} needs a value"))?;
        if !set(key, value)? {
            return Err(format!("--{key} is unknown"));
        }
    }
    Ok(())
}
