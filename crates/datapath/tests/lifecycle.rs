//! Attach and detach in every order, stopped at every step, late, repeated and in parallel.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::{Duration, Instant};

use support::calls::{CLEAN, GONE, Open, target, until, wait};
use support::lab::{self, Lab, Stack, attachment, eni_mac};
use support::probe::{Echo, ask};
use terway_datapath::attachment::{Attachment, RuleForm};
use terway_datapath::diff::Problem;
use terway_datapath::error::ErrorCode;

/// Host routes, rules and links of one attachment.
fn traces(lab: &Lab, attachment: &Attachment) -> Vec<String> {
    let objects = lab.own_objects();
    let names: Vec<String> = attachment.addresses().map(|address| address.to_string()).collect();
    let concerns = |line: &String| {
        names
            .iter()
            .any(|name| line.split_whitespace().any(|word| word == name || word == attachment.alias()))
    };
    objects.into_iter().filter(concerns).collect()
}

#[test]
fn the_same_attach_again_changes_nothing_i8() {
    if support::skip("the_same_attach_again_changes_nothing_i8") {
        return;
    }
    for stack in Stack::ALL {
        for form in [RuleForm::Compact, RuleForm::PerPod] {
            let lab = Lab::new();
            let datapath = Open::new(&lab.host);
            let (_pod, mut attachment) = lab.pod(23, stack);
            attachment.rule_form = form;
            let first = datapath.attach(&attachment);
            assert!(first.steps > 5 && first.renamed_holder.is_none(), "{first:?}");
            let again = datapath.attach(&attachment);
            assert_eq!(again.steps, 0, "{stack:?} {form:?}");
            assert_eq!(
                (again.host_mac, again.pod_if_index, again.host_if_index),
                (first.host_mac, first.pod_if_index, first.host_if_index)
            );
            assert_eq!(datapath.check(&attachment), []);
        }
    }
}

#[test]
fn a_process_that_knows_nothing_finds_everything_there() {
    if support::skip("a_process_that_knows_nothing_finds_everything_there") {
        return;
    }
    let lab = Lab::new();
    let (_pod, attachment) = lab.pod(23, Stack::Dual);
    Open::new(&lab.host).attach(&attachment);
    let restarted = Open::new(&lab.host);
    assert_eq!(restarted.check(&attachment), []);
    assert_eq!(restarted.attach(&attachment).steps, 0);
    drop(restarted);
    let restarted = Open::new(&lab.host);
    assert_eq!(restarted.detach_id(&attachment.id), CLEAN);
    restarted.settle_deletes();
    assert_eq!(traces(&lab, &attachment), [""; 0]);
}

