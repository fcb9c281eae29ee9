//! The sweep of one small rollout: every call that a run makes × everything that can go wrong with it, once where all goes
//! well and once where a member fails and is put back. `TUNE_SWEEP=all` tries all of them, otherwise one in a few.

use std::collections::BTreeMap;
use std::env;

use tune_testkit::faults::{Call, Fate, Fault, Seen, name};

use crate::action::Action;
use crate::build::Blueprint;
use crate::play::play;

/// Which cases the ordinary test tries: a prime, so that every fault meets every kind of call.
const STRIDE: usize = 29;

fn story(is_bad: bool, key: &'static str) -> Vec<Action> {
    let machines = ["m0", "m1", "m2"].map(str::to_owned).to_vec();
    let mut story = vec![Action::Want { machines, key, value: "v1" }];
    if is_bad {
        story.push(Action::Want { machines: vec!["m1".to_owned()], key, value: "bad" });
    }
    story
}

fn every_fault(seen: &Seen) -> Vec<Fault> {
    let then = Fate::Dies;
    let killed = |after| Fault::Killed { after, then };
    match seen.moment.call {
        Call::Journal | Call::Commit => vec![Fault::Refused, Fault::Lost { after: 1, then }, killed(0), killed(1)],
        Call::Export => vec![Fault::Refused, killed(0)],
        // A stage for the lock, one for each ledger, one per item.
        _ => {
            let all = seen.items + 3;
            let mut faults = vec![Fault::Refused, Fault::Lost { after: all, then }, killed(0), killed(all)];
            faults.extend([Fault::Hang { after: 0 }, Fault::Hang { after: all }]);
            if matches!(seen.moment.call, Call::Activate(_) | Call::Apply(_)) {
                faults.push(Fault::Lost { after: 0, then: Fate::StartsLate { calls: 20 } });
            }
            faults
        }
    }
}

#[test]
fn every_call_of_a_small_rollout_fails_once() {
    let stride = if env::var("TUNE_SWEEP").is_ok_and(|sweep| sweep == "all") { 1 } else { STRIDE };
    let blueprint = Blueprint::three();
    let (mut cases, mut tried) = (0_usize, 0_usize);
    let mut faults: BTreeMap<&str, usize> = BTreeMap::new();
    for (is_bad, key) in [(false, "boot.a"), (true, "boot.a"), (false, "image.a"), (true, "restart.a")] {
        let mut whole = story(is_bad, key);
        whole.push(Action::Apply(Vec::new()));
        let calls = play(&blueprint, &whole, false).calls;
        assert!(calls.len() > 20, "the rollout makes only {} calls", calls.len());
        for seen in calls {
            for fault in every_fault(&seen) {
                cases += 1;
                if cases % stride != 0 {
                    continue;
                }
                let mut story = story(is_bad, key);
                story.extend([Action::Fault(seen.moment.clone(), fault), Action::Apply(Vec::new())]);
                let played = play(&blueprint, &story, false);
                if let Err(what) = played.result {
                    panic!("{:?} at {:?}, {key}, bad: {is_bad}: {what}", fault, seen.moment);
                }
                *faults.entry(name(&fault)).or_default() += 1;
                tried += 1;
            }
        }
    }
    eprintln!("sweep of a small rollout: {tried} of {cases} cases tried: {faults:?}");
}
