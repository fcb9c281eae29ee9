//! Which tiers of the lab this machine can run, and what a test does about a missing one: it says so aloud and counts as
//! skipped, unless the environment requires that tier. Starts no host.

use std::collections::BTreeSet;
use std::env;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::OnceLock;

/// The comma-separated tiers that must not be skipped: a missing one fails the test.
pub const REQUIRE_VARIABLE: &str = "TUNE_REQUIRE";

/// The file to which each skip is appended, as one line `TEST: why`.
pub const SKIPS_VARIABLE: &str = "TUNE_SKIPS";

/// One kind of host that the lab can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// OpenSSH, a file tree and a network namespace of its own: milliseconds a host.
    Sshd,
    /// A booted Debian with systemd: one or two seconds a host, and once the time to build its file system.
    Nspawn,
}

impl Tier {
    fn tools(self) -> &'static [&'static str] {
        match self {
            Tier::Sshd => &[
                "busybox",
                "hostname",
                "ip",
                "mount",
                "nsenter",
                "perl",
                "pivot_root",
                "setpriv",
                "ssh",
                "ssh-keygen",
                "sshd",
                "sudo",
                "timeout",
                "unshare",
            ],
            Tier::Nspawn => &[
                "debootstrap",
                "ip",
                "mount",
                "nc",
                "nsenter",
                "perl",
                "setpriv",
                "ssh",
                "ssh-keygen",
                "systemd-nspawn",
                "timeout",
                "unshare",
            ],
        }
    }

    fn files(self) -> &'static [&'static str] {
        match self {
            Tier::Sshd => &["/usr/lib/sysctl.d", "/usr/lib/systemd/systemd-sysctl"],
            Tier::Nspawn => &[],
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tier::Sshd => "sshd",
            Tier::Nspawn => "nspawn",
        })
    }
}

/// Why a tier cannot run on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// The tier that is missing.
    pub tier: Tier,
    /// What it lacks, one reason each.
    pub why: Vec<String>,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no `{}` hosts here: {}", self.tier, self.why.join(", "))
    }
}

/// Tells whether this machine can run a tier, and if not, why. Tries it with one host, once per process.
pub fn require(tier: Tier) -> Result<(), Skip> {
    static SSHD: OnceLock<Vec<String>> = OnceLock::new();
    static NSPAWN: OnceLock<Vec<String>> = OnceLock::new();
    let why = match tier {
        Tier::Sshd => SSHD.get_or_init(|| missing(tier)),
        Tier::Nspawn => NSPAWN.get_or_init(|| missing(tier)),
    };
    if why.is_empty() { Ok(()) } else { Err(Skip { tier, why: why.clone() }) }
}

/// Returns whether `test` may go on with a tier. If not, the skip is said on standard error, past the capture of the test
/// harness, and written to the file of skips.
///
/// Fails the test instead when the environment requires the tier. Usually called through [`require_tier!`](crate::require_tier).
pub fn available(test: &str, tier: Tier) -> bool {
    let Err(skip) = require(tier) else {
        return true;
    };
    let required = env::var(REQUIRE_VARIABLE).unwrap_or_default();
    let required: BTreeSet<&str> = required.split(',').map(str::trim).collect();
    assert!(!required.contains(tier.to_string().as_str()), "{REQUIRE_VARIABLE} wants it, but there are {skip}");
    announce(test, &skip);
    false
}

/// Leaves the calling test, as skipped, when this machine cannot run the given [`Tier`](crate::lab::Tier).
#[macro_export]
macro_rules! require_tier {
    ($tier:expr) => {{
        fn here() {}
        let name = std::any::type_name_of_val(&here);
        if !$crate::lab::available(name.strip_suffix("::here").unwrap_or(name), $tier) {
            return;
        }
    }};
}

/// Leaves the calling test, as skipped, when this says that the machine lacks something beside its tier.
#[macro_export]
macro_rules! skip_unless {
    ($possible:expr) => {{
        fn here() {}
        if let Err(why) = $possible {
            let name = std::any::type_name_of_val(&here);
            $crate::lab::announce(name.strip_suffix("::here").unwrap_or(name), &why);
            return;
        }
    }};
}

/// Says that a test is skipped, on standard error, past the capture of the test harness, and in the file of skips. Usually
/// called through [`skip_unless!`](crate::skip_unless).
pub fn announce(test: &str, skip: &dyn fmt::Display) {
    // The harness captures what the printing macros print, and not what is written to the stream itself. A skip that
    // could not be announced is no reason to fail, so these results are dropped.
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {skip}");
    if let Some(path) = env::var_os(SKIPS_VARIABLE)
        && let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path)
    {
        let _ = file.write_all(format!("{test}: {skip}\n").as_bytes());
    }
}

fn missing(tier: Tier) -> Vec<String> {
    if !rustix::process::geteuid().is_root() {
        return vec!["not root".to_owned()];
    }
    let mut why: Vec<String> =
        tier.tools().iter().filter(|tool| !on_path(tool)).map(|tool| format!("no `{tool}`")).collect();
    why.extend(tier.files().iter().filter(|path| !Path::new(path).exists()).map(|path| format!("no `{path}`")));
    if why.is_empty()
        && let Err(error) = super::probe(tier)
    {
        // A skip is one line, whatever the host that failed had to say.
        why.push(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "));
    }
    why
}

fn on_path(tool: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(tool).is_file())
}
