//! The wheel alone: every level's boundaries, entries that move, slices, and time that jumps.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{LEVELS, Links, SLOTS, SPAN_BITS, Timers, TimersMut, Turn, Wheel};

#[derive(Default)]
struct Clocks {
    links: Vec<Links>,
    deadlines: Vec<u64>,
}

impl Timers for Clocks {
    fn links(&self, number: u32) -> Links {
        self.links[number as usize]
    }
    fn deadline(&self, number: u32, _: Links) -> u64 {
        self.deadlines[number as usize]
    }
}

impl TimersMut for Clocks {
    fn set_links(&mut self, number: u32, links: Links) {
        self.links[number as usize] = links;
    }
}

/// A wheel with its entries.
#[derive(Default)]
struct Rig {
    wheel: Wheel,
    clocks: Clocks,
}

impl Rig {
    fn at(now: u64) -> Self {
        let mut rig = Rig::default();
        rig.wheel.start_at(now);
        rig
    }

    fn add(&mut self, deadline: u64) -> u32 {
        self.clocks.links.push(Links::default());
        self.clocks.deadlines.push(deadline);
        let number = self.clocks.links.len() as u32 - 1;
        self.wheel.schedule(&mut self.clocks, number);
        number
    }

    /// Moves a deadline; true if the entry had to be linked anew.
    fn set(&mut self, number: u32, deadline: u64) -> bool {
        self.clocks.deadlines[number as usize] = deadline;
        self.wheel.reschedule(&mut self.clocks, number)
    }

    fn cancel(&mut self, number: u32) {
        self.wheel.cancel(&mut self.clocks, number);
    }

    fn turn(&mut self, now: u64) -> Turn {
        self.wheel.turn(&mut self.clocks, now)
    }

    /// All turns at `now`: what was due, and how many turns it took.
    fn run(&mut self, now: u64) -> (Vec<u32>, usize) {
        let (mut due, mut turns) = (Vec::new(), 0);
        loop {
            match self.turn(now) {
                Turn::Idle => break,
                Turn::Placed => {}
                Turn::Due(number) => due.push(number),
            }
            turns += 1;
        }
        self.wheel.check(&self.clocks);
        (due, turns)
    }

    fn due(&mut self, now: u64) -> Vec<u32> {
        self.run(now).0
    }
}

/// First and last ms of a slot, and first and last slot, of every level: ±1.
fn boundaries() -> Vec<u64> {
    let mut spans = vec![];
    for level in 0..=LEVELS as u32 {
        let span = 1_u64 << (SPAN_BITS * level);
        for edge in [span, 2 * span, (SLOTS as u64 - 1) * span, SLOTS as u64 * span] {
            spans.extend([edge - 1, edge, edge + 1].into_iter().filter(|&span| span > 0));
        }
    }
    spans
}

/// Starting times within the slots of every level: at the edges, and anywhere.
const STARTS: [u64; 6] = [0, 31, 32, 1_048_575, 1_700_000_000_000, 1_699_999_999_999 | 0x7fff_ffff];

#[test]
fn an_entry_is_due_at_its_deadline_and_not_before() {
    for start in STARTS {
        for span in boundaries() {
            let mut rig = Rig::at(start);
            let number = rig.add(start + span);
            assert_eq!(rig.due(start + span - 1), [], "start {start}, span {span}");
            assert_eq!(rig.due(start + span), [number], "start {start}, span {span}");
            assert_eq!((rig.wheel.len(), rig.wheel.next_turn()), (0, None));
        }
    }
}

#[test]
fn a_sleeper_who_wakes_at_next_turn_is_on_time_with_few_turns() {
    for start in STARTS {
        for span in boundaries() {
            let mut rig = Rig::at(start);
            let number = rig.add(start + span);
            let mut turns = 0;
            loop {
                let now = rig.wheel.next_turn().unwrap();
                assert!(now <= start + span, "start {start}, span {span}");
                let (due, more) = rig.run(now);
                assert!(more > 0, "something was to be done at {now}");
                turns += more;
                if due == [number] {
                    assert_eq!(now, start + span);
                    break;
                }
            }
            // Once a level; beyond the last level once for every 63 of its slots.
            assert!(turns <= LEVELS + 2 + (span >> 35) as usize, "{turns} turns for {span} ms");
        }
    }
}

