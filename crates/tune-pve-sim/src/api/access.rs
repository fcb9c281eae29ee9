//! Users, roles and permissions, and logging in with a password.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::{Call, Need, Reply, Route, given, index, route};
use crate::access::{Access, ROOT, built_in_roles};
use crate::errors::Failure;
use crate::schema::methods as params;
use crate::world::World;

pub(super) static ROUTES: [Route; 15] = [
    route("GET", "/access", params::none, Need::Anyone, |_, _| {
        index("subdir", &["users", "groups", "roles", "acl", "domains", "openid", "tfa", "ticket", "password"])
    }),
    route("GET", "/access/ticket", params::none, Need::Anyone, |_, _| Reply::NULL),
    route("POST", "/access/ticket", params::ticket, Need::NoToken, log_in),
    route("GET", "/access/permissions", params::permissions, Need::Anyone, permissions),
    route("GET", "/access/acl", params::none, Need::Anyone, acl),
    route("GET", "/access/users", params::users, Need::Anyone, users),
    route("GET", "/access/users/{userid}", params::none, Need::Anyone, user),
    route("GET", "/access/users/{userid}/token", params::none, Need::Anyone, tokens),
    route("GET", "/access/users/{userid}/token/{tokenid}", params::none, Need::Anyone, token),
    route("GET", "/access/roles", params::none, Need::Anyone, roles),
    route("GET", "/access/roles/{roleid}", params::none, Need::Anyone, role),
    route("GET", "/access/groups", params::none, Need::Anyone, groups),
    route("GET", "/access/groups/{groupid}", params::none, Need::Anyone, group),
    route("GET", "/access/domains", params::none, Need::Anyone, domains),
    route("GET", "/pools", params::none, Need::Anyone, pools),
];

/// How long a ticket is good, and how far ahead its time may be, in seconds.
const TICKET_AGE: (i64, i64) = (-300, 7200);

fn sign(world: &World, text: &str) -> String {
    let sum = Sha256::digest(format!("{}:{text}", world.secret));
    STANDARD_NO_PAD.encode(sum)
}

fn make_ticket(world: &World, user: &str) -> String {
    let text = format!("PVE:{user}:{:08X}", world.unix());
    let signature = sign(world, &text);
    format!("{text}::{signature}")
}

fn make_csrf(world: &World, user: &str) -> String {
    let time = format!("{:08X}", world.unix());
    let signature = sign(world, &format!("{time}:{user}"));
    format!("{time}:{signature}")
}

fn fresh(world: &World, time: &str) -> bool {
    let age = i64::from_str_radix(time, 16).map(|time| world.unix() - time);
    age.is_ok_and(|age| age > TICKET_AGE.0 && age < TICKET_AGE.1)
}

/// The user of a good ticket.
pub(crate) fn ticket_user(world: &World, ticket: &str) -> Option<String> {
    let (text, signature) = ticket.split_once("::")?;
    let (user, time) = text.strip_prefix("PVE:")?.rsplit_once(':')?;
    let good = time.len() == 8 && fresh(world, time) && signature == sign(world, text);
    (good && world.access.active(user, world.unix())).then(|| user.to_owned())
}

/// Whether a token against forged requests is good for a user.
pub(crate) fn csrf_is_good(world: &World, user: &str, token: &str) -> bool {
    let Some((time, signature)) = token.split_once(':') else { return false };
    time.len() == 8 && fresh(world, time) && signature == sign(world, &format!("{time}:{user}"))
}

fn log_in(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let mut user = call.text("username").unwrap_or_default().to_owned();
    if let Some(realm) = given(call.text("realm")) {
        user = format!("{user}@{realm}");
    }
    let password = call.text("password").unwrap_or_default();
    let known = world.access.users.get(&user).and_then(|user| user.password.as_deref()) == Some(password);
    let renewed = ticket_user(world, password).is_some_and(|owner| owner == user);
    let wanted = given(call.text("path")).zip(given(call.text("privs")));
    let allowed = wanted.is_none_or(|(path, privileges)| {
        let privileges = crate::schema::split_list(privileges);
        !privileges.is_empty() && world.access.allows(&user, path, &privileges)
    });
    // Nobody here has a second factor that could have been asked for.
    let second = given(call.text("tfa-challenge")).is_some();
    if !(known || renewed) || second || !allowed || !world.access.active(&user, world.unix()) {
        return Err(Failure::Error { code: 401, message: "authentication failure\n".to_owned(), errors: [].into() });
    }
    if wanted.is_some() {
        return Ok(Reply::Data(json!({ "username": user, "cap": capabilities(&world.access, &user) })));
    }
    Ok(Reply::Data(json!({
        "username": user,
        "ticket": make_ticket(world, &user),
        "CSRFPreventionToken": make_csrf(world, &user),
        "cap": capabilities(&world.access, &user),
    })))
}