#[test]
fn detach_leaves_nothing_and_can_be_repeated() {
    if support::skip("detach_leaves_nothing_and_can_be_repeated") {
        return;
    }
    for form in [RuleForm::Compact, RuleForm::PerPod] {
        let lab = Lab::new();
        let before = (
            lab.host.ip("-o link"),
            lab.host.ip("-4 route show table all"),
            lab.host.ip("-6 rule"),
        );
        let datapath = Open::new(&lab.host);
        let (pod, mut attachment) = lab.pod(23, Stack::Dual);
        attachment.rule_form = form;
        assert_eq!(datapath.detach(&attachment), GONE);
        datapath.attach(&attachment);
        assert_eq!(datapath.detach(&attachment), CLEAN);
        assert_eq!(datapath.detach(&attachment), GONE);
        datapath.settle_deletes();
        assert_eq!(traces(&lab, &attachment), [""; 0], "{form:?}");
        assert!(pod.try_ip("link show eth0").is_err(), "the pod's end is still there");
        let collected = datapath.collect();
        assert_eq!(collected.failures, []);
        assert!(
            !collected.removed.is_empty(),
            "the ENI's table and the shared rule were still there"
        );
        assert_eq!(lab.own_objects(), [""; 0]);
        // The ENI stays up with the node's address, as Terway leaves it.
        assert!(lab.host.ip("-o link show eth1").contains("UP"));
        let foreign = |text: &str| {
            text.lines()
                .filter(|line| !line.contains("eth1"))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(foreign(&lab.host.ip("-4 route show table all")), foreign(&before.1));
        assert_eq!(lab.host.ip("-6 rule"), before.2);
        assert_eq!(lab.host.ip("-o link").lines().count(), before.0.lines().count());
    }
}

/// I6: crash after any step, then attach again: the end is the same.
#[test]
fn an_attach_stopped_at_any_step_is_completed_by_the_next_i6() {
    if support::skip("an_attach_stopped_at_any_step_is_completed_by_the_next_i6") {
        return;
    }
    let lab = Lab::new();
    let mut stops = 0;
    for steps in 0.. {
        let datapath = Open::new(&lab.host);
        let (_pod, attachment) = lab.pod(100 + steps, Stack::Dual);
        let stopped = datapath.attach_until(&attachment, u32::from(steps));
        stops += u16::from(stopped.is_err());
        let restarted = Open::new(&lab.host);
        restarted.attach(&attachment);
        assert_eq!(restarted.check(&attachment), [], "stopped after {steps}");
        assert_eq!(restarted.attach(&attachment).steps, 0, "stopped after {steps}");
        restarted.detach(&attachment);
        if stopped.is_ok() {
            break;
        }
    }
    assert!(stops > 10, "the failpoint stopped only {stops} times");
}

/// I6: crash after any step of an attach, then a detach; and a detach that crashes is completed by the next.
#[test]
fn an_attach_or_detach_stopped_at_any_step_is_removed_by_detach_i6() {
    if support::skip("an_attach_or_detach_stopped_at_any_step_is_removed_by_detach_i6") {
        return;
    }
    let lab = Lab::new();
    for steps in 0.. {
        let (_pod, attachment) = lab.pod(300 + steps, Stack::Dual);
        let stopped = Open::new(&lab.host).attach_until(&attachment, u32::from(steps));
        let datapath = Open::new(&lab.host);
        assert_eq!(datapath.detach_id(&attachment.id).failures, []);
        // What a link can no longer tell, rules of an attach that stopped before its route, the addresses of the journal do.
        assert_eq!(datapath.detach(&attachment).failures, []);
        datapath.settle_deletes();
        assert_eq!(traces(&lab, &attachment), [""; 0], "attach stopped after {steps}");
        if stopped.is_ok() {
            break;
        }
    }
    for steps in 0.. {
        let (_pod, attachment) = lab.pod(500 + steps, Stack::Dual);
        let datapath = Open::new(&lab.host);
        datapath.attach(&attachment);
        let stopped = datapath.detach_until(&attachment, u32::from(steps));
        drop(datapath);
        let datapath = Open::new(&lab.host);
        assert_eq!(datapath.detach(&attachment).failures, []);
        datapath.collect();
        datapath.settle_deletes();
        assert_eq!(traces(&lab, &attachment), [""; 0], "detach stopped after {steps}");
        if stopped.failures.is_empty() {
            assert!(steps > 4, "the failpoint never stopped the detach");
            break;
        }
    }
}

/// I7: a StatefulSet's pod comes again under the same name while the old sandbox lives; then the old one's DEL arrives.
#[test]
fn a_late_detach_does_not_harm_the_newer_sandbox_i7() {
    if support::skip("a_late_detach_does_not_harm_the_newer_sandbox_i7") {
        return;
    }
    let lab = Lab::new();
    let (_node, datapath) = (Echo::new(&lab.host, lab::node()), Open::new(&lab.host));
    let (old_pod, old) = lab.pod(23, Stack::Dual);
    let first = datapath.attach(&old);
    let (new_pod, mut new) = lab.pod(24, Stack::Dual);
    new.host_if_name.clone_from(&old.host_if_name);
    let attached = datapath.attach(&new);
    assert_eq!(attached.host_if_name, old.host_if_name);
    assert_eq!(attached.renamed_holder, Some(format!("trwy{:x}", first.host_if_index)));
    for (pod, attachment) in [(&old_pod, &old), (&new_pod, &new)] {
        for address in attachment.addresses() {
            let node = if address.is_ipv4() { lab::HOST_V4 } else { lab::HOST_V6 }.parse().unwrap();
            assert_eq!(ask(pod, node), Ok(address), "both sandboxes live");
        }
        assert_eq!(datapath.check(attachment), []);
        assert_eq!(datapath.attach(attachment).steps, 0);
    }
    assert_eq!(datapath.detach(&old), CLEAN);
    assert_eq!(datapath.detach_id(&old.id), GONE);
    datapath.settle_deletes();
    assert_eq!(datapath.check(&new), []);
    assert_eq!(traces(&lab, &old), [""; 0]);
}

/// I1, I7: the address has moved to a newer sandbox, and this process has forgotten both.
#[test]
fn a_late_detach_leaves_an_address_that_has_moved_on_i7() {
    if support::skip("a_late_detach_leaves_an_address_that_has_moved_on_i7") {
        return;
    }
    let lab = Lab::new();
    let (_old_pod, old) = lab.pod(23, Stack::Dual);
    let (_new_pod, mut new) = lab.pod(24, Stack::Dual);
    (new.ipv4, new.ipv6) = (old.ipv4, old.ipv6);
    Open::new(&lab.host).attach(&old);
    Open::new(&lab.host).attach(&new);
    let datapath = Open::new(&lab.host);
    assert_eq!(datapath.detach(&old).failures, []);
    datapath.settle_deletes();
    assert_eq!(datapath.check(&new), []);
}

/// I7: the ADD of an older sandbox arrives after that of a newer one.
#[test]
fn an_old_attach_that_arrives_late_is_refused_i7() {
    if support::skip("an_old_attach_that_arrives_late_is_refused_i7") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (_old_pod, old) = lab.pod(23, Stack::V4);
    let (_new_pod, mut new) = lab.pod(24, Stack::V4);
    new.host_if_name.clone_from(&old.host_if_name);
    datapath.attach(&new);
    let error = datapath.try_attach(&old).unwrap_err();
    assert_eq!(error.code, ErrorCode::InterfaceExists, "{error}");
    assert!(error.message.contains(&new.id), "{error}");
    let same_address = Attachment {
        host_if_name: "calix".into(),
        ipv4: new.ipv4,
        ..old.clone()
    };
    let error = datapath.try_attach(&same_address).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidAttachment, "{error}");
    let older_self = Attachment {
        generation: 1,
        ..new.clone()
    };
    assert_eq!(
        datapath.try_attach(&older_self).unwrap_err().code,
        ErrorCode::InvalidAttachment
    );
    assert_eq!(datapath.check(&new), []);
    assert_eq!(datapath.0.status().attachments, 1);
}

