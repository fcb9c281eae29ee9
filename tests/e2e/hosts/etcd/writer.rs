//! Writes to the cluster without a pause, through any member that takes it, and remembers what was acknowledged.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tune_testkit::etcd::{Cluster, put, range};

use super::LONG;

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(20);
/// A write that takes longer is given up: it is not acknowledged, whatever becomes of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Keys that are read at once.
const PAGE: usize = 2000;

/// Somebody who writes. Stopped when it is dropped.
pub(super) struct Writer {
    cluster: &'static Cluster,
    prefix: String,
    end: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    thread: Option<JoinHandle<Written>>,
}

/// What was acknowledged.
#[derive(Default)]
pub(super) struct Written {
    entries: BTreeMap<String, String>,
    refused: usize,
    longest_gap: Duration,
}

impl Writer {
    /// Begins to write.
    pub(super) fn start(cluster: &'static Cluster) -> Writer {
        static WRITERS: AtomicUsize = AtomicUsize::new(0);
        let prefix = format!("writer-{}/", WRITERS.fetch_add(1, Ordering::SeqCst));
        let (end, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let work = (prefix.clone(), Arc::clone(&end), Arc::clone(&acknowledged));
        let thread = thread::spawn(move || {
            cluster.lab().enter_network();
            let (prefix, end, acknowledged) = work;
            write(cluster, &prefix, &end, &acknowledged)
        });
        Writer { cluster, prefix, end, acknowledged, thread: Some(thread) }
    }

    /// How many writes were acknowledged so far.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Stops, and fails unless every acknowledged write is there: at once where a majority answers, and soon on each
    /// member for itself.
    #[track_caller]
    pub(super) fn finish(mut self) {
        self.end.store(true, Ordering::SeqCst);
        let written = self.thread.take().unwrap().join().unwrap();
        assert!(!written.entries.is_empty(), "nothing was written at all");
        for (name, at) in self.cluster.members() {
            let lost = self.lost(&written, *at, false);
            assert!(lost.is_empty(), "`{name}` has lost {} acknowledged writes: {lost:?}", lost.len());
            let start = Instant::now();
            while !self.lost(&written, *at, true).is_empty() {
                assert!(start.elapsed() < LONG, "`{name}` does not catch up");
                thread::sleep(Duration::from_millis(100));
            }
        }
        let Written { entries, refused, longest_gap } = written;
        println!(
            "{} writes acknowledged, none lost; {refused} refused; at most {longest_gap:?} between two",
            entries.len()
        );
    }

    /// Returns the acknowledged writes that a member does not know.
    fn lost(&self, written: &Written, at: SocketAddr, own: bool) -> Vec<String> {
        let end = format!("{}~", self.prefix);
        let found = self.cluster.within(|| {
            let mut found = BTreeMap::new();
            let mut from = self.prefix.clone();
            loop {
                let page = range(at, &from, &end, PAGE, own).unwrap();
                let Some((last, _)) = page.last() else { return found };
                from = format!("{last}!");
                found.extend(page);
            }
        });
        written
            .entries
            .iter()
            .filter(|(key, value)| found.get(*key) != Some(value))
            .map(|(key, _)| key.clone())
            .collect()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(cluster: &Cluster, prefix: &str, end: &AtomicBool, acknowledged: &AtomicUsize) -> Written {
    let mut written = Written::default();
    let mut members = cluster.members().values().cycle();
    let (mut number, mut last) = (0, Instant::now());
    while !end.load(Ordering::SeqCst) {
        // Each number is tried once: a second try would hide that the first was lost.
        let (key, value) = (format!("{prefix}{number:08}"), format!("value {number}"));
        number += 1;
        match put(*members.next().unwrap(), &key, &value, PATIENCE) {
            Ok(()) => {
                written.entries.insert(key, value);
                written.longest_gap = written.longest_gap.max(last.elapsed());
                last = Instant::now();
                acknowledged.fetch_add(1, Ordering::SeqCst);
            }
            Err(_) => written.refused += 1,
        }
        thread::sleep(PAUSE);
    }
    written
}
