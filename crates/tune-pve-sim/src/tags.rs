//! Tags: the order in which they are kept, and who may use which.

use std::collections::{BTreeMap, BTreeSet};

use crate::errors::Failure;
use crate::schema::split_list;
use crate::world::World;

impl World {
    /// Brings tags into the form in which they are stored.
    pub(crate) fn unique_tags(&self, tags: &str) -> String {
        let fold = |tag: &str| if self.datacenter.case_sensitive_tags { tag.to_owned() } else { tag.to_lowercase() };
        let mut list = split_list(tags);
        if !self.datacenter.tags_in_order {
            list.sort_by_key(|tag| fold(tag));
        }
        let mut seen = BTreeSet::new();
        let kept: Vec<String> = list.into_iter().map(fold).filter(|tag| seen.insert(tag.clone())).collect();
        kept.join(";")
    }

    /// Requires that somebody may make each change between two lists of tags.
    pub(crate) fn check_tags(&self, who: &str, vmid: u32, old: &str, new: &str) -> Result<(), Failure> {
        self.access.check_vm(who, vmid, &["VM.Config.Options"])?;
        if self.access.allows(who, "/", &["Sys.Modify"]) {
            return Ok(());
        }
        let count = |tags: &str| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for tag in split_list(tags) {
                *counts.entry(tag.to_owned()).or_default() += 1;
            }
            counts
        };
        let (old, new) = (count(old), count(new));
        let all: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        let mode = self.datacenter.user_tags.as_deref().unwrap_or("free");
        let known = self.known_tags(who, mode);
        for tag in all.into_iter().filter(|tag| old.get(*tag) != new.get(*tag)) {
            let allowed = mode == "free" || known.contains(tag);
            if !allowed || self.datacenter.registered_tags.contains(tag) {
                return Err(Failure::permission(&format!("/, Sys.Modify for modifying tag '{tag}'")));
            }
        }
        Ok(())
    }

    fn known_tags(&self, who: &str, mode: &str) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        if mode != "none" {
            known.extend(self.datacenter.user_tag_list.iter().cloned());
        }
        if mode == "existing" {
            for (vmid, vm) in &self.vms {
                if self.access.allows(who, &format!("/vms/{vmid}"), &["VM.Audit"]) {
                    let conf = crate::conf::Conf::parse(&vm.raw);
                    let tags = conf.main.get("tags").map_or("", String::as_str);
                    known.extend(split_list(tags).into_iter().map(str::to_owned));
                }
            }
        }
        known
    }
}