/// What the web interface needs to know about somebody's privileges.
fn capabilities(access: &Access, user: &str) -> Json {
    let mut paths: BTreeSet<String> =
        ["/", "/nodes", "/access/groups", "/vms", "/storage", "/sdn", "/mapping"].map(str::to_owned).into();
    paths.extend(access.rules().map(|rule| rule.path.clone()));
    let mut groups: Map<String, Json> = ["vms", "storage", "access", "nodes", "dc", "sdn", "mapping"]
        .map(|group| (group.to_owned(), json!({})))
        .into_iter()
        .collect();
    for path in paths {
        let below = |prefix: &str| path == "/" || path == prefix || path.starts_with(&format!("{prefix}/"));
        for privilege in access.privileges(user, &path).into_keys() {
            let mut add = |group: &str| groups[group][privilege] = 1.into();
            let is = |prefix: &str| privilege.starts_with(prefix);
            let hands_on = privilege == "Permissions.Modify";
            if (below("/vms") || below("/pool")) && (is("VM.") || hands_on) {
                add("vms");
            }
            if (below("/access")) && (is("User.") || is("Group.") || hands_on) {
                add("access");
            }
            if (below("/storage") || below("/pool")) && (is("Datastore.") || hands_on) {
                add("storage");
            }
            if below("/nodes") && (is("Sys.") || hands_on) {
                add("nodes");
            }
            if below("/sdn") && (is("SDN.") || hands_on) {
                add("sdn");
            }
            if path == "/" && (privilege == "Sys.Audit" || privilege == "Sys.Modify" || is("SDN.")) {
                add("dc");
            }
            if below("/mapping") && (is("Mapping.") || hands_on) {
                add("mapping");
            }
        }
    }
    groups.into()
}

fn permissions(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let access = &world.access;
    let who = given(call.text("userid")).unwrap_or(&call.who);
    let own_token = Access::owner(who) == call.who;
    if who != call.who && !own_token {
        access.check(&call.who, "/access", &["Sys.Audit"])?;
    }
    let object = |path: &str| -> Map<String, Json> {
        let privileges = access.privileges(who, path).into_iter();
        privileges.map(|(privilege, propagate)| (privilege.to_owned(), i32::from(propagate).into())).collect()
    };
    let all: Map<String, Json> = if let Some(path) = given(call.text("path")) {
        Map::from_iter([(path.to_owned(), object(path).into())])
    } else {
        let paths = access.known_paths().into_iter().map(|path| (object(&path), path));
        paths.filter(|(object, _)| !object.is_empty()).map(|(object, path)| (path, object.into())).collect()
    };
    Ok(Reply::Data(all.into()))
}

fn acl(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let access = &world.access;
    let audit = access.allows(&call.who, "/access", &["Sys.Audit"]);
    let hands_out = |path: &str| {
        let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty());
        let owner = [("/storage/", "Datastore.Allocate"), ("/vms/", "VM.Allocate"), ("/pool/", "Pool.Allocate")];
        let wanted = owner.into_iter().filter(|(prefix, _)| below(prefix)).map(|(_, privilege)| privilege);
        let wanted: Vec<&str> = std::iter::once("Permissions.Modify").chain(wanted).collect();
        access.check_any(&call.who, path, &wanted).is_ok()
    };
    let visible = access.rules().filter(|rule| audit || hands_out(&rule.path));
    let rows = visible.map(|rule| {
        json!({
            "path": rule.path,
            "type": rule.kind,
            "ugid": rule.who,
            "roleid": rule.role,
            "propagate": i32::from(rule.propagate),
        })
    });
    Ok(Reply::Data(rows.collect()))
}

fn groups_of<'a>(access: &'a Access, user: &'a str) -> impl Iterator<Item = &'a str> {
    access.groups.iter().filter(move |(_, members)| members.contains(user)).map(|(group, _)| group.as_str())
}

/// What it takes to see users.
const SEES_USERS: [&str; 2] = ["User.Modify", "Sys.Audit"];

/// Whether somebody has one of some privileges on a user, by having it on all groups or on one that the user is in.
fn looks_after(access: &Access, who: &str, user: &str, privileges: &[&str]) -> bool {
    let sees = |path: &str| access.check_any(who, path, privileges).is_ok();
    sees("/access/groups") || groups_of(access, user).any(|group| sees(&format!("/access/groups/{group}")))
}

fn token_rows(access: &Access, user: &str) -> Vec<Json> {
    let own = access.tokens.iter().filter_map(|(name, token)| {
        let short = name.strip_prefix(user)?.strip_prefix('!')?;
        Some(json!({ "tokenid": short, "expire": token.expire, "privsep": i32::from(token.separated) }))
    });
    own.collect()
}

fn user_row(access: &Access, name: &str, full: bool) -> Json {
    let user = &access.users[name];
    let realm = name.rsplit_once('@').map_or("", |(_, realm)| realm);
    let mut row = json!({
        "userid": name,
        "enable": i32::from(user.enabled),
        "expire": user.expire,
        "realm-type": realm,
    });
    if full {
        row["groups"] = groups_of(access, name).collect::<Vec<_>>().join(",").into();
        let tokens = token_rows(access, name);
        row["tokens"] = if tokens.is_empty() { Json::Null } else { tokens.into() };
    }
    row
}

