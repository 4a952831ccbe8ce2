//! Seeded mutations of standard input: the executable always ends soon, with JSON and an exit status that fits it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::time::Duration;

use serde_json::Value;
use support::{Call, Daemon, Reply, Scratch, config};

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match self.below(5) {
                0 if !bytes.is_empty() => drop(bytes.remove(at)),
                1 => bytes.insert(at, u8::try_from(self.below(256)).unwrap()),
                2 if !bytes.is_empty() => bytes[at] = u8::try_from(self.below(256)).unwrap(),
                3 => bytes.truncate(at),
                _ => {
                    let copy = bytes.clone();
                    bytes.splice(at..at, copy);
                }
            }
        }
        bytes
    }
}

#[test]
fn any_input_gets_an_answer() {
    let scratch = Scratch::new();
    let _daemon = Daemon::start(&scratch.socket(), vec![Reply::Answer(200, "{}".into())]);
    let mut random = Random(20_261_121);
    let mut codes = std::collections::BTreeMap::<u64, u32>::new();
    for round in 0..600 {
        let verb = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"][round % 6];
        let stdin = random.mutate(config(verb, "1.1.0").to_string().as_bytes());
        let shown = String::from_utf8_lossy(&stdin).into_owned();
        let outcome = Call::new(verb, &scratch.socket()).stdin(stdin).run();
        assert!(
            outcome.took < Duration::from_secs(5),
            "round {round}, {verb} {shown}: {:?}",
            outcome.took
        );
        let answer: Value =
            serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("round {round}, {shown}: {error}"));
        let code = answer.get("code").map_or(0, |code| code.as_u64().unwrap());
        assert_eq!(
            outcome.code,
            i32::from(code != 0),
            "round {round}, {verb} {shown}: {outcome:?}"
        );
        assert!([0, 1, 6, 7].contains(&code), "round {round}, {verb} {shown}: {answer}");
        *codes.entry(code).or_default() += 1;
    }
    assert!(
        [0, 1, 6, 7].iter().all(|code| codes.contains_key(code)),
        "the mutations must reach every kind of answer: {codes:?}"
    );
}
