//! The local store under damage: cut and flipped databases, killed processes, missing and older copies, a full disk.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::values::{begin, change, holder, run_record, settle, state_after, with_items};
use tune_core::journal::Event;
use tune_core::state::{RunResult, State};
use tune_engine::local::{self, Export, LocalStore};
use tune_engine::{Store, StoreError};

fn open(dir: &Path) -> Result<LocalStore, StoreError> {
    LocalStore::open(dir, &holder(), Duration::ZERO)
}

/// Makes a store with three finished runs and, if asked for, an open one.
fn filled(dir: &Path, open_run: bool) -> State {
    let mut store = open(dir).unwrap();
    for run in 1..=3 {
        store.append(&[begin(run), change(1, run), settle(1), Event::End(RunResult::Done)]).unwrap();
        store.commit(with_items(run, 20), run_record(run)).unwrap().export.unwrap();
    }
    if open_run {
        store.append(&[begin(4), change(1, 4)]).unwrap();
    }
    store.state().clone()
}

#[test]
fn what_was_stored_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = filled(dir.path(), true);
    let store = open(dir.path()).unwrap();
    assert_eq!(*store.state(), state);
    assert_eq!(store.runs().iter().map(|run| run.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(store.open_run().unwrap(), [begin(4), change(1, 4)]);
    assert!(store.warnings().is_empty(), "{:?}", store.warnings());
}

#[test]
fn the_whole_history_is_there_however_it_came_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let mut history = Vec::new();
    for run in 1..=12 {
        // Some in one process, some each in its own, the last ones on top of an import.
        let mut store = open(dir.path()).unwrap();
        assert_eq!((store.runs(), store.warnings()), (&history[..], &[][..]));
        for run in run * 3 - 2..=run * 3 {
            history.push(run_record(run));
            store.append(&[begin(run), Event::End(RunResult::Done)]).unwrap();
            store.commit(with_items(run, 3), run_record(run)).unwrap().export.unwrap();
            assert_eq!(store.runs(), history);
        }
        let state = State { serial: store.state().serial + 1, ..store.state().clone() };
        store.replace(state).unwrap().export.unwrap();
        assert_eq!(store.runs(), history, "a state that is replaced leaves the history alone");
        if run == 8 {
            let export = store.to_export();
            drop(store);
            local::import(dir.path(), &holder(), Duration::ZERO, &export).unwrap();
        }
    }
    // The database alone knows all of it, and so does the export alone.
    for lost in ["state.json", "db"] {
        let path = dir.path().join(".tune").join(lost);
        let remove = if path.is_dir() { fs::remove_dir_all::<&Path> } else { fs::remove_file };
        remove(&path).unwrap();
        assert_eq!(open(dir.path()).unwrap().runs(), history, "without {lost}");
    }
}

#[test]
fn nobody_else_may_look_into_the_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), false);
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".tune"), mode(".tune/state.json"), mode(".tune/lock")), (0o700, 0o600, 0o600));
}

#[test]
fn sequence_numbers_grow_from_one_process_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap().next_sequence();
    let mut store = open(dir.path()).unwrap();
    let (second, third) = (store.next_sequence(), store.next_sequence());
    assert!(first < second && second < third);
}

#[test]
fn planning_reads_the_export_and_creates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(local::read_export(dir.path()).unwrap(), None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let state = filled(dir.path(), true);
    let export = local::read_export(dir.path()).unwrap().unwrap();
    assert_eq!(export.state, state);
    assert_eq!(export.open_run.as_ref().unwrap().number, 4);
    // What the open run has left on the hosts is this state's own, and no sign of an older copy.
    assert_eq!(export.seen(), State { last_run: 4, lineage: "lineage".to_owned(), ..state });
}

#[test]
fn a_run_in_the_export_is_open_only_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), false);
    assert_eq!(local::read_export(dir.path()).unwrap().unwrap().open_run, None);
}

#[test]
fn the_last_five_exports_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path()).unwrap();
    for run in 1..=7 {
        store.append(&[begin(run)]).unwrap();
        store.commit(with_items(run, 1), run_record(run)).unwrap().export.unwrap();
    }
    let mut kept: Vec<String> = names(&dir.path().join(".tune"));
    kept.retain(|name| name.starts_with("state."));
    assert_eq!(kept, ["state.3.json", "state.4.json", "state.5.json", "state.6.json", "state.7.json", "state.json"]);
}