fn users(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let access = &world.access;
    let wanted = call.text("enabled").map(|_| call.flag("enabled"));
    let visible = access.users.iter().filter(|(name, user)| {
        (call.who == **name || looks_after(access, &call.who, name, &SEES_USERS))
            && wanted.is_none_or(|enabled| enabled == user.enabled)
    });
    Ok(Reply::Data(visible.map(|(name, _)| user_row(access, name, call.flag("full"))).collect()))
}

fn refused() -> Failure {
    Failure::Error { code: 403, message: "Permission check failed\n".to_owned(), errors: [].into() }
}

/// The user in the path, who must exist and be looked after by the caller.
fn known_user<'a>(world: &World, call: &'a Call) -> Result<&'a str, Failure> {
    let name = call.text("userid").unwrap_or_default();
    if !world.access.users.contains_key(name) {
        return Err(Failure::internal(format!("no such user ('{name}')")));
    }
    if looks_after(&world.access, &call.who, name, &SEES_USERS) { Ok(name) } else { Err(refused()) }
}

/// The user in the path, whose tokens are seen by that user and by those who may change the user.
fn own_user<'a>(world: &World, call: &'a Call) -> Result<&'a str, Failure> {
    let name = call.text("userid").unwrap_or_default();
    let known = world.access.users.contains_key(name);
    match call.who == ROOT {
        true if !known => Err(Failure::internal(format!("no such user ('{name}')"))),
        false if !known || (call.who != name && !looks_after(&world.access, &call.who, name, &["User.Modify"])) => {
            Err(refused())
        }
        _ => Ok(name),
    }
}

fn by_name(tokens: Vec<Json>) -> Map<String, Json> {
    let named = tokens.into_iter().filter_map(|mut row| {
        let name = row.as_object_mut()?.remove("tokenid")?;
        Some((name.as_str()?.to_owned(), row))
    });
    named.collect()
}

fn user(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = known_user(world, call)?;
    let access = &world.access;
    let user = &access.users[name];
    let groups: Vec<&str> = groups_of(access, name).collect();
    let tokens = by_name(token_rows(access, name));
    let tokens = if tokens.is_empty() { Json::Null } else { tokens.into() };
    Ok(Reply::Data(
        json!({ "enable": i32::from(user.enabled), "expire": user.expire, "groups": groups, "tokens": tokens }),
    ))
}

fn tokens(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = own_user(world, call)?;
    Ok(Reply::Data(token_rows(&world.access, name).into()))
}

fn token(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = own_user(world, call)?;
    let wanted = call.text("tokenid").unwrap_or_default();
    match by_name(token_rows(&world.access, name)).remove(wanted) {
        Some(row) => Ok(Reply::Data(row)),
        None => Err(Failure::internal(format!("no such token '{wanted}' for user '{name}'"))),
    }
}

fn group(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    world.access.check_any(&call.who, "/access/groups", &["Sys.Audit", "Group.Allocate"])?;
    let name = call.text("groupid").unwrap_or_default();
    match world.access.groups.get(name) {
        Some(members) => Ok(Reply::Data(json!({ "members": members }))),
        None => Err(Failure::internal(format!("group '{name}' does not exist"))),
    }
}

fn roles(world: &mut World, _: &Call) -> Result<Reply, Failure> {
    let built_in = built_in_roles();
    let rows = world.access.roles.iter().map(|(role, privileges)| {
        let privileges: Vec<&str> = privileges.iter().map(String::as_str).collect();
        json!({
            "roleid": role,
            "privs": privileges.join(","),
            "special": i32::from(built_in.contains_key(role)),
        })
    });
    Ok(Reply::Data(rows.collect()))
}

fn role(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let name = call.text("roleid").unwrap_or_default();
    let Some(privileges) = world.access.roles.get(name) else {
        return Err(Failure::internal(format!("role '{name}' does not exist")));
    };
    Ok(Reply::Data(privileges.iter().map(|privilege| (privilege.clone(), Json::from(1))).collect()))
}

fn groups(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let access = &world.access;
    let wanted = ["User.Modify", "Sys.Audit", "Group.Allocate"];
    let sees = |group: &str| access.check_any(&call.who, &format!("/access/groups/{group}"), &wanted).is_ok();
    let rows = access.groups.iter().filter(|(group, _)| sees(group)).map(|(group, members)| {
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        json!({ "groupid": group, "users": members.join(",") })
    });
    Ok(Reply::Data(rows.collect()))
}

fn domains(_: &mut World, _: &Call) -> Result<Reply, Failure> {
    Ok(Reply::Data(json!([
        { "realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication" },
        { "realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server" },
    ])))
}

fn pools(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let access = &world.access;
    let visible =
        access.pools.keys().filter(|pool| access.allows(&call.who, &format!("/pool/{pool}"), &["Pool.Audit"]));
    Ok(Reply::Data(visible.map(|pool| json!({ "poolid": pool })).collect()))
}
