//! What is fuzzed: every function here takes any bytes, and neither panics nor takes long. Each also checks a law, so
//! that a wrong answer is found and not only a crash.

use std::collections::BTreeMap;
use std::path::Path;

use tune_config::{Inputs, Resolved, Vocabulary};
use tune_core::Value;
use tune_core::contract::Kind as _;
use tune_core::item::{ItemKey, Raw};
use tune_engine::store::local;
use tune_engine::{Key, recording, saved_plan};
use tune_remote::{Evidence, Found, HostKind};

/// Text, lexed, lowered and evaluated as a whole configuration. Every mistake stands on its text.
pub fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    evaluate(text);
}

/// The same for one expression.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    evaluate(&format!("output \"o\" {{\n  value = {text}\n}}\n"));
}

fn evaluate(text: &str) {
    let files = BTreeMap::from([("main.tune.hcl".to_owned(), text.to_owned())]);
    let (sysctl, zfs, vm) = (tune_sysctl::kind(), tune_zfs::kind(), tune_proxmox::kind());
    let vocabulary = Vocabulary {
        kinds: vec![sysctl.schema(), zfs.schema(), vm.schema()],
        sources: Vec::new(),
        providers: vec![tune_proxmox::provider_schema()],
    };
    let module = tune_config::load(&files, &vocabulary, "0.1.0");
    if let Err(mistakes) = tune_config::check(&module, &Inputs::default()) {
        assert!(mistakes.has_errors(), "refused without an error");
        for span in mistakes.list.iter().flat_map(|mistake| &mistake.labels).map(|label| label.span) {
            let _ = mistakes.sources.marked(span);
        }
    }
}

/// Text brought into the one layout: what comes out is laid out already.
pub fn format(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(once) = tune_config::format("main.tune.hcl", text) else { return };
    let twice = tune_config::format("main.tune.hcl", &once);
    assert!(twice.as_ref().is_ok_and(|twice| *twice == once), "not idempotent: {once:?} {twice:?}");
}

/// A state as `tune state import` reads it: what is accepted is printed, and read again as the same.
pub fn state(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(export) = local::parse_export(Path::new("state.json"), text) else { return };
    let printed = local::print_export(&export);
    let again = local::parse_export(Path::new("state.json"), &printed);
    assert!(again.is_ok_and(|again| local::print_export(&again) == printed), "{printed}");
}

/// A recording as `tune test` reads it: the same law.
pub fn recording(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(found) = recording::parse(Path::new("r.json"), text, &[]) else { return };
    let printed = recording::print(&found);
    let again = recording::parse(Path::new("r.json"), &printed, &[]);
    assert!(again.is_ok_and(|again| recording::print(&again) == printed), "{printed}");
}

/// A saved plan as `tune apply FILE` reads it: the bytes as a file, which nobody sealed, and as what somebody did seal. What
/// is accepted is printed, and read again as the same promise; without its seal it is refused.
pub fn saved_plan(bytes: &[u8]) {
    let key = Key::new([7; 32]);
    let _ = saved_plan::parse(bytes, &key);
    let sealed = saved_plan::seal(bytes, &key);
    let Ok(plan) = saved_plan::parse(&sealed, &key) else { return };
    let again = saved_plan::parse(&saved_plan::print(&plan, &key), &key);
    assert!(
        again.is_ok_and(|again| again.promise == plan.promise && plan.promise.differences(&again.promise).is_empty())
    );
    let mut changed = sealed.clone();
    let place = bytes.len() % changed.len();
    changed[place] ^= 1;
    assert!(saved_plan::parse(&changed, &key).is_err(), "the seal does not cover byte {place}");
    assert!(saved_plan::parse(&sealed, &Key::new([8; 32])).is_err(), "another key is as good");
}

/// A file of tests, beside a small configuration.
pub fn test_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let main = "variable \"a\" {\n  default = 1\n}\noutput \"o\" {\n  value = var.a\n}\n";
    let texts = [("main.tune.hcl", main), ("t.tunetest.hcl", text)];
    let files: BTreeMap<String, String> = texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let mut module = tune_config::load(&files, &Vocabulary::default(), "0.1.0");
    let read = module.add_tests(&["t.tunetest.hcl".to_owned()]);
    if module.has_errors() {
        assert!(tune_config::check(&module, &Inputs::default()).is_err(), "a mistake was lost");
        return;
    }
    for run in read.iter().flat_map(|file| &file.runs) {
        let inputs = run.inputs(&Inputs::default());
        if let Ok((Resolved::Ready(configuration), scene)) = tune_config::rehearse(&module, &inputs, &BTreeMap::new()) {
            let plan = Value::Map(BTreeMap::from([("summary".to_owned(), Value::Null)]));
            let _ = scene.judge(&module, run, &configuration, &plan);
        }
    }
}

/// A file of `/etc/sysctl.d`, written by anybody.
pub fn sysctl_conf(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    judge(&*tune_sysctl::kind(), "vm.swappiness", "/etc/sysctl.d/50-any.conf", text);
}

/// A file of `/etc/modprobe.d`, written by anybody.
pub fn modprobe_conf(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    judge(&*tune_zfs::kind(), "zfs/zfs_txg_timeout", "/etc/modprobe.d/any.conf", text);
}

fn judge(kind: &dyn HostKind, key: &str, path: &str, text: String) {
    let key = ItemKey(key.to_owned());
    let evidence = Evidence { files: BTreeMap::from([(path.to_owned(), text)]), ..Evidence::default() };
    let found = Found { raw: Raw::Text("5".to_owned()), writable: true, mode: None };
    let judged = kind.layers(&key, &found, &evidence);
    assert!(judged.is_ok_and(|reading| reading.raw == found.raw), "what runs does not depend on a file");
}

/// What the API of a virtual machine prints for an option of a drive, of a network card or of its memory: the canonical
/// form is a fixed point.
pub fn drive(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let kind = tune_proxmox::kind();
    for key in ["107/scsi0/cache", "107/scsi0/size", "107/scsi0/mbps_rd", "107/net0/queues", "107/memory/current"] {
        let key = ItemKey(key.to_owned());
        let once = kind.canonical(&key, &Raw::Text(text.clone()));
        assert_eq!(kind.canonical(&key, &once), once, "{key}");
        let _ = (kind.show(&key, &once), kind.label(&key));
    }
}
