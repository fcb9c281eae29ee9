//! The calls that are made, with their answers as types. A machine is looked for where it was last seen, and where the
//! cluster says it is when it is not there any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Method;
use serde_json::Value as Json;
use tokio::sync::OnceCell;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::http::{Answer, Call, Client};
use crate::vm::Entry;

/// How often a machine that moves is looked for.
const SEARCHES: usize = 5;

/// One cluster.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) client: Client,
    /// Where it answers, for people.
    pub(crate) name: String,
    /// What the cluster listed last: where each machine was seen.
    places: Mutex<BTreeMap<u32, Place>>,
    permissions: OnceCell<Permissions>,
}

/// What a user may do: by path, each privilege with whether it holds below.
pub(crate) type Permissions = BTreeMap<String, BTreeMap<String, bool>>;

/// A machine in the cluster's listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Place {
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) is_container: bool,
    pub(crate) is_template: bool,
    pub(crate) pool: Option<String>,
    pub(crate) tags: BTreeSet<String>,
}

/// A machine's options, and the digest that guards a write of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) options: BTreeMap<String, Entry>,
    pub(crate) digest: String,
}

/// How a machine is doing at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) node: String,
    pub(crate) name: String,
    pub(crate) running: bool,
    /// QEMU's process.
    pub(crate) pid: u64,
    /// What QEMU says of itself: `running`, `paused`.
    pub(crate) qmp: String,
    /// Seconds since QEMU began.
    pub(crate) uptime: u64,
    pub(crate) lock: Option<String>,
    pub(crate) ha: bool,
    /// Whether the machine was started with a port for a guest agent.
    pub(crate) agent: bool,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) fingerprint: Option<String>,
    pub(crate) processors: Option<u64>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) upid: String,
    pub(crate) kind: String,
    /// `None` while it runs.
    pub(crate) result: Option<Result<(), String>>,
    /// Seconds since 1970.
    pub(crate) start: u64,
    pub(crate) end: Option<u64>,
}

/// What a write does to a machine's options.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Write {
    pub(crate) set: BTreeMap<String, String>,
    pub(crate) delete: BTreeSet<String>,
    pub(crate) revert: BTreeSet<String>,
}

impl Write {
    pub(crate) fn is_empty(&self) -> bool {
        self.set.is_empty() && self.delete.is_empty() && self.revert.is_empty()
    }

    /// Returns every option that is touched.
    pub(crate) fn touched(&self) -> BTreeSet<String> {
        self.set.keys().chain(&self.delete).chain(&self.revert).cloned().collect()
    }
}

impl Api {
    pub(crate) fn new(client: Client, name: String) -> Self {
        Self { client, name, places: Mutex::new(BTreeMap::new()), permissions: OnceCell::new() }
    }

    /// Returns every machine that the user may see, and where it lives now.
    pub(crate) async fn listing(&self) -> Result<BTreeMap<u32, Place>, Failure> {
        let answer = self.client.call(&Call::get(&["cluster", "resources"]).with("type", "vm")).await?;
        let places: BTreeMap<u32, Place> = answer.data.as_array().into_iter().flatten().filter_map(place).collect();
        self.known().clone_from(&places);
        Ok(places)
    }

