//! The ledger under a clock of its own: rates hold, shares are fair, nothing is wasted, nothing drifts.

use std::time::Duration;

use super::*;

const MB: u64 = 1_000_000;

/// One transfer that moves as fast as it is let, or as its peer takes it.
struct Transfer {
    flow: FlowId,
    next: Instant,
    moved: u64,
    /// The peer's own rate.
    peer: Option<u64>,
}

fn sharing(session: u64, user: &str, user_rate: Option<u64>, all: Option<u64>) -> Sharing {
    Sharing {
        session: (session, None),
        user: Some((user.into(), user_rate)),
        address: (Block::of("192.0.2.1".parse().unwrap()), None),
        all,
    }
}

fn open(ledger: &mut Ledger, sharing: &Sharing, now: Instant) -> Transfer {
    Transfer {
        flow: ledger.open(sharing, now).unwrap(),
        next: now,
        moved: 0,
        peer: None,
    }
}

/// Runs them until `end`: always the one whose turn it is, among those at the same moment the first.
fn run(ledger: &mut Ledger, transfers: &mut [Transfer], end: Instant) {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut steps = 0;
    loop {
        steps += 1;
        assert!(steps < 2_000_000, "it does not get on");
        let turn = transfers.iter_mut().min_by_key(|transfer| transfer.next);
        let turn = turn.unwrap();
        let now = turn.next;
        if now >= end {
            return;
        }
        match ledger.draw(turn.flow, 256 * 1024, now) {
            Draw::NotBefore(at) => {
                assert!(at > now, "asking again at once would be a busy loop");
                turn.next = at;
            }
            Draw::Granted(bytes) => {
                assert!((1..=256 * 1024).contains(&bytes));
                // A socket takes what it takes.
                let unused = if rng.u8(..4) == 0 { bytes / 3 } else { 0 };
                ledger.give_back(turn.flow, unused);
                turn.moved += bytes - unused;
                let busy = turn
                    .peer
                    .map_or(20_000, |rate| (bytes - unused) * 1_000_000_000 / rate);
                turn.next = now + Duration::from_nanos(busy.max(1));
            }
        }
    }
}

#[track_caller]
fn near(found: u64, expected: u64, percent: u64) {
    let off = found.abs_diff(expected);
    assert!(
        off * 100 <= expected * percent,
        "{found} is not within {percent} % of {expected}"
    );
}

#[test]
fn four_sessions_of_one_user_share_its_rate_within_five_percent() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    let mut four: Vec<_> = (0..4)
        .map(|n| open(&mut ledger, &sharing(n, "anna", Some(10 * MB), None), start))
        .collect();
    run(&mut ledger, &mut four, start + Duration::from_secs(5));
    near(four.iter().map(|transfer| transfer.moved).sum(), 50 * MB, 5);
    for transfer in &four {
        near(transfer.moved, 50 * MB / 4, 5);
    }
}

#[test]
fn who_opens_many_sessions_gets_no_more_of_all() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    let mut flows: Vec<_> = (0..9)
        .map(|n| {
            let user = if n == 0 { "anna" } else { "ben" };
            open(&mut ledger, &sharing(n, user, None, Some(10 * MB)), start)
        })
        .collect();
    run(&mut ledger, &mut flows, start + Duration::from_secs(5));
    near(
        flows.iter().map(|transfer| transfer.moved).sum(),
        50 * MB,
        5,
    );
    near(flows[0].moved, 25 * MB, 15);
}

#[test]
fn what_the_slow_leave_the_others_have() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    let mut flows = vec![
        // A peer that takes 1 MB/s, a user who may have 2 MB/s, and one who takes all there is.
        open(&mut ledger, &sharing(0, "anna", None, Some(10 * MB)), start),
        open(
            &mut ledger,
            &sharing(1, "ben", Some(2 * MB), Some(10 * MB)),
            start,
        ),
        open(&mut ledger, &sharing(2, "cleo", None, Some(10 * MB)), start),
    ];
    flows[0].peer = Some(MB);
    run(&mut ledger, &mut flows, start + Duration::from_secs(5));
    near(flows[0].moved, 5 * MB, 20);
    near(flows[1].moved, 10 * MB, 10);
    near(
        flows.iter().map(|transfer| transfer.moved).sum(),
        50 * MB,
        5,
    );
}

