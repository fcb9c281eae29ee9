//! `tune fmt`: files in the one layout, and nothing else touched.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::support::{Project, root};

const UGLY: &str = "variable \"a\" {\ndefault=1 # why\n}\n";
const NEAT: &str = "variable \"a\" {\n  default = 1 # why\n}\n";

fn text(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path().join(name)).unwrap()
}

#[test]
fn only_what_differs_is_written_and_named() {
    let project = Project::new(UGLY)
        .file("neat.tune.hcl", NEAT)
        .file("tune.vars.hcl", "a=1\n")
        .file("other.hcl", UGLY)
        .file("below/x.tune.hcl", UGLY)
        .file(".hidden/x.tune.hcl", UGLY);
    let mode = fs::Permissions::from_mode(0o640);
    fs::set_permissions(project.path().join("main.tune.hcl"), mode.clone()).unwrap();
    assert_eq!(project.run(&["fmt"]).code(0).stdout, "main.tune.hcl\ntune.vars.hcl\n");
    assert_eq!(text(&project, "main.tune.hcl"), NEAT);
    assert_eq!(text(&project, "tune.vars.hcl"), "a = 1\n");
    assert_eq!(fs::metadata(project.path().join("main.tune.hcl")).unwrap().permissions().mode() & 0o777, mode.mode());
    assert_eq!([text(&project, "other.hcl"), text(&project, "below/x.tune.hcl")], [UGLY, UGLY]);
    assert_eq!(project.run(&["fmt", "-recursive"]).code(0).stdout, "below/x.tune.hcl\n");
    assert_eq!([text(&project, "below/x.tune.hcl"), text(&project, ".hidden/x.tune.hcl")], [NEAT, UGLY]);
    assert_eq!(project.run(&["fmt", "-recursive"]).code(0).stdout, "");
    let left: Vec<String> = project
        .listing()
        .keys()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| name.starts_with(".tune"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_check_changes_nothing_and_has_an_exit_code_of_its_own() {
    let project = Project::new(UGLY);
    let before = project.listing();
    let said = project.run(&["fmt", "-check", "-diff"]).code(3);
    assert_eq!(
        said.stdout,
        "main.tune.hcl\n    variable \"a\" {\n  - default=1 # why\n  +   default = 1 # why\n    }\n"
    );
    assert_eq!(project.listing(), before);
    let _ = project.run(&["fmt", "main.tune.hcl"]).code(0);
    assert_eq!(project.run(&["fmt", "-check"]).code(0).stdout, "");
}

#[test]
fn nothing_is_written_or_listed_when_that_is_asked_for() {
    let project = Project::new("locals {\na=1\n}\n");
    let before = text(&project, "main.tune.hcl");
    assert_eq!(project.run(&["fmt", "-write=false"]).code(0).stdout, "main.tune.hcl\n");
    assert_eq!(project.run(&["fmt", "-check", "-list=false"]).code(3).stdout, "");
    assert_eq!(text(&project, "main.tune.hcl"), before);
    assert_eq!(project.run(&["fmt", "-list=false"]).code(0).stdout, "");
    assert_ne!(text(&project, "main.tune.hcl"), before);
}

#[test]
fn a_mistake_leaves_its_file_alone_and_hides_no_other() {
    let broken = "variable \"a\" {\n  default = \n}\n";
    let project = Project::new(UGLY).file("a.tune.hcl", broken).file("b.tune.hcl", "x {\n");
    let said = project.run(&["fmt"]).code(1);
    assert!(said.stderr.contains("a.tune.hcl") && said.stderr.contains("b.tune.hcl"), "{}", said.stderr);
    assert_eq!([text(&project, "a.tune.hcl"), text(&project, "main.tune.hcl")], [broken, NEAT]);
    let _ = project.run(&["fmt", "missing.tune.hcl"]).code(1);
}

#[test]
fn a_link_stays_a_link() {
    let project = Project::empty().file("real/x.tune.hcl", UGLY);
    symlink("real/x.tune.hcl", project.path().join("link.tune.hcl")).unwrap();
    let _ = project.run(&["fmt"]).code(0);
    assert!(project.path().join("link.tune.hcl").is_symlink());
    assert_eq!(text(&project, "real/x.tune.hcl"), NEAT);
}

#[test]
fn every_example_has_the_layout() {
    let project = Project::empty();
    let examples = root().join("examples");
    let _ = project.run(&["fmt", "-check", "-recursive", examples.to_str().unwrap()]).code(0);
}
