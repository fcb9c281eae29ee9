//! Functions that Terraform has and the language does not: what they give is not the same every time and everywhere, so
//! a plan could not be what is applied.

use super::names;
use crate::diagnostic::did_you_mean;

/// A function that is not offered.
pub(super) struct Absent {
    pub name: &'static str,
    /// Why, as the end of a sentence about the function.
    pub why: &'static str,
    /// What to do, as an imperative sentence.
    pub instead: &'static str,
}

pub(super) const ABSENT: &[Absent] = &[
    Absent {
        name: "abspath",
        why: "the result would depend on the machine that plans",
        instead: "write paths relative to the configuration's folder",
    },
    Absent {
        name: "base64gzip",
        why: "the compressed bytes would depend on the version of the compressor",
        instead: "write `base64encode(…)`, or compress the file beforehand and read it with `filebase64(…)`",
    },
    Absent {
        name: "bcrypt",
        why: "the result would be another one every time",
        instead: "make the hash once, for example with `htpasswd -nB`, and give it as a variable with `sensitive = true`",
    },
    Absent { name: "ephemeralasnull", why: "there are no ephemeral values", instead: "leave it out" },
    Absent {
        name: "pathexpand",
        why: "the result would depend on who plans",
        instead: "write the path out, or give it as a variable",
    },
    Absent {
        name: "plantimestamp",
        why: "the result would be another one every time, and no plan would ever be empty",
        instead: "give the moment as a variable, for example with `-var \"now=$(date -u +%FT%TZ)\"`",
    },
    Absent {
        name: "rsadecrypt",
        why: "a private key does not belong in a configuration",
        instead: "decrypt beforehand, and give the result as a variable with `sensitive = true`",
    },
    Absent {
        name: "timestamp",
        why: "the result would be another one every time, and no plan would ever be empty",
        instead: "give the moment as a variable, for example with `-var \"now=$(date -u +%FT%TZ)\"`",
    },
    Absent {
        name: "type",
        why: "only `tune console` tells the type of something",
        instead: "ask there with `type(…)` around the whole expression",
    },
    Absent {
        name: "uuid",
        why: "the result would be another one every time, and no plan would ever be empty",
        instead: "write `uuidv5(…)`, which always gives the same for the same name",
    },
];

/// Returns why there is no function of this name, if that is known, and what to write instead of it.
pub(crate) fn instead_of(name: &str) -> (Option<&'static str>, Option<String>) {
    match ABSENT.iter().find(|absent| absent.name == name) {
        Some(absent) => (Some(absent.why), Some(absent.instead.to_owned())),
        None => (None, did_you_mean(name, names())),
    }
}
