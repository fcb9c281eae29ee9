//! The calls of the API: which there are, who may make them, what they take, and what they do.

pub(crate) mod access;
pub(crate) mod agent;
pub(crate) mod cluster;
pub(crate) mod config;
pub(crate) mod machines;
pub(crate) mod others;
pub(crate) mod power;
pub(crate) mod status;
pub(crate) mod tasks;

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::disks::Act;
use crate::errors::Failure;
use crate::schema::check::check_params;
use crate::schema::{Params, Prop, Table, Value, formats, truthy};
use crate::world::World;

/// Somebody's request, read and authenticated.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: String,
    /// The path behind the formatter, decoded.
    pub(crate) path: String,
    pub(crate) params: Params,
    /// The user or the token's full name; empty for calls that need nobody.
    pub(crate) who: String,
}

impl Call {
    /// A parameter's text, where it was given one.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.params.get(key).and_then(Value::text)
    }

    /// Whether a flag is set.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.params.get(key).is_some_and(Value::is_true)
    }

    /// A number, where one was given.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        self.text(key)?.trim().parse().ok()
    }

    /// The node in the path.
    pub(crate) fn node(&self) -> &str {
        self.text("node").unwrap_or_default()
    }

    /// The machine in the path; the schema has checked it.
    pub(crate) fn vmid(&self) -> u32 {
        self.text("vmid").and_then(|vmid| vmid.trim().parse().ok()).unwrap_or_default()
    }

    /// Who acts on the machine in the path.
    pub(crate) fn act(&self) -> Act<'_> {
        Act { node: self.node(), vmid: self.vmid(), who: &self.who, task: None }
    }

    /// The parameters that are not part of the path.
    pub(crate) fn own_params(&self) -> Params {
        let mut params = self.params.clone();
        params.remove("node");
        params.remove("vmid");
        params
    }
}

/// What a call gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    /// The value of `data`.
    Data(Json),
    /// A part of a list, with how many rows there are in all.
    Part(Vec<Json>, Option<usize>),
    /// A text file.
    Text(String),
    /// Nothing if this task ends well in time, its failure if it fails in time, else its name.
    Wait { upid: String, vmid: u32, time: Duration },
}

impl Reply {
    const NULL: Result<Reply, Failure> = Ok(Reply::Data(Json::Null));
}

/// Who may make a call.
#[derive(Clone, Copy, Debug)]
enum Need {
    /// Anybody who is logged in; the call itself may check more.
    Anyone,
    /// Anybody at all, but not a token.
    NoToken,
    /// These privileges on the machine in the path.
    Vm(&'static [&'static str]),
    /// One of these privileges on the machine in the path.
    AnyVm(&'static [&'static str]),
    /// These privileges on `/`.
    Root(&'static [&'static str]),
    /// These privileges on the node in the path.
    Node(&'static [&'static str]),
}

type Handler = fn(&mut World, &Call) -> Result<Reply, Failure>;

/// One call.
struct Route {
    method: &'static str,
    /// Segments; those in braces are parameters.
    path: &'static str,
    params: fn() -> &'static Table,
    need: Need,
    run: Handler,
}

const fn route(
    method: &'static str,
    path: &'static str,
    params: fn() -> &'static Table,
    need: Need,
    run: Handler,
) -> Route {
    Route { method, path, params, need, run }
}

impl Route {
    /// The parameters that the path gives, if it is this call's.
    fn matches(&self, method: &str, segments: &[&str]) -> Option<Vec<(&'static str, String)>> {
        if self.method != method {
            return None;
        }
        let mut given = Vec::new();
        let mut segments = segments.iter();
        for part in self.path.split('/').filter(|part| !part.is_empty()) {
            let segment = segments.next()?;
            match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => given.push((name, (*segment).to_owned())),
                None if part == *segment => {}
                None => return None,
            }
        }
        segments.next().is_none().then_some(given)
    }
}