#[test]
fn the_same_name_and_namespace_can_be_attached_at_once_after_detach() {
    if support::skip("the_same_name_and_namespace_can_be_attached_at_once_after_detach") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (_pod, mut attachment) = lab.pod(23, Stack::Dual);
    for generation in 1..10 {
        attachment.generation = generation;
        attachment.id = format!("sandbox-{generation}/eth0");
        let attached = datapath.attach(&attachment);
        assert_eq!(
            (attached.host_if_name.as_str(), attached.renamed_holder),
            (attachment.host_if_name.as_str(), None)
        );
        assert_eq!(datapath.check(&attachment), []);
        assert_eq!(datapath.detach(&attachment), CLEAN);
    }
    // A new namespace does not even have to wait for the kernel.
    let (_other, mut other) = lab.pod(24, Stack::Dual);
    other.host_if_name.clone_from(&attachment.host_if_name);
    other.generation = 99;
    assert_eq!(datapath.attach(&other).host_if_name, attachment.host_if_name);
}

/// The last reference to the old namespace has just been closed: the kernel still holds the old pair's name for some 30 ms.
#[test]
fn the_name_of_a_dying_pair_is_free_at_once() {
    if support::skip("the_name_of_a_dying_pair_is_free_at_once") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    for number in 0..20 {
        let (pod, mut attachment) = lab.pod(600 + number, Stack::V4);
        attachment.host_if_name = "calidying".into();
        datapath.attach(&attachment);
        drop(pod);
    }
}

