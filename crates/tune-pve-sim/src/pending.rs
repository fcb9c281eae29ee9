//! Changes that wait: the `[PENDING]` section, and what happens when a stopped machine takes them over.

use std::collections::BTreeMap;

use crate::conf::Conf;
use crate::disks::Act;
use crate::drive::{Drive, is_drive_key};
use crate::errors::Failure;
use crate::schema::truthy;
use crate::world::World;

/// Keys that wait to be removed, each with whether its volume goes as well.
pub(crate) type Deletes = BTreeMap<String, bool>;

/// Reads the list of keys to be removed.
pub(crate) fn deletes(conf: &Conf) -> Deletes {
    let list = conf.pending.get("delete").map_or("", String::as_str);
    let words = list.split([',', ';']).flat_map(str::split_whitespace);
    words.map(|word| word.strip_prefix('!').map_or((word.to_owned(), false), |key| (key.to_owned(), true))).collect()
}

fn set_deletes(conf: &mut Conf, deletes: &Deletes) {
    if deletes.is_empty() {
        conf.pending.remove("delete");
        return;
    }
    let words: Vec<String> =
        deletes.iter().map(|(key, force)| if *force { format!("!{key}") } else { key.clone() }).collect();
    conf.pending.insert("delete".to_owned(), words.join(","));
}

/// Adds a key to those that wait to be removed.
pub(crate) fn add_delete(conf: &mut Conf, key: &str, force: bool) {
    let mut list = deletes(conf);
    list.insert(key.to_owned(), force);
    set_deletes(conf, &list);
}

/// Takes a key off the list of those that wait to be removed.
pub(crate) fn drop_delete(conf: &mut Conf, key: &str) {
    let mut list = deletes(conf);
    if list.remove(key).is_some() {
        set_deletes(conf, &list);
    }
}

/// Drops what would change nothing; says whether there was any.
pub(crate) fn clean_up(conf: &mut Conf) -> bool {
    let before = conf.pending.clone();
    let main = &conf.main;
    conf.pending.retain(|key, value| key == "delete" || main.get(key) != Some(value));
    let mut list = deletes(conf);
    let count = list.len();
    list.retain(|key, _| conf.main.contains_key(key));
    let changed = list.len() != count || conf.pending.len() != before.len();
    set_deletes(conf, &list);
    changed
}

/// The configuration with everything that waits taken over, as it is shown by default.
pub(crate) fn merged(conf: &Conf) -> crate::conf::Section {
    let mut section = conf.main.clone();
    for (key, value) in conf.pending.iter().filter(|(key, _)| *key != "delete") {
        section.insert(key.clone(), value.clone());
    }
    for key in deletes(conf).keys() {
        if section.get(key).is_some_and(|value| truthy(value)) {
            section.remove(key);
        }
    }
    section
}

impl World {
    /// Takes over everything that waits, on a stopped machine. What cannot be taken over is returned by key and stays.
    pub(crate) fn apply_pending(
        &mut self,
        act: &Act<'_>,
        conf: &mut Conf,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let mut errors = BTreeMap::new();
        if conf.pending.is_empty() {
            return Ok(errors);
        }
        for (key, force) in deletes(conf) {
            let applied = match conf.main.get(&key).filter(|_| is_drive_key(&key)).cloned() {
                Some(value) => self.detach(act, conf, &key, &value, force),
                None => Ok(()),
            };
            match applied {
                Ok(()) => {
                    drop_delete(conf, &key);
                    conf.main.remove(&key);
                }
                Err(failure) => {
                    self.not_applied(act, &mut errors, &key, &failure);
                }
            }
        }
        clean_up(conf);
        let mut keys: Vec<String> = conf.pending.keys().filter(|key| *key != "delete").cloned().collect();
        self.random.shuffle(&mut keys);
        for key in keys {
            let old = conf.main.get(&key).filter(|_| is_drive_key(&key)).and_then(|value| Drive::parse(&key, value));
            let applied = old.map_or(Ok(()), |drive| self.register_unused(act, conf, &drive));
            match applied {
                Ok(()) => {
                    if let Some(value) = conf.pending.remove(&key) {
                        conf.main.insert(key, value);
                    }
                }
                Err(failure) => {
                    self.not_applied(act, &mut errors, &key, &failure);
                }
            }
        }
        self.save(act.node, act.vmid, conf)?;
        Ok(errors)
    }

    fn not_applied(&mut self, act: &Act<'_>, errors: &mut BTreeMap<String, String>, key: &str, failure: &Failure) {
        let text = format!("unable to apply pending change {key} : {}\n", failure.task_text());
        if let Some(task) = act.task {
            self.tasks.log(task, text.trim_end());
        }
        errors.insert(key.to_owned(), text);
    }
}
