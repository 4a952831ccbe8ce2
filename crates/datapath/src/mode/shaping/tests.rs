use super::*;

fn tbf(rate: u64, mtu: u32) -> (u32, u32) {
    let Discipline::Tbf { burst, limit, .. } = bucket(Device::PodEnd, rate, mtu).discipline else {
        panic!("not a bucket")
    };
    (burst, limit)
}

#[test]
fn a_burst_is_a_tick_and_a_queue_holds_a_segment() {
    assert_eq!(tbf(1_250_000, 1500), (5_000, 70_536));
    assert_eq!(tbf(12_500_000, 1500), (50_000, 362_500));
    assert_eq!(tbf(125_000_000, 1500), (500_000, 3_625_000));
    assert_eq!(tbf(125, 8500), (10_000, 75_536));
    assert_eq!(tbf(u64::MAX, 1500), (u32::MAX, u32::MAX));
}