#[test]
fn no_stretch_of_time_sees_more_than_rate_and_burst() {
    for rate in [1, 1000, 123_457, MB, 1000 * MB] {
        let (mut ledger, start) = (Ledger::default(), Instant::now());
        let flow = ledger
            .open(&sharing(1, "anna", Some(rate), None), start)
            .unwrap();
        let mut rng = fastrand::Rng::with_seed(rate);
        let (mut now, mut moved) = (start, 0);
        for _ in 0..10_000 {
            match ledger.draw(flow, rng.u64(1..1 << 20), now) {
                Draw::Granted(bytes) => moved += bytes,
                // Too early, right on time, and too late.
                Draw::NotBefore(at) => now += (at - now) * rng.u32(1..6) / 3,
            }
            let nanos = (now - start).as_nanos();
            let allowed = u128::from(burst(rate)) + nanos * u128::from(rate) / 1_000_000_000;
            assert!(u128::from(moved) <= allowed, "{rate}: {moved} > {allowed}");
        }
    }
}

#[test]
fn nothing_drifts_over_a_day_of_odd_moments() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    let rate = 999_983;
    let flow = ledger
        .open(&sharing(1, "anna", Some(rate), None), start)
        .unwrap();
    let (mut now, mut moved) = (start, 0);
    while now < start + Duration::from_secs(24 * 3600) {
        match ledger.draw(flow, u64::MAX, now) {
            Draw::Granted(bytes) => moved += bytes,
            Draw::NotBefore(at) => now = at + Duration::from_nanos(37_000_003),
        }
    }
    let exact = u64::try_from((now - start).as_nanos() * u128::from(rate) / 1_000_000_000).unwrap();
    assert!(
        moved.abs_diff(exact) <= burst(rate),
        "{moved} instead of {exact}"
    );
}

#[test]
fn without_limits_everything_is_granted() {
    let (mut ledger, now) = (Ledger::default(), Instant::now());
    let flow = ledger.open(&sharing(1, "anna", None, None), now).unwrap();
    assert_eq!(ledger.draw(flow, u64::MAX, now), Draw::Granted(u64::MAX));
    // A limit that comes later holds at once, and one that goes is gone.
    ledger.set_user_rate(&"anna".into(), Some(MB), now);
    let half = burst(MB) / 2;
    assert_eq!(ledger.draw(flow, u64::MAX, now), Draw::Granted(half));
    assert!(matches!(ledger.draw(flow, 1, now), Draw::NotBefore(_)));
    ledger.set_user_rate(&"anna".into(), None, now);
    assert_eq!(ledger.draw(flow, 5, now), Draw::Granted(5));
    ledger.set_rate_of_all(Some(MB), now);
    assert_eq!(ledger.draw(flow, u64::MAX, now), Draw::Granted(half));
}

#[test]
fn coming_back_at_once_is_of_no_use_and_nothing_stays_behind() {
    let (mut ledger, start) = (Ledger::default(), Instant::now());
    let mut moved = 0;
    for n in 0..1000 {
        let flow = ledger
            .open(&sharing(n, "anna", Some(MB), None), start)
            .unwrap();
        if let Draw::Granted(bytes) = ledger.draw(flow, MB, start) {
            moved += bytes;
        }
        ledger.close(flow);
    }
    assert!(moved <= burst(MB), "{moved}");
    let later = start + Duration::from_secs(10);
    for n in 0..1000 {
        let flow = ledger.open(&sharing(n, "ben", None, None), later).unwrap();
        ledger.close(flow);
    }
    assert!(ledger.flows.is_empty());
    assert!(ledger.buckets.len() < 20, "{}", ledger.buckets.len());
    assert_eq!(ledger.names.len(), ledger.buckets.len());
    assert!(matches!(
        ledger.draw(FlowId(1), 1, later),
        Draw::NotBefore(_)
    ));
}
