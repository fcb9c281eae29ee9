//! The repository keeps its own rules: layers, documents that match the code, files that stay readable.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every package of the workspace as (folder, name).
fn packages() -> Vec<(String, String)> {
    let mut packages = Vec::new();
    for parent in ["crates", "providers"] {
        for entry in fs::read_dir(root().join(parent)).unwrap() {
            let folder = format!("{parent}/{}", entry.unwrap().file_name().to_string_lossy());
            let manifest = read(format!("{folder}/Cargo.toml"));
            let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
            packages.push((folder, name.trim_matches('"').to_owned()));
        }
    }
    packages.sort();
    packages
}

/// The names under `[dependencies]` in a package's manifest, without those for tests.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = read(format!("{folder}/Cargo.toml"));
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    section.lines().map(name).filter(|name| !name.is_empty() && !name.starts_with('#')).collect()
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut waiting = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn dependencies_point_down_only() {
    for (folder, name) in packages() {
        let ours: BTreeSet<String> =
            dependencies(&folder).into_iter().filter(|dependency| dependency.starts_with("tune-")).collect();
        let allowed: &[&str] = match name.as_str() {
            "tune-core" | "tune-pve-sim" => &[],
            "tune-config" | "tune-engine" | "tune-remote" | "tune-source" => &["tune-core"],
            "tune-testkit" | "tune" => continue,
            "tune-lab" => &["tune-pve-sim", "tune-testkit"],
            _ => &["tune-core", "tune-remote", "tune-source"],
        };
        for dependency in &ours {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn the_core_and_the_configuration_do_no_io() {
    for package in ["crates/tune-core", "crates/tune-config"] {
        let io = ["tokio", "sled", "openssh", "reqwest", "rustix", "tempfile"];
        let found: Vec<String> = dependencies(package).into_iter().filter(|name| io.contains(&name.as_str())).collect();
        assert!(found.is_empty(), "{package} depends on {found:?}");
        for file in sources(&format!("{package}/src")) {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in ["std::fs", "TcpStream", "UdpSocket", "std::process", "std::env", "SystemTime", "Instant::now"]
            {
                assert!(!code.contains(word), "{} uses {word}", file.display());
            }
        }
    }
}

#[test]
fn the_test_kit_is_never_linked_into_the_binary() {
    for (folder, name) in packages() {
        // The lab is a program of its own, with which people try things out.
        if name != "tune-testkit" && name != "tune-lab" {
            assert!(!dependencies(&folder).contains("tune-testkit"), "{name} links the test kit");
        }
        if name != "tune-lab" {
            assert!(!dependencies(&folder).contains("tune-pve-sim"), "{name} links the simulator");
        }
    }
}

#[test]
fn only_the_binary_prints() {
    for (folder, name) in packages() {
        if ["tune", "tune-lab", "tune-testkit"].contains(&name.as_str()) {
            continue;
        }
        for file in sources(&format!("{folder}/src")) {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            for word in ["println!", "print!(", "io::stdout", "io::stderr"] {
                let uses = code.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//"));
                assert!(!uses, "{} uses {word}", file.display());
            }
        }
    }
}

#[test]
fn the_map_names_every_crate_and_no_other() {
    let map = read("docs/architecture.md");
    let rows = map.lines().filter(|line| line.starts_with("| `") || line.starts_with("| `providers/"));
    let named: BTreeSet<String> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|cell| cell.split('`').map(str::to_owned).collect::<Vec<_>>())
        .filter(|word| word == "tune" || word.starts_with("tune-"))
        .collect();
    let real: BTreeSet<String> = packages().into_iter().map(|(_, name)| name).collect();
    assert_eq!(named, real);
}

#[test]
fn every_test_file_is_part_of_this_binary() {
    let main = read("tests/e2e/main.rs");
    for file in fs::read_dir(root().join("tests/e2e")).unwrap() {
        let name = file.unwrap().file_name().to_string_lossy().into_owned();
        if let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") {
            assert!(main.contains(&format!("mod {module};")), "tests/e2e/{name} is forgotten in main.rs");
        }
    }
}

#[test]
fn files_stay_readable() {
    for (folder, _) in packages() {
        // A long table of cases is still one thing; a long piece of the program is not.
        for file in
            sources(&format!("{folder}/src")).into_iter().filter(|file| !file.iter().any(|part| part == "tests"))
        {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines: is it still one room with one purpose?", file.display());
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = vec![root().join("README.md")];
    let mut waiting = vec![root().join("docs")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    for document in documents {
        let text = fs::read_to_string(&document).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = document.parent().unwrap().join(target);
            assert!(path.exists(), "{} links to {target}, which does not exist", document.display());
        }
    }
}

#[test]
fn the_runbooks_page_names_every_test_of_a_row_and_no_other() {
    let name = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap().to_owned();
    let page = read("docs/guides/first-runbook.md");
    let named: BTreeSet<String> = page.split('`').filter(|word| word.starts_with("row_")).map(str::to_owned).collect();
    let real: BTreeSet<String> = packages()
        .into_iter()
        .flat_map(|(folder, _)| sources(&folder))
        .flat_map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            text.lines().filter_map(|line| Some(name(line.split_once("fn row_")?.1))).collect::<Vec<_>>()
        })
        .map(|rest| format!("row_{rest}"))
        .collect();
    assert_eq!(named, real);
    // Each test stands in the line of its own row.
    for line in page.lines().filter(|line| line.starts_with("| 0.") || line.starts_with("| 1.")) {
        let row = line.split(' ').nth(1).unwrap().replace('.', "_");
        let tests: Vec<&str> = line.split('`').filter(|word| word.starts_with("row_")).collect();
        let is_its_own = |test: &&str| test.starts_with(&format!("row_{row}_"));
        assert!(!tests.is_empty() && tests.iter().all(is_its_own), "{line}");
    }
}
