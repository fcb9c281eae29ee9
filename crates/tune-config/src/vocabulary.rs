//! What a configuration may name: the kinds of resources, the sources of data and the providers that a program knows.

use tune_core::schema::KindSchema;
use tune_core::source::Use;

use crate::types::Type;

/// Everything that blocks may be about.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary<'a> {
    /// The kinds of `resource` blocks.
    pub kinds: Vec<&'a KindSchema>,
    /// The kinds of `data` and `probe` blocks.
    pub sources: Vec<SourceSchema<'a>>,
    /// The providers of `provider` blocks.
    pub providers: Vec<&'a KindSchema>,
}

/// One kind of `data` and `probe` blocks.
#[derive(Debug, Clone, Copy)]
pub struct SourceSchema<'a> {
    /// What a block takes.
    pub schema: &'a KindSchema,
    /// What it answers.
    pub answer: &'a KindSchema,
    /// In which blocks it may stand.
    pub usable: Use,
}

impl<'a> Vocabulary<'a> {
    pub(crate) fn kind(&self, name: &str) -> Option<&'a KindSchema> {
        self.kinds.iter().copied().find(|kind| kind.kind == name)
    }

    pub(crate) fn source(&self, name: &str) -> Option<&SourceSchema<'a>> {
        self.sources.iter().find(|source| source.schema.kind == name)
    }

    pub(crate) fn provider(&self, name: &str) -> Option<&'a KindSchema> {
        self.providers.iter().copied().find(|provider| provider.kind == name)
    }

    pub(crate) fn kind_names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.kinds.iter().map(|kind| kind.kind)
    }

    pub(crate) fn source_names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.sources.iter().map(|source| source.schema.kind)
    }

    pub(crate) fn provider_names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.providers.iter().map(|provider| provider.kind)
    }
}

impl SourceSchema<'_> {
    /// Returns the type of every answer.
    pub(crate) fn answer_type(&self) -> Type {
        Type::object_of(&self.answer.attributes)
    }
}
