//! The processor types and flags that a virtual machine may ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::formats::pattern;
use super::{Prop, Props, matches};

/// The models that ship with the emulator, besides `x86-64-v2` to `v4`.
const MODELS: &[&str] = &[
    "486",
    "athlon",
    "Broadwell",
    "Broadwell-IBRS",
    "Broadwell-noTSX",
    "Broadwell-noTSX-IBRS",
    "Cascadelake-Server",
    "Cascadelake-Server-noTSX",
    "Cascadelake-Server-v2",
    "Cascadelake-Server-v4",
    "Cascadelake-Server-v5",
    "ClearwaterForest",
    "Conroe",
    "Cooperlake",
    "Cooperlake-v2",
    "core2duo",
    "coreduo",
    "EPYC",
    "EPYC-Genoa",
    "EPYC-Genoa-v2",
    "EPYC-IBPB",
    "EPYC-Milan",
    "EPYC-Milan-v2",
    "EPYC-Milan-v3",
    "EPYC-Rome",
    "EPYC-Rome-v2",
    "EPYC-Rome-v3",
    "EPYC-Rome-v4",
    "EPYC-Rome-v5",
    "EPYC-Turin",
    "EPYC-v3",
    "EPYC-v4",
    "EPYC-v5",
    "GraniteRapids",
    "GraniteRapids-v2",
    "GraniteRapids-v3",
    "Haswell",
    "Haswell-IBRS",
    "Haswell-noTSX",
    "Haswell-noTSX-IBRS",
    "host",
    "Icelake-Client",
    "Icelake-Client-noTSX",
    "Icelake-Server",
    "Icelake-Server-noTSX",
    "Icelake-Server-v3",
    "Icelake-Server-v4",
    "Icelake-Server-v5",
    "Icelake-Server-v6",
    "Icelake-Server-v7",
    "IvyBridge",
    "IvyBridge-IBRS",
    "KnightsMill",
    "kvm32",
    "kvm64",
    "max",
    "Nehalem",
    "Nehalem-IBRS",
    "Opteron_G1",
    "Opteron_G2",
    "Opteron_G3",
    "Opteron_G4",
    "Opteron_G5",
    "Penryn",
    "pentium",
    "pentium2",
    "pentium3",
    "phenom",
    "qemu32",
    "qemu64",
    "SandyBridge",
    "SandyBridge-IBRS",
    "SapphireRapids",
    "SapphireRapids-v2",
    "SapphireRapids-v3",
    "SapphireRapids-v4",
    "SierraForest",
    "SierraForest-v2",
    "SierraForest-v3",
    "Skylake-Client",
    "Skylake-Client-IBRS",
    "Skylake-Client-noTSX-IBRS",
    "Skylake-Client-v4",
    "Skylake-Server",
    "Skylake-Server-IBRS",
    "Skylake-Server-noTSX-IBRS",
    "Skylake-Server-v4",
    "Skylake-Server-v5",
    "Westmere",
    "Westmere-IBRS",
];

const LEVELS: &[&str] = &["x86-64-v2", "x86-64-v2-AES", "x86-64-v3", "x86-64-v4"];

/// The flags that a single machine may set or clear.
const FLAGS: &[&str] = &[
    "nested-virt",
    "md-clear",
    "pcid",
    "spec-ctrl",
    "ssbd",
    "ibpb",
    "virt-ssbd",
    "amd-ssbd",
    "amd-no-ssb",
    "pdpe1gb",
    "hv-tlbflush",
    "hv-evmcs",
    "aes",
];

/// The sub-options of `cpu`.
pub(crate) fn cpu() -> Arc<Props> {
    let flag = r"([+-])([a-zA-Z0-9\-_.]+)";
    Arc::new(Props {
        table: BTreeMap::from([
            ("cputype", Prop::string().default_key()),
            ("reported-model", Prop::string().choices(MODELS)),
            ("hidden", Prop::boolean()),
            ("hv-vendor-id", Prop::string().pattern("[a-zA-Z0-9]{1,12}")),
            ("flags", Prop::string().pattern(&format!("{flag}(;{flag})*"))),
            ("guest-phys-bits", Prop::integer().min(32.0).max(64.0)),
            ("phys-bits", Prop::string().check(phys_bits)),
        ]),
        validator: Some(validate),
    })
}

fn phys_bits(text: &str) -> Result<(), String> {
    let number = matches(pattern!(r"^\d{1,2}$"), text).then(|| text.trim().parse::<u32>().unwrap_or(0));
    if text == "host" || number.is_some_and(|bits| (8..=64).contains(&bits)) {
        Ok(())
    } else {
        Err("value must be an integer between 8 and 64 or 'host'\n".to_owned())
    }
}

fn validate(cpu: &BTreeMap<String, String>) -> Result<(), String> {
    let Some(model) = cpu.get("cputype").filter(|model| super::truthy(model)) else {
        return Err("CPU is missing cputype\n".to_owned());
    };
    if let Some(custom) = model.strip_prefix("custom-") {
        return Err(format!("Custom cputype '{custom}' not found\n"));
    }
    if !MODELS.contains(&model.as_str()) && !LEVELS.contains(&model.as_str()) {
        return Err(format!("Built-in cputype '{model}' is not defined (missing 'custom-' prefix?)\n"));
    }
    let known = |flag: &str| flag.strip_prefix(['+', '-']).is_some_and(|name| FLAGS.contains(&name));
    if cpu.get("flags").is_some_and(|flags| !flags.split(';').all(known)) {
        return Err(format!("VM-specific CPU flags must be a subset of: {}\n", FLAGS.join(", ")));
    }
    if cpu.contains_key("reported-model") {
        return Err("Property 'reported-model' not allowed in VM-specific CPU config.\n".to_owned());
    }
    Ok(())
}
