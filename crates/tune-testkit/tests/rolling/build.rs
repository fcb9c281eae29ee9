//! A random fleet: hypervisors, guests on them, sometimes guests on guests, and two groups over all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tune_core::resource::{Host, Lifecycle, Resource};
use tune_core::rollout::{Cap, Check, OnFailure, Quorum, Rollout};
use tune_core::{Address, Value};
use tune_testkit::faults::Faults;
use tune_testkit::fleet::{Fleet, Home, host_address};
use tune_testkit::param::{self, Param, Vm};
use tune_testkit::random::Random;
use tune_testkit::store::Disk;
use tune_testkit::votes;
use tune_testkit::world::{Group, Node, World};

/// How many members a fleet has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Small,
    Large,
}

/// The name of the API.
pub(crate) const API: &str = "api";
/// The names of the groups.
pub(crate) const GROUPS: [&str; 2] = ["east", "west"];

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub(crate) struct Blueprint {
    pub(crate) seed: u64,
    pub(crate) hypervisors: Vec<String>,
    /// Every guest, with what it runs on when the story begins.
    pub(crate) guests: BTreeMap<String, String>,
    /// The members of each group, in their order.
    pub(crate) groups: BTreeMap<&'static str, Vec<String>>,
    rollouts: Vec<Rollout>,
    spares: BTreeMap<Address, usize>,
    votes: BTreeSet<&'static str>,
    wait: Duration,
    /// Members with a file of their own, before `tune` came.
    own_files: BTreeMap<String, &'static str>,
}

/// Returns the address of a group's rollout.
pub(crate) fn rollout(group: &str) -> Address {
    Address::new("rollout", group)
}

fn check(group: &str) -> Address {
    Address::new("check", group)
}

impl Blueprint {
    pub(crate) fn new(seed: u64, size: Size) -> Self {
        let mut random = Random::new(seed ^ 0x005E_ED0F_F1EE);
        let (members, machines) = match size {
            Size::Small => (1 + random.below(9), 1 + random.below(4)),
            Size::Large if seed.is_multiple_of(5) => (200, 6),
            Size::Large => (50 + random.below(150), 3 + random.below(4)),
        };
        let hypervisors: Vec<String> = (0..machines).map(|index| format!("h{index}")).collect();
        let mut carriers = hypervisors.clone();
        let mut guests = BTreeMap::new();
        if random.below(3) == 0 {
            let nest = "nest".to_owned();
            guests.insert(nest.clone(), random.pick(&hypervisors).clone());
            carriers.push(nest);
        }
        let spread = random.below(4) > 0;
        let names: Vec<String> = (0..members).map(|index| format!("m{index:03}")).collect();
        for (index, name) in names.iter().enumerate() {
            let on = if spread { &carriers[index % carriers.len()] } else { random.pick(&carriers) };
            guests.insert(name.clone(), on.clone());
        }
        let east = if random.below(3) == 0 { members } else { members - members / 3 };
        let mut groups = BTreeMap::from([(GROUPS[0], names[..east].to_vec()), (GROUPS[1], names[east..].to_vec())]);
        groups.retain(|_, members| !members.is_empty());
        let mut blueprint = Self {
            seed,
            hypervisors,
            guests,
            groups,
            rollouts: Vec::new(),
            spares: BTreeMap::new(),
            votes: BTreeSet::new(),
            wait: if random.below(2) == 0 { Duration::ZERO } else { Duration::from_hours(1) },
            own_files: BTreeMap::new(),
        };
        for (group, members) in blueprint.groups.clone() {
            blueprint.add_rollout(group, &members, size, &mut random);
        }
        for name in blueprint.guests.keys() {
            if random.below(4) == 0 {
                blueprint.own_files.insert(name.clone(), *random.pick(&param::KEYS[..4]));
            }
        }
        blueprint
    }

    /// Returns three members that vote, each on a hypervisor of its own, one after another.
    pub(crate) fn three() -> Self {
        let name = |kind: &str, index: usize| format!("{kind}{index}");
        let members: Vec<String> = (0..3).map(|index| name("m", index)).collect();
        let mut rule = Rollout::new(rollout(GROUPS[0]), members.iter().map(|name| host_address(name)).collect());
        rule.gates = vec![check(GROUPS[0])];
        rule.last_depends_on = vec![votes::query(GROUPS[0], GROUPS[0])];
        Self {
            seed: 3,
            hypervisors: (0..3).map(|index| name("h", index)).collect(),
            guests: (0..3).map(|index| (name("m", index), name("h", index))).collect(),
            groups: BTreeMap::from([(GROUPS[0], members)]),
            rollouts: vec![rule],
            spares: BTreeMap::new(),
            votes: BTreeSet::from([GROUPS[0]]),
            wait: Duration::ZERO,
            own_files: BTreeMap::new(),
        }
    }