/// Damages a copy of the store's database and returns what opening it said.
fn damaged(whole: &Path, damage: impl FnOnce(&Path)) -> (tempfile::TempDir, Result<LocalStore, StoreError>) {
    let copy = tempfile::tempdir().unwrap();
    copy_all(whole, copy.path());
    damage(&copy.path().join(".tune/db"));
    let opened = open(copy.path());
    (copy, opened)
}

#[test]
fn a_damaged_database_never_gives_a_wrong_state() {
    let dir = tempfile::tempdir().unwrap();
    let state = filled(dir.path(), false);
    let size = fs::metadata(dir.path().join(".tune/db/db")).unwrap().len();
    for cut in [0, 1, 4096, size / 4, size / 2, size - 1000, size - 1] {
        let (_copy, opened) = damaged(dir.path(), |db| {
            fs::File::options().write(true).open(db.join("db")).unwrap().set_len(cut).unwrap();
        });
        assert_eq!(*opened.unwrap().state(), state, "cut at {cut}");
    }
    let mut noticed = 0;
    for step in 0..40 {
        let position = usize::try_from(size).unwrap() * step / 40;
        let (_copy, opened) = damaged(dir.path(), |db| {
            let mut bytes = fs::read(db.join("db")).unwrap();
            bytes[position] ^= 0x10;
            fs::write(db.join("db"), bytes).unwrap();
        });
        let store = opened.unwrap();
        assert_eq!(*store.state(), state, "flipped at {position}");
        noticed += usize::from(!store.warnings().is_empty());
    }
    assert!(noticed > 0, "some of these bits matter");
}

#[test]
fn snapshots_that_were_cut_off_are_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let state = filled(dir.path(), true);
    for name in ["snap.0000000000000001", "snap.0000000000000002.generating"] {
        let (copy, opened) = damaged(dir.path(), |db| fs::write(db.join(name), "").unwrap());
        let store = opened.unwrap();
        assert_eq!(*store.state(), state);
        assert_eq!(store.open_run().unwrap().len(), 2, "the journal is still there");
        if let [warning] = store.warnings() {
            assert!(warning.contains("nothing is lost"), "{warning}");
            assert!(copy.path().join(".tune/damaged-1").is_dir());
        }
    }
}

#[test]
fn a_journal_that_is_lost_is_said_and_its_number_is_not_given_again() {
    let dir = tempfile::tempdir().unwrap();
    let before = filled(dir.path(), true);
    fs::remove_dir_all(dir.path().join(".tune/db")).unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!(store.state().items, before.items);
    assert_eq!((store.state().last_run, store.open_run()), (4, None));
    assert_eq!(store.runs().last().map(|run| (run.number, run.result)), Some((4, RunResult::Stuck)));
    let said = store.warnings().join("\n");
    assert!(said.contains("was missing; it was rebuilt from the export at serial 3"), "{said}");
    assert!(said.contains("The journal of run 4 (`apply`"), "{said}");
    drop(store);
    assert!(open(dir.path()).unwrap().warnings().is_empty());
}

#[test]
fn without_any_copy_damage_is_an_error_and_nothing_is_thrown_away() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), false);
    let folder = dir.path().join(".tune");
    for name in names(&folder).iter().filter(|name| name.starts_with("state.")) {
        fs::remove_file(folder.join(name)).unwrap();
    }
    let bytes = fs::read(folder.join("db/db")).unwrap();
    fs::write(folder.join("db/db"), vec![0xff; bytes.len()]).unwrap();
    match open(dir.path()) {
        Err(StoreError::Damaged { what, .. }) => assert!(what.contains("no export to rebuild it from"), "{what}"),
        // sled may take a log of noise for an empty one; then nothing is known and nothing is claimed.
        Ok(store) => assert_eq!(*store.state(), State::default()),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_missing_or_damaged_export_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let state = filled(dir.path(), false);
    let path = dir.path().join(".tune/state.json");
    fs::remove_file(&path).unwrap();
    assert!(matches!(local::read_export(dir.path()), Err(StoreError::Damaged { .. })));
    drop(open(dir.path()).unwrap());
    assert_eq!(local::read_export(dir.path()).unwrap().unwrap().state, state);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"60\"", "\"61\"", 1)).unwrap();
    let refused = local::read_export(dir.path()).unwrap_err();
    assert!(refused.to_string().contains("does not match its checksum"), "{refused}");
    let store = open(dir.path()).unwrap();
    assert_eq!(*store.state(), state);
    assert!(store.warnings()[0].contains("is damaged"), "{:?}", store.warnings());
    assert_eq!(local::read_export(dir.path()).unwrap().unwrap().state, state);
}

