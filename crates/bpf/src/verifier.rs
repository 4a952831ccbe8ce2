//! The verifier's log, short enough for one line of ours.

/// The last lines that say something: the instruction that was refused and why.
pub(crate) fn condense(log: &str) -> String {
    const KEPT: usize = 3;
    let telling: Vec<&str> = log
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !is_statistics(line))
        .collect();
    match telling.len() {
        0 => "no log".to_owned(),
        count => telling.get(count.saturating_sub(KEPT)..).unwrap_or_default().join(" | "),
    }
}

fn is_statistics(line: &str) -> bool {
    ["processed ", "verification time ", "stack depth "]
        .iter()
        .any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::condense;

    #[test]
    fn the_reason_is_kept_and_the_statistics_are_not() {
        let log = "func#0 @0\n0: (bf) r6 = r1\n; let x = y;\n7: (61) r0 = *(u32 *)(r1 +200)\ninvalid bpf_context access off=200 size=4\n\
                   verification time 40 usec\nstack depth 0\nprocessed 8 insns (limit 1000000) max_states_per_insn 0\n";
        assert_eq!(
            condense(log),
            "; let x = y; | 7: (61) r0 = *(u32 *)(r1 +200) | invalid bpf_context access off=200 size=4"
        );
        assert_eq!(condense("\n"), "no log");
    }
}