    fn add_rollout(&mut self, group: &'static str, members: &[String], size: Size, random: &mut Random) {
        let mut rule = Rollout::new(rollout(group), members.iter().map(|name| host_address(name)).collect());
        if random.below(4) > 0 {
            self.votes.insert(group);
            rule.gates = vec![check(group)];
            if random.below(2) == 0 {
                rule.last_depends_on = vec![votes::query(group, group)];
            }
            if members.len() >= 5 && random.below(3) == 0 {
                self.spares.insert(check(group), 1);
            }
        }
        let carried = self.most_carried(members);
        let majority = Quorum::of(members.len(), members.len()).allows_down();
        rule.max_unavailable = match random.below(4) {
            0 => Cap::Count(1 + random.below(3)),
            1 => Cap::Percent(u8::try_from(1 + random.below(60)).unwrap()),
            _ if carried <= majority || !self.votes.contains(group) => Cap::Count(carried.max(1)),
            _ => Cap::Count(1),
        };
        if size == Size::Large {
            // Two hundred, one after another, would take all night.
            rule.max_unavailable = Cap::Percent(u8::try_from(10 + random.below(40)).unwrap());
        }
        rule.canary = (random.below(3) == 0).then_some(1);
        rule.settle = Duration::from_secs(*random.pick(&[0, 10, 30]));
        rule.timeout = Duration::from_secs(*random.pick(&[300, 600]));
        rule.soak = Duration::from_secs(*random.pick(&[0, 0, 0, 90]));
        rule.on_failure = *random.pick(&[OnFailure::RevertMember, OnFailure::RevertRun, OnFailure::Halt]);
        self.rollouts.push(rule);
    }

    /// The most members of a group that one hypervisor carries, however deep.
    fn most_carried(&self, members: &[String]) -> usize {
        let bottom = |name: &String| {
            let on = &self.guests[name];
            self.guests.get(on).unwrap_or(on).clone()
        };
        let carried = |machine: &String| members.iter().filter(|member| bottom(member) == *machine).count();
        self.hypervisors.iter().map(carried).max().unwrap_or(0)
    }

    /// Returns every machine but the API.
    pub(crate) fn machines(&self) -> Vec<String> {
        self.hypervisors.iter().chain(self.guests.keys()).cloned().collect()
    }

    /// Puts the fleet into a world of its own.
    pub(crate) fn build(&self) -> Fleet {
        let mut random = Random::new(self.seed ^ 0xB01D);
        let world = World::new([Arc::new(Param) as Arc<_>, Arc::new(Vm) as Arc<_>], &Faults::default());
        world.seed(self.seed);
        let mut api = tune_testkit::world::Machine::new(API);
        for (guest, on) in &self.guests {
            param::add_vm(&mut api, &id(guest), on);
        }
        world.add(API, api);
        world.api(API);
        let seconds =
            |from: u64, to: u64, random: &mut Random| Duration::from_secs(from + random.number() % (to - from));
        for name in self.machines() {
            let mut machine = param::machine(&name);
            if let Some(key) = self.own_files.get(&name) {
                param::preset(&mut machine, key, "mine");
            }
            world.add(&name, machine);
            let (takes, units, lag) =
                (seconds(15, 70, &mut random), seconds(1, 6, &mut random), seconds(1, 40, &mut random));
            let mut node = Node::new(takes, units, lag);
            node.runs_on = self.guests.get(&name).cloned();
            node.vm = self.guests.contains_key(&name).then(|| id(&name));
            world.switch(&name, node);
        }
        for rule in &self.rollouts {
            let members: BTreeSet<String> = rule.members.iter().map(|member| member.name.clone()).collect();
            let group = Group {
                cap: rule.max_unavailable.of(members.len()),
                votes: self.votes.contains(rule.address.name.as_str()),
                spares: rule.gates.first().and_then(|gate| self.spares.get(gate)).copied().unwrap_or(0),
                accepts_outage: false,
                leader: members.first().cloned().unwrap_or_default(),
                members,
                most: 0,
            };
            world.group(&rule.address.name, group);
        }
        let mut fleet = Fleet::new(world, Home::Memory(Disk::default()));
        for name in self.machines() {
            fleet.host(&name);
        }
        fleet.host(API);
        let address = host_address(API);
        let transport = tune_core::resource::Transport::Api(tune_core::resource::Api {
            provider: "world".to_owned(),
            endpoint: API.to_owned(),
        });
        fleet.hosts.insert(
            address.clone(),
            Host { name: address.own_name(), address, transport, become_: tune_core::resource::Become::No },
        );
        for rule in &self.rollouts {
            for gate in &rule.gates {
                let probes = vec![votes::query("now", &rule.address.name)];
                fleet.checks.insert(gate.clone(), Check { address: gate.clone(), probes });
            }
            fleet.rollouts.insert(rule.address.clone(), rule.clone());
        }
        fleet.judge.spares = self.spares.clone();
        fleet.wait = self.wait;
        fleet
    }
}

/// Returns a guest's name for the API.
pub(crate) fn id(guest: &str) -> String {
    format!("vm-{guest}")
}

/// Returns a resource of parameters of a machine.
pub(crate) fn params(name: &str, values: &BTreeMap<&'static str, String>) -> Resource {
    let host = Value::String(host_address(name).to_string());
    resource(Address::new("param", name), [("host", host), ("values", map(values))])
}

/// Returns a resource of options of a guest.
pub(crate) fn options(guest: &str, values: &BTreeMap<&'static str, String>) -> Resource {
    let host = |name: &str| Value::String(host_address(name).to_string());
    let attributes =
        [("api", host(API)), ("guest", host(guest)), ("id", Value::from(id(guest).as_str())), ("values", map(values))];
    resource(Address::new("vm", guest), attributes)
}

fn map(values: &BTreeMap<&'static str, String>) -> Value {
    Value::Map(values.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.as_str()))).collect())
}

fn resource<const N: usize>(address: Address, attributes: [(&str, Value); N]) -> Resource {
    Resource {
        address,
        attributes: attributes.map(|(name, value)| (name.to_owned(), value)).into(),
        provider: None,
        depends_on: BTreeSet::new(),
        lifecycle: Lifecycle::default(),
    }
}