#[test]
fn an_older_copy_that_was_put_back_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), false);
    let older = tempfile::tempdir().unwrap();
    copy_all(dir.path(), older.path());
    let mut store = open(dir.path()).unwrap();
    store.append(&[begin(4)]).unwrap();
    store.commit(with_items(4, 20), run_record(4)).unwrap().export.unwrap();
    let newest = store.state().clone();
    drop(store);

    // The database alone: the export knows better.
    let folder = dir.path().join(".tune");
    fs::remove_dir_all(folder.join("db")).unwrap();
    copy_all(&older.path().join(".tune/db"), &folder.join("db"));
    let store = open(dir.path()).unwrap();
    assert_eq!(*store.state(), newest);
    assert!(store.warnings()[0].contains("had fallen behind, at serial 3"), "{:?}", store.warnings());
    drop(store);

    // The export alone: the database knows better.
    fs::copy(older.path().join(".tune/state.json"), folder.join("state.json")).unwrap();
    assert_eq!(*open(dir.path()).unwrap().state(), newest);
    assert_eq!(local::read_export(dir.path()).unwrap().unwrap().state, newest);

    // Both: the exports that are kept under their serial know better, and importing one is the way out.
    fs::remove_dir_all(folder.join("db")).unwrap();
    copy_all(&older.path().join(".tune/db"), &folder.join("db"));
    fs::copy(older.path().join(".tune/state.json"), folder.join("state.json")).unwrap();
    let Err(StoreError::Older { have: 3, seen: 4, newest: path, .. }) = open(dir.path()) else {
        panic!("an older copy was taken")
    };
    let export = local::parse_export(&path, &fs::read_to_string(&path).unwrap()).unwrap();
    local::import(dir.path(), &holder(), Duration::ZERO, &export).unwrap();
    let store = open(dir.path()).unwrap();
    assert_eq!((&store.state().items, store.state().serial), (&newest.items, 5));
}

#[test]
fn two_states_with_one_serial_are_not_mixed() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    filled(one.path(), false);
    copy_all(one.path(), other.path());
    for (dir, items) in [(&one, 5), (&other, 6)] {
        let mut store = open(dir.path()).unwrap();
        store.append(&[begin(4)]).unwrap();
        store.commit(with_items(4, items), run_record(4)).unwrap().export.unwrap();
    }
    fs::copy(other.path().join(".tune/state.json"), one.path().join(".tune/state.json")).unwrap();
    let refused = open(one.path()).unwrap_err();
    assert!(refused.to_string().contains("differs from the database at the same serial 4"), "{refused}");
}

#[test]
fn an_import_replaces_everything_but_an_open_run() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), true);
    let export = Export { state: with_items(1, 2), ..Export::default() };
    let refused = local::import(dir.path(), &holder(), Duration::ZERO, &export).unwrap_err();
    assert_eq!(refused.to_string(), "run 4 is still open");

    let empty = tempfile::tempdir().unwrap();
    local::import(empty.path(), &holder(), Duration::ZERO, &export).unwrap();
    let store = open(empty.path()).unwrap();
    assert_eq!(*store.state(), export.state);
    assert!(store.warnings().is_empty(), "{:?}", store.warnings());
}

#[test]
fn an_open_run_forbids_to_replace_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let state = filled(dir.path(), true);
    let refused = open(dir.path()).unwrap().replace(state).unwrap_err();
    assert!(matches!(refused, StoreError::OpenRun { number: 4 }), "{refused}");
}

#[test]
fn a_newer_export_is_refused_with_both_versions() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), false);
    let path = dir.path().join(".tune/state.json");
    fs::write(&path, "{ \"version\": 7, \"shape\": \"unheard of\" }").unwrap();
    for refused in [local::read_export(dir.path()).unwrap_err(), open(dir.path()).unwrap_err()] {
        assert!(matches!(refused, StoreError::Newer { found: 7, known: 1, .. }), "{refused}");
    }
}

