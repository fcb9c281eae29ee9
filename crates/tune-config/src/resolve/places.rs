//! Where everything was written, for pointing at it later.

use std::sync::Arc;

use tune_core::Address;

use crate::configuration::{BlockPlaces, ContentPlaces, NestedLabel, Places};
use crate::module::{Content, Module};
use crate::source::Span;
use crate::syntax::ir::Reference;

/// Returns the places of every block of every folder.
pub(super) fn places(module: &Module<'_>) -> Places {
    let mut places = Places { arena: module.arena.clone(), ..Places::default() };
    for (at, node) in module.tree.iter().enumerate() {
        let mut path = Vec::new();
        let mut above = node.parent.as_ref();
        while let Some((parent, name)) = above {
            path.push(name.to_string());
            above = module.tree[*parent].parent.as_ref();
        }
        path.reverse();
        places.modules.insert(path, module.tree[at].folder);
    }
    for (folder, declared) in module.folders.iter().enumerate() {
        let mut add = |reference: Reference, header: Span, content: ContentPlaces| {
            places.blocks.insert((folder, reference), BlockPlaces { header, content });
        };
        for (reference, block) in &declared.blocks {
            let mut content = content_places(&block.content);
            let lifecycle = block.lifecycle.prevent_revert.or(block.lifecycle.accept);
            let extra = [("depends_on", block.depends_on), ("lifecycle", lifecycle)];
            let extra = extra.into_iter().filter_map(|(name, it)| it.map(|it| (Arc::from(name), (it.name, it.value))));
            content.attributes.extend(extra);
            add(reference.clone(), block.header, content);
        }
        for (name, rollout) in &declared.rollouts {
            let attributes = rollout.attributes.iter().map(|(name, it)| (name.clone(), (it.name, it.value))).collect();
            let content = ContentPlaces { attributes, ..ContentPlaces::default() };
            add(Reference::Block("rollout".into(), name.clone()), rollout.header, content);
        }
        for (name, check) in &declared.checks {
            add(Reference::Block("check".into(), name.clone()), check.header, ContentPlaces::default());
        }
        for (name, check) in &declared.checks {
            let probes = check.probes.iter().map(|probe| {
                let places = BlockPlaces { header: probe.header, content: content_places(&probe.content) };
                (Address::new(&probe.kind, &probe.name), places)
            });
            places.probes.insert((folder, name.clone()), probes.collect());
        }
    }
    places
}

fn content_places(content: &Content) -> ContentPlaces {
    let attributes = content.attributes.iter().map(|(name, it)| (name.clone(), (it.name, it.value))).collect();
    let blocks = content.blocks.iter().map(|(name, blocks)| {
        let places = blocks.iter().map(|block| {
            let label = block.label.as_ref().map(|(label, _)| label.clone());
            let label = if block.dynamic.is_some() {
                NestedLabel::Any
            } else {
                label.map_or(NestedLabel::None, NestedLabel::Is)
            };
            (label, BlockPlaces { header: block.header, content: content_places(&block.content) })
        });
        (name.clone(), places.collect())
    });
    ContentPlaces { attributes, blocks: blocks.collect() }
}
