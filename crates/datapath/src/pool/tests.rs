use std::sync::mpsc::channel;

use super::*;

fn pool(threads: usize) -> Pool {
    Pool::start(&Arc::new(Netns::current().unwrap()), threads).unwrap().0
}

#[test]
fn jobs_of_a_lane_keep_their_order_and_never_overlap() {
    // setns into one's own namespace needs CAP_SYS_ADMIN.
    if !rustix::process::geteuid().is_root() {
        println!("SKIP jobs_of_a_lane_keep_their_order_and_never_overlap: needs root");
        return;
    }
    let pool = pool(4);
    let (send, receive) = channel();
    let busy: Arc<[Mutex<()>; 3]> = Arc::default();
    for number in 0..300 {
        let (send, busy) = (send.clone(), Arc::clone(&busy));
        let lane = number % 3;
        let job = move |_: &mut Worker| {
            let alone = busy[lane].try_lock().is_ok();
            send.send((lane, number, alone)).unwrap();
            assert!(number != 100, "a panic must not stop the lane");
        };
        pool.submit(Some(&format!("lane{lane}")), Box::new(job));
    }
    pool.close();
    drop(send);
    let seen: Vec<_> = receive.iter().collect();
    assert_eq!(seen.len(), 300);
    assert!(seen.iter().all(|(_, _, alone)| *alone));
    for lane in 0..3 {
        let order: Vec<_> = seen
            .iter()
            .filter(|(of, _, _)| *of == lane)
            .map(|(_, number, _)| *number)
            .collect();
        assert!(order.is_sorted(), "lane {lane}: {order:?}");
    }
}