#[test]
fn a_dead_namespace_is_no_obstacle() {
    if support::skip("a_dead_namespace_is_no_obstacle") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = lab.pod(23, Stack::Dual);
    datapath.attach(&attachment);
    drop(pod);
    let drifts = datapath.check(&attachment);
    assert!(
        drifts
            .iter()
            .any(|drift| drift.kind == "netns" && drift.problem == Problem::Missing),
        "{drifts:?}"
    );
    assert_eq!(datapath.detach(&attachment).failures, []);
    datapath.settle_deletes();
    assert_eq!(traces(&lab, &attachment), [""; 0]);
    assert_eq!(datapath.try_attach(&attachment).unwrap_err().code, ErrorCode::NetnsGone);
    for path in ["/proc/version", "/proc/self/ns/mnt", "/proc/self/ns/net/x"] {
        let elsewhere = Attachment {
            netns: path.into(),
            ..attachment.clone()
        };
        assert_eq!(
            datapath.try_attach(&elsewhere).unwrap_err().code,
            ErrorCode::NetnsGone,
            "{path}"
        );
    }
    let own = Attachment {
        netns: lab.host.path(),
        ..attachment
    };
    assert_eq!(datapath.try_attach(&own).unwrap_err().code, ErrorCode::InvalidAttachment);
}

#[test]
fn a_foreign_interface_in_the_pod_is_left_alone() {
    if support::skip("a_foreign_interface_in_the_pod_is_left_alone") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (pod, attachment) = lab.pod(23, Stack::V4);
    pod.ip("link add eth0 type veth peer name other");
    let before = (pod.ip("-o link"), lab.own_objects());
    let error = datapath.try_attach(&attachment).unwrap_err();
    assert_eq!(
        (error.code, error.object.as_deref()),
        (ErrorCode::InterfaceExists, Some("link eth0"))
    );
    assert_eq!((pod.ip("-o link"), lab.own_objects()), before);
    assert_eq!(datapath.0.status().attachments, 0);
}

#[test]
fn an_attach_waits_for_its_eni() {
    if support::skip("an_attach_waits_for_its_eni") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let pod = support::namespace::Namespace::new();
    let attachment = Attachment {
        eni_mac: eni_mac(2),
        ..attachment(23, Stack::Dual, &pod.path())
    };
    let started = Instant::now();
    let error = datapath.attach_within(&attachment, Duration::from_millis(150)).unwrap_err();
    assert_eq!(error.code, ErrorCode::EniNotFound);
    assert!(error.message.contains(&eni_mac(2).to_string()), "{error}");
    assert!(started.elapsed() >= Duration::from_millis(150), "it did not wait");
    assert_eq!(datapath.0.status().attachments, 0);
    assert!(pod.try_ip("link show eth0").is_err(), "something was made without the ENI");
    // More calls wait than there are threads, and others go on meanwhile.
    let pods: Vec<_> = (0..12).map(|number| lab.pod(700 + number, Stack::V4)).collect();
    std::thread::scope(|scope| {
        let calls: Vec<_> = pods
            .iter()
            .map(|(_, waiting)| {
                let waiting = Attachment {
                    eni_mac: eni_mac(2),
                    ..waiting.clone()
                };
                let datapath = &datapath;
                scope.spawn(move || datapath.attach_within(&waiting, Duration::from_secs(10)))
            })
            .collect();
        until("all of them wait", Duration::from_secs(5), || {
            datapath.0.status().attachments == 12
        });
        let (_pod, other) = lab.pod(50, Stack::V4);
        datapath.attach(&other);
        // A detach overtakes a call that waits.
        let (_, overtaken) = &pods[0];
        assert_eq!(datapath.detach(overtaken), GONE);
        lab.plug(2);
        let results: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
        assert_eq!(results[0].as_ref().unwrap_err().code, ErrorCode::Deadline);
        for result in &results[1..] {
            assert!(result.is_ok(), "{result:?}");
        }
    });
}

