//! Asks each member all the time whether it is there, and so knows who was away when, and with whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tune_testkit::etcd::{Cluster, Status, status};

use super::NAMES;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(50);
/// A member that has taken the question is up, however long a loaded machine lets it wait.
const ANSWER: Duration = Duration::from_secs(30);

/// Somebody who looks.
pub(super) struct Observer {
    end: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    threads: Vec<JoinHandle<()>>,
}

/// What was seen.
#[derive(Default)]
struct Seen {
    downs: BTreeMap<String, Vec<Down>>,
    ids: BTreeMap<String, String>,
    leaders: Vec<(Instant, String)>,
}

/// A time during which a member did not answer: from its last answer to the first question that it answered again.
struct Down {
    from: Instant,
    until: Option<Instant>,
}

impl Observer {
    /// Begins to look.
    pub(super) fn start(cluster: &'static Cluster) -> Observer {
        let (end, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let look = |name: &'static str| {
            let (end, seen) = (Arc::clone(&end), Arc::clone(&seen));
            thread::spawn(move || look(cluster, name, &end, &seen))
        };
        let threads = cluster.members().keys().map(|name| look(name)).collect();
        Observer { end, seen, threads }
    }

    /// Stops, and fails unless each of `members` was away once and no other was, and never two of them together.
    /// Returns them in the order in which they went.
    #[track_caller]
    pub(super) fn finish(self, members: &[&str]) -> Vec<String> {
        self.end.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let seen = self.seen.lock().unwrap();
        let mut downs: Vec<(&str, &Down)> =
            seen.downs.iter().flat_map(|(name, downs)| downs.iter().map(|down| (name.as_str(), down))).collect();
        downs.sort_by_key(|(_, down)| down.from);
        for (name, down) in &downs {
            println!("{name} was away for {:?}", down.until.map(|until| until - down.from));
        }
        let away: Vec<&str> = downs.iter().map(|(name, _)| *name).collect();
        let sorted: Vec<&str> = away.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        assert_eq!(sorted, members, "who was away");
        assert_eq!(away.len(), members.len(), "somebody was away twice: {away:?}");
        for pair in downs.windows(2) {
            let [(one, before), (other, after)] = pair else { unreachable!("windows of two") };
            let together = before.until.is_none_or(|until| until > after.from);
            assert!(!together, "`{one}` and `{other}` were away together");
        }
        // Where everybody was taken, the leader was the last.
        if let [.., (last, down)] = downs.as_slice()
            && downs.len() == NAMES.len()
        {
            seen.assert_leads(last, down.from);
        }
        away.into_iter().map(str::to_owned).collect()
    }
}

impl Seen {
    /// Fails unless a member led until it went. A cluster that elected somebody else meanwhile for reasons of its own has
    /// changed its mind after the order was made, and then nothing can be said.
    #[track_caller]
    fn assert_leads(&self, name: &str, at: Instant) {
        let leaders: BTreeSet<&String> =
            self.leaders.iter().filter(|(when, _)| *when <= at).map(|(_, id)| id).collect();
        let id = &self.ids[name];
        println!("{} leader(s) until `{name}` went", leaders.len());
        assert!(leaders.contains(id), "`{name}` went last and never led");
    }
}

fn look(cluster: &'static Cluster, name: &'static str, end: &AtomicBool, seen: &Mutex<Seen>) {
    cluster.lab().enter_network();
    let at = cluster.members()[name];
    let mut last = Instant::now();
    let mut is_up = true;
    while !end.load(Ordering::SeqCst) {
        let asked = Instant::now();
        let answer = status(at, ANSWER);
        let mut seen = seen.lock().unwrap();
        match answer {
            Ok(Status { id, leader, .. }) => {
                if !is_up && let Some(down) = seen.downs.get_mut(name).and_then(|downs| downs.last_mut()) {
                    down.until = Some(asked);
                }
                seen.ids.insert(name.to_owned(), id);
                if let Some(leader) = leader
                    && seen.leaders.last().is_none_or(|(_, known)| *known != leader)
                {
                    seen.leaders.push((asked, leader));
                }
                (is_up, last) = (true, Instant::now());
            }
            Err(_) if is_up => {
                seen.downs.entry(name.to_owned()).or_default().push(Down { from: last, until: None });
                is_up = false;
            }
            Err(_) => {}
        }
        drop(seen);
        thread::sleep(PAUSE);
    }
}