#[test]
fn a_deadline_that_is_past_is_due_at_the_next_turn() {
    let mut rig = Rig::at(1_000);
    let (past, now) = (rig.add(10), rig.add(1_000));
    assert_eq!(rig.wheel.next_turn(), Some(1_000));
    let mut due = rig.due(1_000);
    due.sort_unstable();
    assert_eq!(due, [past, now]);
}

#[test]
fn deadlines_at_the_end_of_time_are_kept_and_met() {
    let end = i64::MAX as u64;
    let mut rig = Rig::at(1_700_000_000_000);
    let numbers = [rig.add(end), rig.add(end - 1)];
    assert_eq!(rig.due(1_700_000_000_000 + (1 << 40)), []);
    assert_eq!(rig.due(end - 1), [numbers[1]]);
    assert_eq!(rig.due(end), [numbers[0]]);
}

#[test]
fn moved_later_is_written_down_and_placed_when_the_old_slot_comes_due() {
    let mut rig = Rig::at(0);
    let number = rig.add(50);
    assert!(!rig.set(number, 5_000) && !rig.set(number, 3_000));
    assert_eq!(rig.run(49), (vec![], 0));
    assert_eq!(rig.run(50), (vec![], 1));
    assert_eq!(rig.due(2_999), []);
    assert_eq!(rig.due(3_000), [number]);
}

#[test]
fn moved_earlier_than_its_slot_is_linked_at_once() {
    let mut rig = Rig::at(0);
    let number = rig.add(5_000);
    assert!(rig.set(number, 20));
    assert_eq!(rig.due(19), []);
    assert_eq!(rig.due(20), [number]);
}

#[test]
fn moved_later_and_back_is_due_when_it_was() {
    let mut rig = Rig::at(0);
    let number = rig.add(50);
    rig.set(number, 100_000);
    assert!(!rig.set(number, 50));
    assert_eq!(rig.due(50), [number]);
}

#[test]
fn reset_later_after_the_slot_has_started() {
    let mut rig = Rig::at(0);
    let numbers: Vec<u32> = (0..4).map(|_| rig.add(100)).collect();
    let Turn::Due(first) = rig.turn(100) else { panic!("one of four is due") };
    for &number in numbers.iter().filter(|&&number| number != first) {
        rig.set(number, 130);
    }
    assert_eq!(rig.due(129), []);
    assert_eq!(rig.due(130).len(), 3);
}

#[test]
fn cancelled_while_its_slot_is_emptied() {
    let mut rig = Rig::at(0);
    let numbers: Vec<u32> = (0..100).map(|_| rig.add(70)).collect();
    let Turn::Due(first) = rig.turn(70) else { panic!("one of a hundred is due") };
    let cancelled: Vec<u32> = numbers.iter().copied().filter(|&n| n != first && n % 2 == 0).collect();
    cancelled.iter().for_each(|&number| rig.cancel(number));
    rig.wheel.check(&rig.clocks);
    let due = rig.due(70);
    assert!(due.iter().all(|number| !cancelled.contains(number)));
    assert_eq!(due.len(), 99 - cancelled.len());
    cancelled.iter().for_each(|&number| rig.cancel(number));
    assert_eq!(rig.wheel.len(), 0);
}

#[test]
fn added_while_a_slot_is_emptied_one_turn_a_call() {
    let mut rig = Rig::at(0);
    (0..200).for_each(|_| {
        rig.add(4_096);
    });
    let mut due = 0;
    for _ in 0..200 {
        due += usize::from(matches!(rig.turn(4_096), Turn::Due(_)));
        rig.wheel.check(&rig.clocks);
        // Due at once, due later in the same slots, and due in the next rotation.
        for span in [0, 1, 64, 4_096] {
            rig.add(4_096 + span);
        }
        due += usize::from(matches!(rig.turn(4_096), Turn::Due(_)));
    }
    assert_eq!(due + rig.due(4_096).len(), 400);
    assert_eq!(rig.due(4_097).len(), 200);
    assert_eq!(rig.due(8_192).len(), 400);
}