    /// Returns what the cluster said of some machines when it listed them last, and asks again only where it said nothing
    /// of one. A machine that has moved since is found by the call about it.
    pub(crate) async fn places(&self, vmids: &BTreeSet<u32>) -> Result<BTreeMap<u32, Place>, Failure> {
        let known: Option<BTreeMap<u32, Place>> = {
            let known = self.known();
            vmids.iter().map(|vmid| Some((*vmid, known.get(vmid)?.clone()))).collect()
        };
        match known {
            Some(known) => Ok(known),
            None => self.listing().await,
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<u32, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the options of a machine.
    pub(crate) async fn options(&self, vmid: u32) -> Result<Options, Failure> {
        let (answer, _) = self.at(vmid, |node| Call::get(&path(node, vmid, &["pending"]))).await?;
        let mut found = Options { options: BTreeMap::new(), digest: String::new() };
        for row in answer.data.as_array().into_iter().flatten() {
            let Some(key) = row["key"].as_str() else { continue };
            if key == "digest" {
                row["value"].as_str().unwrap_or_default().clone_into(&mut found.digest);
                continue;
            }
            let delete = number(&row["delete"]).is_some_and(|delete| delete != 0);
            let entry = Entry { current: text(&row["value"]), pending: text(&row["pending"]), delete };
            found.options.insert(key.to_owned(), entry);
        }
        if found.digest.is_empty() {
            return Err(Failure::NotApi { what: "a configuration without a digest".to_owned() });
        }
        Ok(found)
    }

    /// Returns how a machine is doing, with the server's time in seconds since 1970 where it tells it.
    pub(crate) async fn status(&self, vmid: u32) -> Result<(Status, Option<u64>), Failure> {
        let (answer, node) = self.at(vmid, |node| Call::get(&path(node, vmid, &["status", "current"]))).await?;
        let data = &answer.data;
        let running = data["status"] == "running";
        let status = Status {
            node,
            name: text(&data["name"]).unwrap_or_default(),
            running,
            pid: number(&data["pid"]).filter(|_| running).unwrap_or_default(),
            qmp: text(&data["qmpstatus"]).unwrap_or_default(),
            uptime: number(&data["uptime"]).unwrap_or_default(),
            lock: text(&data["lock"]),
            ha: number(&data["ha"]["managed"]).is_some_and(|managed| managed != 0),
            agent: number(&data["agent"]).is_some_and(|agent| agent != 0),
        };
        Ok((status, answer.date.as_deref().and_then(crate::clock::seconds)))
    }

    /// Returns the nodes of the cluster.
    pub(crate) async fn nodes(&self) -> Result<Vec<Node>, Failure> {
        let answer = self.client.call(&Call::get(&["nodes"])).await?;
        let rows = answer.data.as_array().cloned().unwrap_or_default();
        let mut nodes: Vec<Node> = rows
            .iter()
            .filter_map(|row| {
                Some(Node {
                    name: text(&row["node"])?,
                    fingerprint: text(&row["ssl_fingerprint"]),
                    processors: number(&row["maxcpu"]),
                })
            })
            .collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(nodes)
    }

    /// Returns what the user may do, as the API said when it was asked first: it is for a look ahead at the plan. What is
    /// refused later shows itself.
    pub(crate) async fn permissions(&self) -> Result<&Permissions, Failure> {
        self.permissions.get_or_try_init(|| self.ask_for_permissions()).await
    }

    async fn ask_for_permissions(&self) -> Result<Permissions, Failure> {
        let answer = self.client.call(&Call::get(&["access", "permissions"])).await?;
        let of = |privileges: &Json| -> BTreeMap<String, bool> {
            let entries = privileges.as_object().into_iter().flatten();
            entries.map(|(name, below)| (name.clone(), number(below) == Some(1) || *below == true)).collect()
        };
        let paths = answer.data.as_object().into_iter().flatten();
        Ok(paths.map(|(path, privileges)| (path.clone(), of(privileges))).collect())
    }

    /// Writes options, if the machine is still as the digest says.
    pub(crate) async fn write(&self, vmid: u32, digest: &str, write: &Write) -> Result<(), Failure> {
        let call = |node: &str| {
            let mut call = Call::put(&path(node, vmid, &["config"])).with("digest", digest);
            for (name, value) in &write.set {
                call = call.with(name, value);
            }
            let list = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(",");
            for (name, names) in [("delete", &write.delete), ("revert", &write.revert)] {
                if !names.is_empty() {
                    call = call.with(name, list(names));
                }
            }
            call
        };
        self.at(vmid, call).await.map(drop)
    }

    /// Begins a power operation; returns its task.
    pub(crate) async fn power(&self, vmid: u32, verb: &str, arguments: &[(&str, String)]) -> Result<String, Failure> {
        let call = |node: &str| {
            let call = Call::post(&path(node, vmid, &["status", verb]));
            arguments.iter().fold(call, |call, (name, value)| call.with(name, value))
        };
        let (answer, _) = self.at(vmid, call).await?;
        text(&answer.data).ok_or_else(|| Failure::NotApi { what: "a task without a name".to_owned() })
    }

    /// Returns what became of a task.
    pub(crate) async fn task(&self, upid: &str) -> Result<Task, Failure> {
        // A task stays on the node that runs it, wherever its machine goes.
        let node = upid.split(':').nth(1).unwrap_or_default();
        let answer = self.client.call(&Call::get(&["nodes", node, "tasks", upid, "status"])).await?;
        let data = &answer.data;
        let is_over = data["status"] == "stopped";
        let result = is_over.then(|| result(data["exitstatus"].as_str().unwrap_or("unexpected status")));
        Ok(Task {
            upid: upid.to_owned(),
            kind: text(&data["type"]).unwrap_or_default(),
            result,
            start: number(&data["starttime"]).unwrap_or_default(),
            end: None,
        })
    }

    /// Returns the latest tasks of a machine on its node that the user may see, the newest first.
    pub(crate) async fn tasks(&self, vmid: u32, only_active: bool) -> Result<Vec<Task>, Failure> {
        let source = if only_active { "active" } else { "all" };
        let call = |node: &str| {
            Call::get(&["nodes", node, "tasks"])
                .with("vmid", vmid.to_string())
                .with("source", source)
                .with("limit", "20")
        };
        let node = self.node(vmid).await?;
        let answer = self.client.call(&call(&node)).await?;
        let rows = answer.data.as_array().cloned().unwrap_or_default();
        let mut tasks: Vec<Task> = rows.iter().filter_map(|row| task_row(row, only_active)).collect();
        tasks.sort_by(|a, b| (b.start, &b.upid).cmp(&(a.start, &a.upid)));
        Ok(tasks)
    }

    /// Returns whether the guest agent answers. The API itself waits three seconds for it.
    pub(crate) async fn ping(&self, vmid: u32) -> Result<(), Failure> {
        self.at(vmid, |node| Call::post(&path(node, vmid, &["agent", "ping"]))).await.map(drop)
    }

    /// Makes a call about a machine on the node where it lives, and looks for it if it is not there any more, or if its node
    /// is gone.
    async fn at(&self, vmid: u32, call: impl Fn(&str) -> Call) -> Result<(Answer, String), Failure> {
        let mut node = self.node(vmid).await?;
        let mut pause = Duration::from_millis(100);
        for _ in 0..SEARCHES {
            let call = call(&node);
            let failure = match self.client.call(&call).await {
                Ok(answer) => return Ok((answer, node)),
                Err(failure) => failure,
            };
            // Nothing was done there, or nothing was to be. The listing knows at once where a machine is.
            let is_gone = failure.is_node_away() || (call.method == Method::GET && failure.is_unknown());
            if !failure.is_elsewhere() && !is_gone {
                return Err(failure);
            }
            let Ok(mut places) = self.listing().await else { return Err(failure) };
            let Some(place) = places.remove(&vmid) else { return Err(failure) };
            if place.node == node {
                if is_gone {
                    return Err(failure);
                }
                sleep(pause).await;
                pause *= 2;
            }
            node = place.node;
        }
        self.client.call(&call(&node)).await.map(|answer| (answer, node))
    }

    async fn node(&self, vmid: u32) -> Result<String, Failure> {
        let place = self.places(&[vmid].into()).await?.remove(&vmid);
        place.map(|place| place.node).ok_or_else(|| no_vm(vmid))
    }
}

/// Returns the failure of a call about a machine that is nowhere, in the API's own words.
fn no_vm(vmid: u32) -> Failure {
    let message = format!("unable to find configuration file for VM {vmid} on any node");
    Failure::Refused { code: 500, message, errors: BTreeMap::new() }
}

fn path<'a>(node: &'a str, vmid: u32, rest: &[&'a str]) -> Vec<String> {
    let head = ["nodes".to_owned(), node.to_owned(), "qemu".to_owned(), vmid.to_string()];
    head.into_iter().chain(rest.iter().map(|part| (*part).to_owned())).collect()
}

fn place(row: &Json) -> Option<(u32, Place)> {
    let vmid = u32::try_from(number(&row["vmid"])?).ok()?;
    let tags = text(&row["tags"]).unwrap_or_default();
    let place = Place {
        node: text(&row["node"])?,
        name: text(&row["name"]).unwrap_or_default(),
        is_container: row["type"] == "lxc",
        is_template: number(&row["template"]) == Some(1),
        pool: text(&row["pool"]),
        tags: crate::value::words(&tags).into_iter().map(str::to_owned).collect(),
    };
    Some((vmid, place))
}

fn task_row(row: &Json, is_active: bool) -> Option<Task> {
    let end = number(&row["endtime"]).filter(|end| *end > 0);
    let status = text(&row["status"]).filter(|status| !status.is_empty() && status != "RUNNING");
    Some(Task {
        upid: text(&row["upid"])?,
        kind: text(&row["type"]).unwrap_or_default(),
        result: if is_active || end.is_none() {
            None
        } else {
            Some(result(status.as_deref().unwrap_or("unexpected status")))
        },
        start: number(&row["starttime"]).unwrap_or_default(),
        end,
    })
}

/// Warnings are a success.
fn result(status: &str) -> Result<(), String> {
    if status == "OK" || status.starts_with("WARNINGS:") { Ok(()) } else { Err(status.to_owned()) }
}

/// Returns a number, whether it came as one or as a text.
fn number(value: &Json) -> Option<u64> {
    match value {
        Json::Number(number) => number.as_u64(),
        Json::String(text) => text.parse().ok(),
        Json::Bool(on) => Some(u64::from(*on)),
        _ => None,
    }
}

/// Returns a value as the configuration file has it.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(on) => Some(u8::from(*on).to_string()),
        _ => None,
    }
}
