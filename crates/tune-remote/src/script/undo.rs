//! `undo.sh`, the script that every managed host carries: it puts everything back without `tune`.

use std::fmt::Write as _;

use tune_core::item::ItemKey;
use tune_core::ledger::{Ledger, LedgerEntry};

use crate::kind::{HostKinds, Target};
use crate::script::form::{Contents, form, impossible, place};
use crate::script::quote::quote;
use crate::script::read::target;
use crate::script::{COMMON, HOME, Header, ITEM, LOCK, UNDO, UNDO_HEAD};

const ABOUT: &str = "\
# Everything that tune manages here, in the order in which it is put back: the resource, the item, what it was before
# tune, where it is, and every value that tune may have written.
";

/// Returns the text of `undo.sh` for a ledger.
///
/// Files are put back before running values, the reverse of the order in which they were written: should the machine
/// go down half-way, its next boot must not see a file whose value is already back.
pub(crate) fn script(header: &Header<'_>, ledger: &Ledger, kinds: &HostKinds) -> String {
    let mut contents = Contents::default();
    let (mut files, mut values) = (String::new(), String::new());
    for ((kind, key), entry) in ledger.entries.iter().rev() {
        let Some(target) = kinds.get(kind.as_str()).and_then(|kind| target(kind.as_ref(), key)) else { continue };
        let text = if matches!(target, Target::File { .. }) { &mut files } else { &mut values };
        push_entry(text, key, entry, &target, &mut contents, &header.ground.root);
    }
    let header = Header { holder: "undo.sh", ..header.clone() };
    // What a person wants to see comes first; how it is done comes after.
    let mut script = format!("{UNDO_HEAD}{}\n{ABOUT}items() {{\n  :\n{files}{values}}}\n\n", header.text());
    for part in [COMMON, LOCK, ITEM, HOME, UNDO] {
        script.push_str(part);
        script.push('\n');
    }
    let _ =
        write!(script, "# The contents of files, in base64, by their SHA-256.\n{}\nmain \"$@\"\n", contents.function());
    script
}

fn push_entry(
    text: &mut String,
    key: &ItemKey,
    entry: &LedgerEntry,
    target: &Target,
    contents: &mut Contents,
    root: &str,
) {
    let original = match &entry.original {
        Some(original) if impossible(target, original).is_none() => form(original, contents),
        _ => "unknown".to_owned(),
    };
    let _ = write!(
        text,
        "  undo {} {} \\\n    {original} \\\n    {} \\\n    ours",
        quote(&entry.address),
        quote(&key.0),
        place(target, root)
    );
    // What is ours is only compared, never written: its content need not travel.
    for ours in &entry.ours {
        let _ = write!(text, " {}", form(ours, &mut Contents::default()));
    }
    text.push('\n');
}
