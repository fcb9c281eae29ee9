//! The script that writes a batch, and the restore that it leaves behind when a write may cut the connection.

use std::fmt::Write as _;

use tune_core::contract::{Batch, BatchItem};
use tune_core::ledger::Ledger;

use crate::kind::{HostKinds, Target};
use crate::ledger;
use crate::script::form::{Contents, form, impossible, place};
use crate::script::quote::quote;
use crate::script::read::{directories, epoch, restore_name, target};
use crate::script::{
    ANSWER, APPLY, COMMON, Ground, HOME, Header, ITEM, LOCK, RESTORE, RESTORE_MAIN, WATCH, undo, whole,
};

/// Returns the script for a batch. `patience` is how long it waits for the host's lock, in seconds.
pub(crate) fn script(
    ground: &Ground,
    nonce: &str,
    holder: &str,
    batch: &Batch,
    kinds: &HostKinds,
    patience: u64,
) -> String {
    let header = Header { ground, lineage: &batch.lineage, holder };
    let items: Vec<(&BatchItem, Result<Target, &'static str>)> =
        batch.items.iter().map(|item| (item, writable_target(item, kinds))).collect();
    let mut contents = Contents::default();
    let mut pair = |ledger: &Ledger| {
        let json = contents.add(ledger::to_json(ledger));
        format!("{json} {}", contents.add(undo::script(&header, ledger, kinds)))
    };
    let record = pair(&batch.ledger);
    let settle = match &batch.ledger_after {
        None => "remove".to_owned(),
        Some(after) if *after == batch.ledger => "keep".to_owned(),
        Some(after) => format!("replace {}", pair(after)),
    };

    let epoch_word = epoch(batch.epoch);
    let mut main = format!("say begin\nbegin {epoch_word} {patience}");
    for directory in directories(items.iter().filter_map(|(_, target)| target.as_ref().ok())) {
        let _ = write!(main, " {}", quote(&format!("{}{directory}", ground.root)));
    }
    let _ = write!(main, "\nrecord {record}\n");
    if let Some(after) = batch.restore_after {
        let script = contents.add(restore(&header, batch, &items, after.as_secs()));
        let _ = writeln!(main, "arm {script}");
    }
    let _ = writeln!(main, "start {epoch_word} {}", batch.deadline.as_secs().max(1));
    for (index, (item, target)) in items.iter().enumerate() {
        match target {
            Ok(target) => {
                let before = form(&item.change.before, &mut contents);
                let after = form(&item.change.after, &mut contents);
                let _ =
                    writeln!(main, "change {index} {} {before} {after} {}", item.group, place(target, &ground.root));
            }
            Err(why) => {
                let _ = writeln!(main, "impossible {index} {} {}", item.group, quote(why));
            }
        }
    }
    let _ = writeln!(main, "settle {settle}");
    let parts = [COMMON, ANSWER, LOCK, ITEM, HOME, WATCH, APPLY, RESTORE];
    whole(&header.text(), nonce, &parts, &contents.function(), &main)
}

fn writable_target(item: &BatchItem, kinds: &HostKinds) -> Result<Target, &'static str> {
    let kind = kinds.get(item.kind.as_str()).ok_or("no kind of that name lives on hosts")?;
    let target = target(kind.as_ref(), &item.key).ok_or("the key names no place on a host")?;
    let change = &item.change;
    match impossible(&target, &change.before).or_else(|| impossible(&target, &change.after)) {
        Some(why) => Err(why),
        None => Ok(target),
    }
}

/// The script that puts a batch back by itself, last item first.
fn restore(
    header: &Header<'_>,
    batch: &Batch,
    items: &[(&BatchItem, Result<Target, &'static str>)],
    seconds: u64,
) -> String {
    let mut contents = Contents::default();
    let mut body = String::new();
    for (item, target) in items.iter().rev() {
        if let Ok(target) = target {
            let before = form(&item.change.before, &mut contents);
            let after = form(&item.change.after, &mut contents);
            let _ = writeln!(body, "  put_back {before} {after} {}", place(target, &header.ground.root));
        }
    }
    let name = restore_name(batch.epoch);
    let holder = format!("{name} of {}", header.holder);
    let header = Header { holder: &holder, ..header.clone() };
    let mut text = format!("# {name}\n{}name={}\narmed=\"$run/restore.$lineage\"\n", header.text(), quote(&name));
    let _ = writeln!(text, "epoch_of_batch={}", epoch(batch.epoch));
    for part in [COMMON, LOCK, ITEM, HOME, RESTORE_MAIN] {
        text.push_str(part);
    }
    text.push_str(&contents.function());
    // The watchdog ends the batch soon after its deadline; only a process that nobody reaps is there longer.
    let limit = batch.deadline.as_secs() + 15;
    let _ = write!(text, "restore_items() {{\n  :\n{body}}}\n");
    let _ = writeln!(text, "if [ \"$1\" = now ]; then restore_now; else restore_later {seconds} {limit} \"$1\"; fi");
    text
}
