//! One machine of the world: what its kernel uses, its files, and what a boot makes of them. It knows paths and values;
//! of `tune` it knows only what `tune` leaves there.

use std::collections::{BTreeMap, BTreeSet};

use tune_core::contract::Epoch;
use tune_core::item::{FileState, Raw};
use tune_core::ledger::Ledger;
use tune_remote::Target;

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// Counts boots; the boot id is made of it.
    pub boots: u64,
    /// Fingerprints of its ssh host keys.
    pub host_keys: BTreeSet<String>,
    /// What the kernel uses, by path; by `TABLE:FIELD` for a line of a table.
    pub values: BTreeMap<String, Knob>,
    /// Regular files, by path.
    pub files: BTreeMap<String, FileState>,
    /// Whether it cannot be reached.
    pub away: bool,
    /// Whether it is switched off or booting.
    pub down: bool,
    /// What the latest boot image says of the parameters that are in it; `None` before the first one.
    pub image: Option<String>,
    /// What `tune` keeps there, by lineage.
    pub ledgers: BTreeMap<String, Ledger>,
    /// The highest epoch of every lineage, of fences and batches alike.
    pub epochs: BTreeMap<String, Epoch>,
}

/// One value of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Knob {
    /// What is in use.
    pub value: String,
    /// What a boot sets where no file says otherwise.
    pub default: String,
    /// What may be written.
    pub rule: Rule,
}

/// What a kernel does with what is written to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Everything is taken as it is.
    Any,
    /// Numbers outside the range are silently brought into it.
    Clamp(i64, i64),
    /// What is no number in the range is refused.
    Number(i64, i64),
    /// As `Number`; and a write zeroes the value at the other path.
    Zeroes(String),
    /// The machine cannot be reached while the value is `shut`.
    Door,
}

impl Knob {
    /// Returns a value that was never changed since the boot.
    pub fn new(default: &str, rule: Rule) -> Self {
        Self { value: default.to_owned(), default: default.to_owned(), rule }
    }
}

/// Where a boot finds values: directories in falling precedence, and the root of the values' paths.
const BOOT: [(&[&str], &str); 3] = [
    (&["/etc/setting.d"], "/proc/setting"),
    (&["/etc/param.d"], crate::param::USED),
    (&["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"], "/proc/sys"),
];

impl Machine {
    /// Returns a machine without values and files.
    pub fn new(name: &str) -> Self {
        Self {
            machine_id: format!("machine-{name}"),
            boots: 1,
            host_keys: BTreeSet::from([format!("SHA256:{name}")]),
            values: BTreeMap::new(),
            files: BTreeMap::new(),
            away: false,
            down: false,
            image: None,
            ledgers: BTreeMap::new(),
            epochs: BTreeMap::new(),
        }
    }

    /// Returns the kernel's id of this boot.
    pub fn boot_id(&self) -> String {
        format!("{}-boot-{}", self.machine_id, self.boots)
    }

    /// Returns whether packets get through: it is there, and no value of its own shuts it off.
    pub fn can_be_reached(&self) -> bool {
        !self.away && !self.down && !self.values.values().any(|knob| knob.rule == Rule::Door && knob.value == "shut")
    }

    /// Returns what is at a place, in its restorable form.
    pub fn read(&self, target: &Target) -> Raw {
        match target {
            Target::Value { path } => self.values.get(path).map_or(Raw::Absent, |knob| Raw::Text(knob.value.clone())),
            Target::Either { first, second } => {
                let value = |path: &str| self.values.get(path).map_or("0", |knob| &knob.value);
                if !self.values.contains_key(&first.1) {
                    return Raw::Absent;
                }
                let half = if value(&first.1) == "0" && value(&second.1) != "0" { second } else { first };
                Raw::Text(format!("{}={}", half.0, value(&half.1)))
            }
            Target::Reported { path, table, field } => {
                let used = self.values.get(&line(table, field)).filter(|_| self.values.contains_key(path));
                used.map_or(Raw::Absent, |knob| Raw::Text(knob.value.clone()))
            }
            Target::File { path } => self.files.get(path).map_or(Raw::Absent, |file| Raw::File(file.clone())),
        }
    }

    /// Writes as a program would, or says what the system answered.
    pub fn write(&mut self, target: &Target, raw: &Raw) -> Result<(), String> {
        match (target, raw) {
            (Target::Value { path }, Raw::Text(text)) => self.set(path, text),
            (Target::Either { first, second }, Raw::Text(text)) => {
                let (name, value) = text.split_once('=').ok_or("no half of the pair is named")?;
                let half = [first, second].into_iter().find(|half| half.0 == name).ok_or("no such half")?;
                self.set(&half.1, value)
            }
            (Target::Reported { path, table, field }, Raw::Text(text)) => {
                self.set(path, text)?;
                // What is out of its range is taken without a word, and not used.
                let _ = self.set(&line(table, field), text);
                Ok(())
            }
            (Target::File { path }, Raw::File(file)) => {
                self.files.insert(path.clone(), file.clone());
                Ok(())
            }
            (Target::File { path }, Raw::Absent) => {
                self.files.remove(path);
                Ok(())
            }
            _ => Err(format!("{raw:?} cannot be written there")),
        }
    }

    /// Leaves half of a write behind, past every rule, as a program that is stopped in its middle does.
    pub fn write_half(&mut self, target: &Target, raw: &Raw) {
        match (target, raw) {
            (Target::File { path }, Raw::File(file)) => {
                let content = file.content[..file.content.len() / 2].to_vec();
                self.files.insert(path.clone(), FileState { content, ..file.clone() });
            }
            (Target::File { path }, _) => {
                if let Some(file) = self.files.get_mut(path) {
                    file.content.clear();
                }
            }
            (Target::Value { path } | Target::Either { first: (_, path), .. }, _) => self.garble(path),
            (Target::Reported { table, field, .. }, _) => self.garble(&line(table, field)),
        }
    }

