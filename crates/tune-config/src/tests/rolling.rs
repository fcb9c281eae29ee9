//! `rollout` and `check`: what they mean, and what is evaluated again while a plan runs.

use std::time::Duration;

use tune_core::resource::Consent;
use tune_core::rollout::{Answers, Cap, OnFailure, Verdict};
use tune_core::{Address, AttributePath};

use super::{answers, good, resolve_with, value_of};
use crate::Configuration;

fn address(text: &str) -> Address {
    text.parse().expect("an address")
}

const GROUP: &str = r#"
    host "h" {
      for_each = toset(["a", "b", "c"])
      address  = "h-${each.key}"
    }
    resource "sysctl" "s" {
      for_each = host.h
      host     = each.value
      settings = {}
    }
    check "etcd" {
      probe "etcd" "now" { hosts = values(host.h) }
      assert {
        condition     = probe.etcd.now.healthy_voters == local.all
        error_message = "Every member must be healthy."
      }
      assert {
        condition     = contains(probe.etcd.now.members, probe.etcd.now.leader)
        error_message = "There must be a leader, not ${probe.etcd.now.leader}."
      }
    }
    locals { all = length(host.h) }
"#;

#[test]
fn a_rollout_with_all_its_attributes() {
    let configuration = good(&format!(
        r#"{GROUP}
        rollout "r" {{
          members         = [host.h["b"], host.h["a"]]
          last            = host.h["b"]
          max_unavailable = "50%"
          canary          = 1
          gates           = [check.etcd]
          settle          = "1m30s"
          timeout         = "10m"
          soak            = "24h"
          on_failure      = "revert_run"
          lifecycle {{
            accept = ["outage"]
          }}
        }}
        rollout "plain" {{ members = host.h }}
        "#
    ));
    let rollout = &configuration.rollouts[&address("rollout.r")];
    assert_eq!(rollout.members, [address("host.h[\"b\"]"), address("host.h[\"a\"]")]);
    assert_eq!(rollout.last, [address("host.h[\"b\"]")].into());
    assert_eq!((rollout.max_unavailable, rollout.canary), (Cap::Percent(50), Some(1)));
    assert_eq!(rollout.gates, [address("check.etcd")]);
    let seconds = [90, 600, 86_400].map(Duration::from_secs);
    assert_eq!([rollout.settle, rollout.timeout, rollout.soak], seconds);
    assert_eq!(rollout.on_failure, OnFailure::RevertRun);
    assert_eq!(rollout.accept, [Consent::Outage].into());
    let plain = &configuration.rollouts[&address("rollout.plain")];
    assert_eq!(*plain, tune_core::rollout::Rollout::new(plain.address.clone(), plain.members.clone()));
    assert_eq!(plain.members.len(), 3);
    let check = &configuration.checks[&address("check.etcd")];
    assert_eq!(check.probes.len(), 1);
    assert_eq!(
        check.probes[0].attributes["hosts"].to_string(),
        r#"["host.h[\"a\"]", "host.h[\"b\"]", "host.h[\"c\"]"]"#
    );
}

#[test]
fn what_rolling_adds_to_the_order_has_places() {
    let configuration = good(&format!(
        "{GROUP}\nrollout \"r\" {{\n  members = [host.h[\"b\"], host.h[\"a\"]]\n  gates   = [check.etcd]\n}}\n"
    ));
    let marked = |from: &str, to: &str| {
        configuration.edge_span(&address(from), &address(to)).map(|span| configuration.sources.marked(span))
    };
    assert_eq!(marked("rollout.r", "host.h[\"a\"]"), Some("host.h[\"a\"]"));
    assert_eq!(marked("rollout.r", "check.etcd"), Some("check.etcd"));
    assert_eq!(marked("sysctl.s[\"a\"]", "host.h[\"a\"]"), Some("each.value"));
    assert_eq!(marked("rollout.r", "host.h[\"c\"]"), None);
    let place = |address: &str, name: &str| {
        let span = configuration.span_of(&self::address(address), &AttributePath::attribute(name));
        span.map(|span| configuration.sources.marked(span))
    };
    assert_eq!(place("rollout.r", "gates"), Some("[check.etcd]"));
    assert_eq!(place("check.etcd", "x"), Some("check \"etcd\""));
    let probe =
        configuration.probe_span(&address("check.etcd"), &address("etcd.now"), &AttributePath::attribute("hosts"));
    assert_eq!(probe.map(|span| configuration.sources.marked(span)), Some("values(host.h)"));
}

/// What the check `etcd` says of an answer.
fn verdict(configuration: &Configuration, answer: Option<&str>) -> Verdict {
    let answers: Answers = answer.map(|hcl| (address("etcd.now"), value_of(hcl))).into_iter().collect();
    configuration.live.judge(&address("check.etcd"), &answers)
}

