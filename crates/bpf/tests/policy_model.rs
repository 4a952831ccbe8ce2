//! Many random rules, peers and packets: the programs say what the rules say.

use support::model::{Chance, World};
use support::pods::{Pods, pod};
use support::probe::{Probe, fill, number};
use terway_bpf::Pod;

mod support;

const WORLDS: u64 = 3;
const PACKETS: usize = 4000;

#[test]
fn the_programs_say_what_the_rules_say() {
    for seed in 1..=WORLDS {
        let mut chance = Chance(seed);
        let world = World::of(&mut chance);
        let mut pods = Pods::new();
        fill(&mut pods, &world);
        let (mut ingress, mut egress) = (0, 0);
        let mut passed = 0;
        for index in 0..PACKETS {
            if index % 50 == 0 {
                (ingress, egress) = (chance.below(world.sets.len()), chance.below(world.sets.len()));
                pods.put(Pod {
                    ingress_set: number(ingress),
                    egress_set: number(egress),
                    ..pod()
                });
            }
            let probe = Probe::of(&mut chance, &world, 1000 + u16::try_from(index).unwrap());
            probe.forget(&mut pods);
            let expected = probe.expected(&world, ingress, egress);
            assert_eq!(
                probe.run(&pods, true),
                expected,
                "seed {seed}, packet {index}, sets {ingress} and {egress}: {probe:?}"
            );
            passed += usize::from(expected);
        }
        // Neither everything nor nothing: the worlds say something.
        assert!(
            (PACKETS / 10..PACKETS * 9 / 10).contains(&passed),
            "{passed} of {PACKETS} passed"
        );
    }
}

#[test]
fn after_a_change_flows_live_on_as_the_new_rules_say() {
    let mut chance = Chance(77);
    let world = World::of(&mut chance);
    let mut pods = Pods::new();
    fill(&mut pods, &world);
    let mut cut = 0;
    for round in 0..40_u16 {
        let put = |pods: &mut Pods, ingress, egress| {
            pods.put(Pod {
                ingress_set: number(ingress),
                egress_set: number(egress),
                ..pod()
            });
        };
        let sets = [(); 4].map(|()| chance.below(world.sets.len()));
        put(&mut pods, sets[0], sets[1]);
        pods.bump();
        let mut open = Vec::new();
        for index in 0..60 {
            let probe = Probe::of(&mut chance, &world, 1000 + round * 60 + index);
            probe.forget(&mut pods);
            if probe.protocol != 47 && probe.run(&pods, true) {
                open.push(probe);
            }
        }
        put(&mut pods, sets[2], sets[3]);
        pods.bump();
        for probe in open {
            let expected = probe.expected(&world, sets[2], sets[3]);
            assert_eq!(probe.run(&pods, false), expected, "round {round}, {sets:?}: {probe:?}");
            cut += usize::from(!expected);
        }
    }
    assert!(cut > 50, "{cut} flows were cut");
}
