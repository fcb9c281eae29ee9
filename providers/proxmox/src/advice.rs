//! What is true of a change and was not asked for.

use std::collections::BTreeMap;

use tune_core::contract::Question;
use tune_core::item::Raw;
use tune_core::path::AttributePath;
use tune_core::problem::{Advice, Code};
use tune_core::text::visible;

use crate::codes;
use crate::forecast::Forecast;
use crate::impact::Judged;
use crate::property::PropertyString;
use crate::table::grammar;
use crate::value::bool_of;
use crate::vm::Vm;

/// Returns all advice about one resource.
pub(crate) fn advice(
    question: &Question<'_>,
    vmid: u32,
    vm: &Vm,
    judged: &[Judged<'_>],
    after: &BTreeMap<String, Option<String>>,
) -> Vec<Advice> {
    let mut all = Vec::new();
    let mut say = |code: Code, path: &AttributePath, text: String| all.push(Advice { code, path: path.clone(), text });
    for one in judged {
        for (code, text) in about_item(one, vm) {
            say(code, &one.item.path, text);
        }
    }
    let whole = AttributePath::default();
    if let Some(lock) = vm.lock.as_ref().filter(|_| judged.iter().any(|one| !one.is_so || one.waits)) {
        let lock = visible(lock, 40);
        say(
            codes::LOCKED,
            &whole,
            format!(
                "VM {vmid} is locked (`{lock}`) at the moment. The apply waits for the lock to go, and gives up after a while."
            ),
        );
    }
    if !judged.iter().any(|one| one.waits) {
        return all;
    }
    say(
        codes::POWER_CYCLE,
        &whole,
        "The VM must be stopped and started as a whole: a reboot inside the guest does not activate what is pending."
            .to_owned(),
    );
    if vm.ha {
        let text = format!(
            "VM {vmid} is under high availability, which may start it on another node, and some seconds later than without."
        );
        say(codes::HA_MANAGED, &whole, text);
    }
    let agent = after.get("agent").and_then(Option::as_deref).unwrap_or("0");
    if PropertyString::parse(grammar("enabled"), agent).get("enabled").and_then(bool_of) != Some(true) {
        let text = format!(
            "VM {vmid} has no guest agent enabled, so its shutdown is asked for with the power button, which a guest may ignore."
        );
        say(codes::NO_AGENT, &whole, text);
    }
    if question.desired.guest.is_none() {
        let text = format!(
            "Nothing says which host runs in VM {vmid}, so no rollout and no quorum counts it as down while it is off. Write `guest`."
        );
        say(codes::NO_GUEST, &whole, text);
    }
    all
}

fn about_item(one: &Judged<'_>, vm: &Vm) -> Vec<(Code, String)> {
    let mut said = Vec::new();
    let Raw::Text(want) = &one.item.want else { return said };
    let (option, label) = (&one.key.option, one.key.label());
    match (one.key.sub.as_deref(), want.as_str()) {
        (Some("cache"), "writeback") => said.push((
            codes::WRITEBACK,
            "The host's page cache acknowledges writes, but what the guest flushes is still flushed to the disk first, so \
             this does not shorten a database's fsync. The data is then cached twice, and the host needs the memory for it."
                .to_owned(),
        )),
        (Some("iothread"), "1") if !one.is_so => said.push((
            codes::IOTHREAD_LOAD,
            format!("A thread of its own takes the load of `{option}` off the machine's main loop; it makes no single write faster."),
        )),
        _ => {}
    }
    if one.is_so {
        return said;
    }
    let changes_hardware = match (option.as_str(), one.key.sub.as_deref()) {
        ("scsihw", _) => !same_driver(vm, want),
        ("bios", _) | ("machine", Some("type")) => true,
        (option, Some("model")) => crate::table::is_net(option),
        _ => false,
    };
    if changes_hardware {
        said.push((
            codes::GUEST_DRIVER,
            format!("`{label}` is hardware that the guest sees. A guest without the driver for it, or one that was not installed with it, does not boot."),
        ));
    }
    match one.forecast {
        Forecast::Silent if one.waits => said.push((
            codes::SILENT,
            format!("Proxmox shows `{label}` as done at once, but the running machine keeps the old value until its power cycle, and nothing but this plan says that one is due."),
        )),
        Forecast::Replugged => said.push((
            codes::REPLUGGED,
            format!("`{option}` is unplugged and plugged in again, so the guest is off the network for a moment."),
        )),
        _ => {}
    }
    if option == "ostype" {
        said.push((
            codes::OSTYPE,
            "For a Windows type Proxmox also pins `machine`, which is not put back with it.".to_owned(),
        ));
    }
    said
}

/// The two virtio controllers have one driver.
fn same_driver(vm: &Vm, want: &str) -> bool {
    let now = vm.options.get("scsihw").and_then(|entry| entry.configured()).unwrap_or("lsi");
    now == want || (now.starts_with("virtio-scsi-") && want.starts_with("virtio-scsi-"))
}