    fn garble(&mut self, path: &str) {
        if let Some(knob) = self.values.get_mut(path) {
            "7".clone_into(&mut knob.value);
        }
    }

    /// Restarts the machine: what was only in the kernel is gone, and files say what it uses from now on.
    pub fn boot(&mut self) {
        self.boots += 1;
        for knob in self.values.values_mut() {
            knob.value.clone_from(&knob.default);
        }
        for (directories, root) in BOOT {
            for (path, value) in self.boot_assignments(directories, root) {
                // A boot goes on when the kernel refuses a value.
                let _ = self.set(&path, &value);
            }
        }
    }

    /// Assignments in the order in which a boot makes them: files by base name, one of a higher directory shadows one of
    /// the same name below it.
    fn boot_assignments(&self, directories: &[&str], root: &str) -> Vec<(String, String)> {
        let mut files: BTreeMap<&str, &FileState> = BTreeMap::new();
        for directory in directories {
            for (path, file) in &self.files {
                let Some(name) = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')) else { continue };
                if name.strip_suffix(".conf").is_some() && !name.contains('/') {
                    files.entry(name).or_insert(file);
                }
            }
        }
        let mut assignments = Vec::new();
        for file in files.values() {
            for line in String::from_utf8_lossy(&file.content).lines() {
                let line = line.trim();
                let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
                let key = key.trim().trim_start_matches('-').replace('.', "/");
                assignments.push((format!("{root}/{key}"), value.trim().to_owned()));
            }
        }
        assignments
    }

    fn set(&mut self, path: &str, value: &str) -> Result<(), String> {
        let knob = self.values.get_mut(path).ok_or("no such file or directory")?;
        let number = value.parse::<i64>();
        match &knob.rule {
            Rule::Any | Rule::Door => value.clone_into(&mut knob.value),
            Rule::Clamp(least, most) => {
                knob.value = number.map_err(|_| "invalid argument")?.clamp(*least, *most).to_string();
            }
            Rule::Number(least, most) => {
                let number = number.ok().filter(|number| (*least..=*most).contains(number));
                knob.value = number.ok_or("invalid argument")?.to_string();
            }
            Rule::Zeroes(other) => {
                // Writing a zero half would leave both at zero.
                let number = number.ok().filter(|number| *number > 0).ok_or("invalid argument")?;
                knob.value = number.to_string();
                let other = other.clone();
                if let Some(knob) = self.values.get_mut(&other) {
                    "0".clone_into(&mut knob.value);
                }
            }
        }
        Ok(())
    }
}

/// Under which name of [`Machine::values`] stands what a line of a table says, for [`Target::Reported`].
fn line(table: &str, field: &str) -> String {
    format!("{table}:{field}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        let mut machine = Machine::new("a");
        let knobs = [
            ("a", Knob::new("1", Rule::Any)),
            ("c", Knob::new("5", Rule::Clamp(0, 10))),
            ("n", Knob::new("5", Rule::Number(0, 10))),
            ("r", Knob::new("20", Rule::Zeroes("/proc/setting/b".to_owned()))),
            ("b", Knob::new("0", Rule::Zeroes("/proc/setting/r".to_owned()))),
            ("d", Knob::new("open", Rule::Door)),
        ];
        machine.values = knobs.map(|(name, knob)| (format!("/proc/setting/{name}"), knob)).into();
        machine
    }

    fn value(name: &str) -> Target {
        Target::Value { path: format!("/proc/setting/{name}") }
    }

    fn pair() -> Target {
        let half = |name: &str| (name.to_owned(), format!("/proc/setting/{name}"));
        Target::Either { first: half("r"), second: half("b") }
    }

    fn text(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn a_kernel_clamps_refuses_and_zeroes() {
        let mut machine = machine();
        machine.write(&value("c"), &text("99")).unwrap();
        assert_eq!(machine.read(&value("c")), text("10"));
        assert!(machine.write(&value("n"), &text("99")).is_err());
        assert_eq!(machine.read(&value("n")), text("5"));
        assert_eq!(machine.read(&pair()), text("r=20"));
        machine.write(&pair(), &text("b=4096")).unwrap();
        assert_eq!((machine.read(&pair()), machine.read(&value("r"))), (text("b=4096"), text("0")));
        assert!(machine.write(&pair(), &text("r=0")).is_err());
        machine.write(&value("d"), &text("shut")).unwrap();
        assert!(!machine.can_be_reached());
    }

    #[test]
    fn a_boot_keeps_what_files_say_and_nothing_else() {
        let mut machine = machine();
        machine.write(&value("a"), &text("2")).unwrap();
        machine.write(&value("c"), &text("3")).unwrap();
        let mut file = |path: &str, content: &str| {
            machine.write(&Target::File { path: path.to_owned() }, &Raw::File(FileState::public(content))).unwrap();
        };
        file("/etc/setting.d/10-x.conf", "# c = 1\nc = 4\nn = 77\nb = 8192\n");
        file("/etc/setting.d/20-y.conf", "c = 6\n");
        file("/etc/setting.d/30-z.off", "c = 7\n");
        machine.boot();
        assert_eq!((machine.read(&value("a")), machine.read(&value("c"))), (text("1"), text("6")));
        assert_eq!((machine.read(&value("n")), machine.read(&pair())), (text("5"), text("b=8192")));
        assert_eq!(machine.boot_id(), "machine-a-boot-2");
    }
}