#[test]
fn a_second_run_at_the_same_time_does_nothing() {
    let mut rig = Rig::at(0);
    boundaries().into_iter().for_each(|span| {
        rig.add(span);
    });
    for now in [1, 64, 2_048, 1 << 21, 1 << 36] {
        rig.run(now);
        assert_eq!(rig.run(now), (vec![], 0));
        assert!(rig.wheel.next_turn().is_none_or(|next| next > now));
    }
}

#[test]
fn a_long_idle_gap_costs_nothing() {
    let mut rig = Rig::at(0);
    let number = rig.add(1 << 34);
    assert_eq!(rig.run((1 << 34) + 12_345), (vec![number], 1));
}

#[test]
fn a_full_slot_of_an_upper_level_makes_nobody_late() {
    // A hundred entries a millisecond for three seconds, a minute away: slots of level 2 with 100,000 entries.
    // Each takes three turns; the budget is not twice of that.
    let mut rig = Rig::at(7);
    for at in 0..300_000 {
        rig.add(60_000 + at / 100);
    }
    let mut late = 0;
    for now in 55_000..63_000 {
        for _ in 0..512 {
            match rig.turn(now) {
                Turn::Idle => break,
                Turn::Placed => {}
                Turn::Due(number) => late += now - rig.clocks.deadlines[number as usize],
            }
        }
    }
    assert_eq!((late, rig.wheel.len()), (0, 0));
}

#[test]
fn the_backlog_counts_what_is_due() {
    let mut rig = Rig::at(0);
    (1..=100).for_each(|deadline| {
        rig.add(deadline);
    });
    assert_eq!(rig.wheel.backlog(40), 40);
    (0..10).for_each(|_| {
        rig.turn(40);
    });
    assert_eq!(rig.wheel.backlog(40), 30);
    rig.run(40);
    assert_eq!(rig.wheel.backlog(40), 0);
}

#[derive(Clone, Debug)]
enum Operation {
    Add(u64),
    Move(usize, u64),
    Cancel(usize),
    Pass(u64),
    Turns(usize),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let span = || {
        let (edges, some) = (proptest::sample::select(boundaries()), 0..100_000_u64);
        prop_oneof![edges, some, 0..100_u64]
    };
    let operation = prop_oneof![
        4 => span().prop_map(Operation::Add),
        3 => (any::<usize>(), span()).prop_map(|(which, span)| Operation::Move(which, span)),
        1 => any::<usize>().prop_map(Operation::Cancel),
        3 => span().prop_map(Operation::Pass),
        3 => (1..20_usize).prop_map(Operation::Turns),
    ];
    vec(operation, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_wheel_behaves_like_a_sorted_list(operations in operations()) {
        let mut now = 1_700_000_000_000;
        let mut rig = Rig::at(now);
        let mut model = BTreeMap::new();
        for operation in operations {
            let nth = |which: usize| model.keys().copied().nth(which % model.len().max(1));
            match operation {
                Operation::Add(span) => {
 model.insert(rig.add(now + span), now + span);
},
                Operation::Move(which, span) => if let Some(number) = nth(which) {
                    rig.set(number, now + span);
                    model.insert(number, now + span);
                },
                Operation::Cancel(which) => if let Some(number) = nth(which) {
                    rig.cancel(number);
                    model.remove(&number);
                },
                Operation::Pass(span) => now += span,
                Operation::Turns(turns) => for _ in 0..turns {
                    if let Turn::Due(number) = rig.turn(now) {
                        prop_assert!(model.remove(&number).unwrap() <= now);
                    }
                },
            }
            rig.wheel.check(&rig.clocks);
            prop_assert_eq!(rig.wheel.len(), model.len());
            let due = model.values().filter(|&&deadline| deadline <= now).count();
            prop_assert!(rig.wheel.backlog(now) >= due);
            prop_assert_eq!(rig.wheel.due(&rig.clocks, now), due);
            let next = rig.wheel.next_turn();
            prop_assert!(model.values().min().is_none_or(|&first| next.unwrap() <= first.max(now)));
        }
        for number in rig.due(now) {
            prop_assert!(model.remove(&number).unwrap() <= now);
        }
        prop_assert!(model.values().all(|&deadline| deadline > now));
    }
}