#[test]
fn a_check_is_judged_anew_with_every_answer() {
    let configuration = good(GROUP);
    let judge = |answer: &str| verdict(&configuration, Some(answer));
    assert_eq!(judge(r#"{ leader = "a", voters = 3, healthy_voters = 3, members = ["a"] }"#), Verdict::Pass);
    let Verdict::Fail { messages } = judge(r#"{ leader = "x", voters = 3, healthy_voters = 2, members = ["a"] }"#)
    else {
        panic!("two of three are not all")
    };
    assert_eq!(
        messages,
        [
            "Every member must be healthy (`probe.etcd.now.healthy_voters` is 2)",
            "There must be a leader, not x (`probe.etcd.now.leader` is \"x\")",
        ]
    );
    let unknown = |reason: &str| Verdict::Unknown { reason: reason.to_owned() };
    assert_eq!(verdict(&configuration, None), unknown("`probe.etcd.now` got no answer"));
    assert_eq!(judge("{ voters = 3 }"), unknown("`probe.etcd.now` answered something else than it promises"));
    assert_eq!(
        configuration.live.judge(&address("check.nope"), &Answers::new()),
        unknown("there is no check `check.nope`")
    );
}

#[test]
fn a_condition_that_cannot_be_evaluated_says_why() {
    let configuration = good(
        r#"
        host "h" { address = "h" }
        check "etcd" {
          probe "etcd" "now" { hosts = [host.h] }
          assert {
            condition     = probe.etcd.now.members[2] == "a"
            error_message = "no"
          }
        }
        "#,
    );
    assert_eq!(
        verdict(&configuration, Some("{ voters = 1, healthy_voters = 1, members = [] }")),
        Verdict::Unknown { reason: "there is no element `2`: the list has 0 elements".to_owned() }
    );
}

#[test]
fn who_goes_last_is_decided_by_data_and_decided_again() {
    let hcl = format!(
        r#"{GROUP}
        data "etcd" "home" {{ hosts = values(host.h) }}
        data "etcd" "other" {{ hosts = values(host.h) }}
        locals {{
          leaders = [data.etcd.home.leader]
          last    = [for h in values(host.h) : h if contains(local.leaders, h.name)]
        }}
        rollout "r" {{
          members = [host.h["a"], host.h["b"]]
          last    = local.last
        }}
        "#
    );
    let answer = |leader: &str| format!("{{ leader = {leader}, voters = 3, healthy_voters = 3, members = [] }}");
    let known = answers(&[("etcd.home", &answer("\"h-a\"")), ("etcd.other", &answer("null"))]);
    let (_, configuration) = resolve_with(&hcl, &known);
    let configuration = configuration.expect("a good configuration");
    let rollout = &configuration.rollouts[&address("rollout.r")];
    assert_eq!(rollout.last, [address("host.h[\"a\"]")].into());
    // Sources answer with the same name.
    assert_eq!(configuration.hosts[&address("host.h[\"a\"]")].name, "h-a");
    let asked: Vec<String> = rollout.last_depends_on.iter().map(|query| query.address.to_string()).collect();
    assert_eq!(asked, ["etcd.home"]);
    let last = |hcl: &str| {
        let answers: Answers = [(address("etcd.home"), value_of(hcl))].into();
        configuration.live.last(&address("rollout.r"), &answers)
    };
    assert_eq!(last(&answer("\"h-b\"")), Ok([address("host.h[\"b\"]")].into()));
    // Who is no member does not go anywhere.
    assert_eq!(last(&answer("\"h-c\"")), Ok([].into()));
    assert_eq!(last(&answer("null")), Ok([].into()));
    assert_eq!(last("5"), Err("`data.etcd.home` answered something else than it promises".to_owned()));
}

#[test]
fn an_answer_for_one_instance_leaves_the_others() {
    let hcl = format!(
        r#"{GROUP}
        data "etcd" "each" {{
          for_each = host.h
          hosts    = [each.value]
        }}
        rollout "r" {{
          members = host.h
          last    = [for k, it in data.etcd.each : host.h[k] if it.leader == k]
        }}
        "#
    );
    let answer = |leader: &str| format!("{{ leader = \"{leader}\", voters = 1, healthy_voters = 1, members = [] }}");
    let [a, b] = [answer("a"), answer("b")];
    let known = answers(&[("etcd.each[\"a\"]", &a), ("etcd.each[\"b\"]", &b), ("etcd.each[\"c\"]", &answer("x"))]);
    let (_, configuration) = resolve_with(&hcl, &known);
    let configuration = configuration.expect("a good configuration");
    let rollout = address("rollout.r");
    assert_eq!(configuration.rollouts[&rollout].last_depends_on.len(), 3);
    let fresh: Answers = [(address("etcd.each[\"a\"]"), value_of(&answer("x")))].into();
    assert_eq!(configuration.live.last(&rollout, &fresh), Ok([address("host.h[\"b\"]")].into()));
}

#[test]
fn what_is_read_live_sees_no_changed_file() {
    let files = [
        (
            "main.tune.hcl",
            "host \"h\" {\n  address = \"h\"\n}\ncheck \"etcd\" {\n  probe \"etcd\" \"now\" {\n    hosts = [host.h]\n  }\n  assert {\n    condition = file(\"limit\") == tostring(probe.etcd.now.voters)\n    error_message = \"no\"\n  }\n}\n",
        ),
        ("limit", "3"),
    ];
    let configuration = super::resolve_files(&files, &crate::Inputs::default()).expect("a good configuration");
    let answer = "{ voters = 3, healthy_voters = 3, members = [] }";
    assert_eq!(verdict(&configuration, Some(answer)), Verdict::Pass);
    assert!(configuration.files.contains_key("limit"));
}

#[test]
fn the_order_of_a_rollout_is_no_secret() {
    let hcl = format!("{GROUP}\nrollout \"r\" {{\n  members = host.h\n  last    = sensitive([host.h[\"a\"]])\n}}\n");
    assert_eq!(
        super::shown(&super::mistakes(&hcl)),
        "sensitive_value «sensitive(*************)» a secret cannot be used in `last`"
    );
}