/// Makes a call.
pub(crate) fn dispatch(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let segments: Vec<&str> = call.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let areas: [&[Route]; 9] = [
        &config::ROUTES,
        &status::ROUTES,
        &power::ROUTES,
        &machines::ROUTES,
        &others::ROUTES,
        &agent::ROUTES,
        &tasks::ROUTES,
        &access::ROUTES,
        &cluster::ROUTES,
    ];
    let found = areas
        .iter()
        .flat_map(|area| area.iter())
        .find_map(|route| Some((route, route.matches(&call.method, &segments)?)));
    let Some((route, in_path)) = found else {
        let path = if call.path.is_empty() { "/" } else { &call.path };
        return Err(Failure::no_such_call(&call.method, path));
    };
    let mut call = call.clone();
    for (key, value) in &in_path {
        let fits = match call.params.get(*key) {
            None | Some(Value::Undef) => true,
            Some(other) => other.text() == Some(value),
        };
        if !fits {
            let message = "duplicate parameter (already defined in URI) with conflicting values!";
            return Err(Failure::parameter(key, message));
        }
        call.params.insert((*key).to_owned(), Value::Text(value.clone()));
    }
    check_need(world, route.need, &call)?;
    if in_path.iter().any(|(key, _)| *key == "node") {
        check_node(world, call.node())?;
        if call.node() == "localhost" {
            call.params.insert("node".to_owned(), Value::Text(world.local.clone()));
        }
    }
    check_schema(route, &in_path, &mut call)?;
    (route.run)(world, &call)
}

fn check_need(world: &World, need: Need, call: &Call) -> Result<(), Failure> {
    let token = call.who.contains('!');
    if matches!(need, Need::NoToken) && token {
        let message = format!("URI '{}' not available with API token, need proper ticket.\n", call.path);
        return Err(Failure::permission(&message));
    }
    // A path that is none is one on which nobody but root has anything.
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let path = |prefix: &str, name: &str| {
        if name.chars().all(part) { format!("{prefix}/{name}") } else { String::new() }
    };
    let machine = || path("/vms", call.text("vmid").unwrap_or_default());
    match need {
        Need::Anyone | Need::NoToken => Ok(()),
        Need::Vm(wanted) => world.access.check(&call.who, &machine(), wanted),
        Need::AnyVm(wanted) => world.access.check_any(&call.who, &machine(), wanted),
        Need::Root(wanted) => world.access.check(&call.who, "/", wanted),
        Need::Node(wanted) => world.access.check(&call.who, &path("/nodes", call.node()), wanted),
    }
}

fn check_node(world: &World, node: &str) -> Result<(), Failure> {
    match world.nodes.get(node) {
        Some(true) => Ok(()),
        None if node == "localhost" => Ok(()),
        Some(false) => Err(Failure::Error { code: 595, message: "No route to host\n".to_owned(), errors: [].into() }),
        None => Err(Failure::internal(format!(
            "hostname lookup '{node}' failed - failed to get address info for: {node}: Name or service not known"
        ))),
    }
}

/// Brings the parameters into the form of the call's table and checks them.
fn check_schema(route: &Route, in_path: &[(&'static str, String)], call: &mut Call) -> Result<(), Failure> {
    let table = (route.params)();
    for (key, value) in &mut call.params {
        let list = table.get(key).is_some_and(|prop| matches!(prop.format, crate::schema::Format::List(_)));
        let array = table.get(key).is_some_and(|prop| prop.kind == crate::schema::Kind::Array);
        match value {
            Value::Array(items) if list => {
                let texts: Vec<&str> = items.iter().filter_map(Value::text).collect();
                *value = Value::Text(texts.join(","));
            }
            Value::Text(text) if array => *value = Value::Array(vec![Value::Text(text.clone())]),
            _ => {}
        }
    }
    let mut own = call.params.clone();
    let mut errors = crate::schema::Errors::new();
    for (key, _) in in_path.iter().filter(|(key, _)| table.get(key).is_none()) {
        if let Some(value) = own.remove(*key) {
            crate::schema::check::check_value(&value, &path_prop(key), key, &mut errors);
        }
    }
    errors.extend(check_params(table, &own));
    if errors.is_empty() { Ok(()) } else { Err(Failure::parameters(errors)) }
}

fn path_prop(key: &str) -> Prop {
    match key {
        "node" => Prop::string().check(formats::node),
        "vmid" => Prop::integer().check(formats::vmid).min(100.0).max(999_999_999.0),
        "snapname" => Prop::string().check(formats::config_id).longest(40),
        "userid" => Prop::string().check(formats::user_id).longest(64),
        "tokenid" => Prop::string().pattern(r"[A-Za-z][A-Za-z0-9.\-_]+"),
        "roleid" => Prop::string().check(formats::role_id),
        "groupid" => Prop::string().check(formats::group_id),
        _ => Prop::string(),
    }
}

/// Rows of one text each, as the listings of what is below a path have them.
fn index(key: &str, names: &[&str]) -> Result<Reply, Failure> {
    Ok(Reply::Data(names.iter().map(|name| json!({ key: name })).collect()))
}

/// The value of a number that a user may have left out, as the server's language takes it for true or false.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| truthy(text))
}
