use super::*;

fn draft() -> Draft {
    Draft {
        id: "c0ffee/eth0".into(),
        generation: 7.0,
        mode: "policy_route".into(),
        netns: "/var/run/netns/x".into(),
        if_name: "eth0".into(),
        host_if_name: "calic95a4947e07".into(),
        mtu: 1500.0,
        ipv4: Some(DraftFamily {
            address: "10.0.1.23".into(),
            prefix_length: 24.0,
            gateway: "10.0.1.253".into(),
        }),
        ipv6: Some(DraftFamily {
            address: "2001:db8::23".into(),
            prefix_length: 64.0,
            gateway: "2001:db8::fffd".into(),
        }),
        eni_mac: "00:16:3e:00:00:01".into(),
        host_ipv4: Some("10.0.0.10".into()),
        host_ipv6: None,
        default_route: true,
        extra_routes: vec!["172.16.1.2/16".into()],
        rule_form: "compact".into(),
        ..Draft::default()
    }
}

#[test]
fn a_good_draft_passes_and_is_normalised() {
    let attachment = Attachment::try_from(draft()).unwrap();
    assert_eq!(attachment.extra_routes[0].to_string(), "172.16.0.0/16");
    assert_eq!(
        attachment.addresses().map(|a| a.to_string()).collect::<Vec<_>>(),
        ["10.0.1.23", "2001:db8::23"]
    );
    assert_eq!(attachment.alias(), "terway:c0ffee/eth0");
}

type Spoil = fn(&mut Draft);

#[test]
fn every_bad_field_is_named() {
    let cases: &[(&str, Spoil)] = &[
        ("id", |d| d.id.clear()),
        ("id", |d| d.id = "x".repeat(300)),
        ("netns", |d| d.netns.clear()),
        ("ifName", |d| d.if_name = "a234567890123456".into()),
        ("ifName", |d| d.if_name = "eth 0".into()),
        ("ifName", |d| d.if_name = "..".into()),
        ("hostIfName", |d| d.host_if_name = "veth%d".into()),
        ("hostIfName", |d| d.host_if_name.clear()),
        ("ruleForm", |d| d.rule_form = "none".into()),
        ("generation", |d| d.generation = -1.0),
        ("generation", |d| d.generation = f64::NAN),
        ("mtu", |d| d.mtu = 1279.0),
        ("mtu", |d| d.mtu = 1500.5),
        ("mtu", |d| {
            d.ipv6 = None;
            d.mtu = 67.0;
        }),
        ("ipv4", |d| {
            d.ipv4 = None;
            d.ipv6 = None;
        }),
        ("ipv4.address", |d| d.ipv4.as_mut().unwrap().address = "2001:db8::1".into()),
        ("ipv4.address", |d| d.ipv4.as_mut().unwrap().address = "224.0.0.1".into()),
        ("ipv4.gateway", |d| d.ipv4.as_mut().unwrap().gateway = "2001:db8::1".into()),
        ("ipv4.gateway", |d| d.ipv4.as_mut().unwrap().gateway = "10.0.1.23".into()),
        ("ipv4.prefixLength", |d| d.ipv4.as_mut().unwrap().prefix_length = 33.0),
        ("ipv6.address", |d| d.ipv6.as_mut().unwrap().address = "10.0.0.1".into()),
        ("ipv6.gateway", |d| d.ipv6.as_mut().unwrap().gateway = "".into()),
        ("ipv4.address", |d| d.ipv4.as_mut().unwrap().address = "10.0.2.23".into()),
        ("mode", |d| d.mode = "vpc".into()),
        ("vlanId", |d| d.mode = "vlan".into()),
        ("vlanId", |d| d.vlan_id = Some(0.0)),
        ("vlanId", |d| d.vlan_id = Some(4095.0)),
        ("trunkGatewayIpv4", |d| d.trunk_gateway_ipv4 = Some("10.0.2.253".into())),
        ("trunkGatewayIpv6", |d| {
            d.vlan_id = Some(7.0);
            d.trunk_gateway_ipv6 = Some("10.0.2.253".into());
        }),
        ("hostStackCidrs", |d| d.host_stack = vec!["169.254.20.10/40".into()]),
        ("bandwidth.ingress", |d| d.ingress = Some(0.0)),
        ("bandwidth.egress", |d| d.egress = Some(0.5)),
        ("bandwidthMode", |d| d.bandwidth_mode = Some("htb".into())),
        ("priority", |d| d.priority = Some("best-effort".into())),
        ("eniMac", |d| d.eni_mac = "00:16".into()),
        ("hostIpv4", |d| d.host_ipv4 = Some("::1".into())),
        ("hostIpv6", |d| d.host_ipv6 = Some("nonsense".into())),
        ("extraRoutes", |d| d.extra_routes = vec!["10.0.0.0/33".into()]),
        ("extraRoutes", |d| d.extra_routes = vec!["0.0.0.0/0".into()]),
        ("extraRoutes", |d| {
            d.ipv6 = None;
            d.extra_routes = vec!["2001:db8::/32".into()];
        }),
    ];
    for (number, (field, spoil)) in cases.iter().enumerate() {
        let mut bad = draft();
        spoil(&mut bad);
        let error = Attachment::try_from(bad).expect_err(&format!("case {number} ({field}) passed"));
        assert_eq!(error.code, ErrorCode::InvalidAttachment, "case {number}");
        assert_eq!(error.object.as_deref(), Some(*field), "case {number}: {error}");
        assert!(error.message.contains(field), "case {number}: {error}");
    }
}

#[test]
fn a_small_mtu_is_fine_without_ipv6() {
    assert_eq!(
        Attachment::try_from(Draft {
            ipv6: None,
            mtu: 576.0,
            ..draft()
        })
        .unwrap()
        .mtu,
        576
    );
}