/// A retried call waits beside the first: the first one's deadline does not take the second one's guard.
#[test]
fn two_calls_of_one_attachment_wait_for_its_eni_i8() {
    if support::skip("two_calls_of_one_attachment_wait_for_its_eni_i8") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (_pod, attachment) = lab.pod(23, Stack::Dual);
    let attachment = Attachment {
        eni_mac: eni_mac(2),
        ..attachment
    };
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| datapath.attach_within(&attachment, Duration::from_secs(10)));
        let hasty = scope.spawn(|| datapath.attach_within(&attachment, Duration::from_millis(100)));
        assert_eq!(hasty.join().unwrap().unwrap_err().code, ErrorCode::EniNotFound);
        lab.plug(2);
        assert!(patient.join().unwrap().is_ok());
    });
    assert_eq!(datapath.0.status().attachments, 1);
    assert_eq!(datapath.check(&attachment), []);
}

#[test]
fn a_hundred_attach_and_detach_in_parallel() {
    if support::skip("a_hundred_attach_and_detach_in_parallel") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let pods: Vec<_> = (1..=100).map(|number| lab.pod(number, Stack::Dual)).collect();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for (_, attachment) in &pods {
            scope.spawn(|| datapath.attach(attachment));
        }
    });
    println!("100 attaches at once: {:?}", started.elapsed());
    for (_, attachment) in &pods {
        assert_eq!(datapath.check(attachment), [], "{}", attachment.id);
    }
    let (_, first) = &pods[0];
    let (last_pod, last) = &pods[99];
    let _echo = Echo::new(last_pod, last.addresses());
    for (from, to) in first.addresses().zip(last.addresses()) {
        assert_eq!(ask(&pods[0].0, to), Ok(from));
    }
    std::thread::scope(|scope| {
        for (_, attachment) in &pods {
            scope.spawn(|| assert_eq!(datapath.detach(attachment), CLEAN));
        }
    });
    assert!(datapath.0.status().delete_backlog <= 64 + 6, "the backlog is bounded");
    datapath.settle_deletes();
    datapath.collect();
    assert_eq!(lab.own_objects(), [""; 0]);
}

#[test]
fn the_same_attach_many_times_at_once_is_one_i8() {
    if support::skip("the_same_attach_many_times_at_once_is_one_i8") {
        return;
    }
    let lab = Lab::new();
    let datapath = Open::new(&lab.host);
    let (_pod, attachment) = lab.pod(23, Stack::Dual);
    let steps: Vec<u32> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..16).map(|_| scope.spawn(|| datapath.attach(&attachment).steps)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(steps.iter().filter(|steps| **steps > 0).count(), 1, "{steps:?}");
    // Attach and detach of one id, thrown in at random, end as the last one says.
    for round in 0..10 {
        wait(|reply| datapath.0.detach(target(&attachment), reply));
        let (send, receive) = std::sync::mpsc::channel();
        for call in 0..6 {
            let send = send.clone();
            let deadline = Instant::now() + Duration::from_secs(5);
            if (round + call) % 2 == 0 {
                datapath.0.attach(
                    attachment.clone(),
                    deadline,
                    terway_datapath::Reply::new(move |_| send.send(()).unwrap()),
                );
            } else {
                datapath.0.detach(
                    target(&attachment),
                    terway_datapath::Reply::new(move |_| send.send(()).unwrap()),
                );
            }
        }
        drop(send);
        assert_eq!(receive.iter().count(), 6);
        let there = datapath.check(&attachment).is_empty();
        assert_eq!(there, round % 2 == 1, "round {round}");
    }
}
