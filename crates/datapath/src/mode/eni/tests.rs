use super::*;
use crate::attachment::Trunk;
use crate::mode::example::{example, facts};
use crate::object::RecordKey;

const NOTHING: EniUse = EniUse {
    tags: false,
    departures: false,
    classes: false,
    exits: false,
    forwards: false,
};

fn tree(needs: EniUse, count: u32) -> Vec<String> {
    let place = |attach: Attach| match attach {
        Attach::Root => "root".to_owned(),
        Attach::Clsact => "clsact".to_owned(),
        Attach::Under(class) => format!("{:x}:{:x}", class >> 16, class & 0xffff),
    };
    let line = |qdisc: &Qdisc| {
        format!(
            "{} {:x}: {}",
            qdisc.discipline.kind(),
            qdisc.handle >> 16,
            place(qdisc.attach)
        )
    };
    queues(needs, count).iter().map(line).collect()
}

#[test]
fn departures_and_classes_do_not_replace_one_another() {
    let departures = EniUse {
        departures: true,
        ..NOTHING
    };
    let classes = EniUse {
        classes: true,
        ..NOTHING
    };
    let both = departures.and(classes);
    assert_eq!(tree(NOTHING, 4), [""; 0]);
    assert_eq!(tree(departures, 1), ["fq 7600: root"]);
    assert_eq!(tree(classes, 1), ["prio 7500: root"]);
    assert_eq!(
        tree(both, 1),
        ["prio 7500: root", "fq 7700: 7500:1", "fq 7701: 7500:2", "fq 7702: 7500:3"]
    );
    assert_eq!(tree(departures, 2), ["mq 7472: root", "fq 7601: 7472:1", "fq 7602: 7472:2"]);
    assert_eq!(
        tree(both, 2),
        [
            "mq 7472: root",
            "prio 7501: 7472:1",
            "fq 7704: 7501:1",
            "fq 7705: 7501:2",
            "fq 7706: 7501:3",
            "prio 7502: 7472:2",
            "fq 7708: 7502:1",
            "fq 7709: 7502:2",
            "fq 770a: 7502:3",
        ]
    );
}

/// The kernel takes no two qdiscs of one handle on a device, and replaces one only by another handle.
#[test]
fn handles_are_ours_and_differ() {
    let all = EniUse {
        tags: true,
        departures: true,
        classes: true,
        exits: false,
        forwards: false,
    };
    let mut handles = std::collections::HashSet::new();
    for qdisc in queues(all, 1000) {
        assert!(qdisc.is_ours() && handles.insert(qdisc.handle), "{qdisc:?}");
    }
}

/// Frames of 802.1Q links pass programs by their record only; where nobody has programs there is none.
#[test]
fn links_have_records_where_others_have_programs() {
    let link = Attachment {
        mode: Mode::Vlan,
        trunk: Some(Trunk {
            vlan_id: 1001,
            gateway_ipv4: None,
            gateway_ipv6: None,
        }),
        ..example()
    };
    let filtered = Attachment {
        mode: Mode::PolicyRoute,
        ..link.clone()
    };
    let with = |eni_use: EniUse| HostFacts {
        eni_use,
        vlan_links: vec![1001, 1002],
        ..facts()
    };
    let keys = |attachment: &Attachment, facts: &HostFacts| {
        let mut host = NamespaceState::default();
        serve(&mut host, attachment, facts);
        let keys: Vec<RecordKey> = host.records.iter().map(Record::key).collect();
        keys
    };
    let key = |vlan: u16| {
        RecordKey::VlanLink(VlanLinkKey {
            eni: 3,
            vlan,
            reserved: 0,
        })
    };
    let tags = EniUse { tags: true, ..NOTHING };
    assert_eq!(keys(&link, &with(NOTHING)), []);
    assert_eq!(keys(&link, &with(tags)), [key(1001)], "its own");
    let addresses = filtered.addresses().map(RecordKey::Endpoint);
    // All links are known before the ENI becomes a trunk to the programs.
    let all: Vec<RecordKey> = addresses.chain([key(1001), key(1002), RecordKey::Eni(3)]).collect();
    assert_eq!(keys(&filtered, &with(tags)), all);
}