#[test]
fn every_prefix_of_a_journal_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let events = [begin(1), change(1, 1), change(2, 1), settle(1), Event::Undo { step: 1 }, settle(2)];
    let mut store = open(dir.path()).unwrap();
    for length in 1..=events.len() {
        store.append(&events[length - 1..length]).unwrap();
        drop(store);
        store = open(dir.path()).unwrap();
        assert_eq!(store.open_run().unwrap(), &events[..length]);
    }
}

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    if let Ok(dir) = std::env::var("TUNE_TEST_WRITER") {
        write_until_killed(Path::new(&dir));
    }
    for round in 0..12_u64 {
        let dir = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "damage::what_a_killed_process_acknowledged_is_there", "--nocapture"])
            .env("TUNE_TEST_WRITER", dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let acknowledged = read_until(&mut child, 3 + 7 * round);
        let mut store = open(dir.path()).unwrap();
        assert!(store.warnings().is_empty(), "{:?}", store.warnings());
        let known = store.state().last_run * 3 + store.open_run().map_or(0, <[Event]>::len) as u64;
        assert!(known >= acknowledged, "{known} of {acknowledged} acknowledged writes are there");
        assert_eq!(*store.state(), state_after(store.state().last_run));
        assert!(!names(&dir.path().join(".tune")).iter().any(|name| name.starts_with(".unfinished")));
        // The dead process's lock is no obstacle, and the run can be gone on with.
        if store.open_run().is_none() {
            let next = store.state().last_run + 1;
            store.append(&[begin(next)]).unwrap();
        }
    }
}

/// Runs that end at once, three durable writes each; says after each write that it returned.
fn write_until_killed(dir: &Path) -> ! {
    let mut store = open(dir).unwrap();
    for run in 1.. {
        store.append(&[begin(run)]).unwrap();
        println!("written");
        store.append(&[change(1, run)]).unwrap();
        println!("written");
        store.commit(state_after(run), run_record(run)).unwrap().export.unwrap();
        println!("written");
    }
    unreachable!("the parent kills this process")
}

fn read_until(child: &mut std::process::Child, lines: u64) -> u64 {
    use std::io::BufRead as _;
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut seen = 0;
    let mut output = output.lines().map_while(Result::ok).filter(|line| line.ends_with("written"));
    while seen < lines && output.next().is_some() {
        seen += 1;
    }
    child.kill().unwrap();
    seen += output.count() as u64;
    child.wait().unwrap();
    seen
}

#[test]
fn the_lock_of_a_living_process_holds_and_that_of_a_dead_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let refused = open(dir.path()).unwrap_err();
    assert!(matches!(&refused, StoreError::Locked { holder } if holder.contains("tester@desk")), "{refused}");
    assert!(matches!(local::unlock(dir.path()), Err(StoreError::Locked { .. })));
    drop(store);
    assert_eq!(local::unlock(dir.path()).unwrap(), None);
    open(dir.path()).unwrap();
}

/// A file system of a few pages, in a mount namespace of its own, filled up to the brim before each write.
#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    if let Ok(dir) = std::env::var("TUNE_TEST_FULL") {
        return on_a_small_disk(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=6m none \"$TUNE_TEST_FULL\" && exec \"$0\" --exact \
                  damage::a_full_disk_is_a_clear_error_and_loses_nothing --nocapture";
    let ran = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("TUNE_TEST_FULL", dir.path())
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    if !ran.status.success() && !said.contains("running 1 test") {
        println!("skipped: this machine lets nobody mount in a namespace: {complained}");
        return;
    }
    assert!(ran.status.success(), "{said}{complained}");
    println!("{said}");
}

fn on_a_small_disk(dir: &Path) {
    let state = filled(dir, false);
    let free = |pages: usize| {
        let ballast = dir.join("ballast");
        let _ = fs::remove_file(&ballast);
        let mut size = 8 << 20;
        while size > 0 {
            let mut bytes = fs::read(&ballast).unwrap_or_default();
            bytes.resize(bytes.len() + size, 1);
            if fs::write(&ballast, &bytes).is_err() {
                bytes.truncate(bytes.len() - size);
                fs::write(&ballast, &bytes).unwrap();
                size /= 2;
            }
        }
        let full = fs::metadata(&ballast).unwrap().len();
        let left = full.saturating_sub(pages as u64 * 4096);
        fs::File::options().write(true).open(&ballast).unwrap().set_len(left).unwrap();
    };
    let mut refused = 0;
    for pages in 0..12 {
        free(pages);
        let outcome = open(dir).and_then(|mut store| {
            store.append(&[begin(4), change(1, 4)])?;
            store.append(&[settle(1)])
        });
        refused += usize::from(outcome.is_err());
        if let Err(error) = outcome {
            let text = format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
            println!("{pages} free pages: {text}");
            assert!(text.contains("No space left"), "{text}");
        }
        fs::remove_file(dir.join("ballast")).unwrap();
        let mut store = open(dir).unwrap();
        assert_eq!(store.state().items, state.items);
        if store.open_run().is_some() {
            let next = State { serial: store.state().serial + 1, ..store.state().clone() };
            store.commit(next, run_record(4)).unwrap().export.unwrap();
        }
        if store.runs().iter().any(|run| run.number == 4) {
            break;
        }
    }
    assert!(refused > 0, "the disk was never full");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
