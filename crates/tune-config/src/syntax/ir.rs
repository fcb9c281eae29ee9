//! Expressions after lowering: one arena for the whole configuration, so that an expression is a number, and
//! everything that was written in one attribute is a range of numbers.

use std::fmt;
use std::sync::Arc;

use crate::function::Function;
use crate::source::Span;
use crate::value::Value;

/// A place in the [`Arena`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ExprId(u32);

/// Every expression of a configuration.
#[derive(Default)]
pub(crate) struct Arena {
    nodes: Vec<(Expr, Span)>,
}

/// One attribute's value: the expression, and the range of the arena that belongs to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root {
    pub expr: ExprId,
    first: ExprId,
}

#[derive(Debug)]
pub(crate) enum Expr {
    Literal(Value),
    Template(Vec<Part>),
    List(Vec<ExprId>),
    Object(Vec<(ExprId, ExprId)>),
    /// A variable of a surrounding `for`, by its position from the outermost on.
    Bound(usize),
    Reference(Reference),
    Access {
        base: ExprId,
        steps: Vec<Step>,
    },
    Unary {
        operator: Unary,
        operand: ExprId,
    },
    Binary {
        operator: Binary,
        left: ExprId,
        right: ExprId,
    },
    Conditional {
        condition: ExprId,
        then: ExprId,
        otherwise: ExprId,
    },
    Call {
        function: &'static Function,
        arguments: Vec<ExprId>,
        expand: bool,
    },
    For(Box<For>),
    /// Something that a mistake has already been reported about.
    Mistake,
}

/// A part of a template.
#[derive(Debug)]
pub(crate) enum Part {
    Text(Arc<str>),
    Value(ExprId),
    If { condition: ExprId, then: Vec<Self>, otherwise: Vec<Self> },
    For { binding: Binding, body: Vec<Self> },
}

/// `for key, value in collection`.
#[derive(Debug)]
pub(crate) struct Binding {
    /// Whether the key was given a name; it comes before the value's in the order of bound variables.
    pub has_key: bool,
    pub collection: ExprId,
}

#[derive(Debug)]
pub(crate) struct For {
    pub binding: Binding,
    /// For objects.
    pub key: Option<ExprId>,
    pub value: ExprId,
    pub condition: Option<ExprId>,
    pub grouping: bool,
}

/// What the first one or two names of a reference say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reference {
    Variable(Arc<str>),
    Local(Arc<str>),
    /// A `host` block, a resource of a kind, or a block that has a name but no value: `rollout` and `check`.
    Block(Arc<str>, Arc<str>),
    /// A `data` block, by the kind of its source and its name.
    Data(Arc<str>, Arc<str>),
    /// A `probe` of the check that the expression stands in.
    Probe(Arc<str>, Arc<str>),
    /// A `provider` block, by its name and its alias. No expression holds one.
    Provider(Arc<str>, Option<Arc<str>>),
    EachKey,
    EachValue,
    CountIndex,
    /// `self` in a postcondition.
    Itself,
    /// A `module` block.
    Module(Arc<str>),
    /// An output of the module; no expression holds one.
    Output(Arc<str>),
    /// `path.module` and the like.
    Path(Arc<str>),
}

/// Prints the reference as it is written.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "var.{name}"),
            Self::Local(name) => write!(f, "local.{name}"),
            Self::Block(kind, name) => write!(f, "{kind}.{name}"),
            Self::Data(kind, name) => write!(f, "data.{kind}.{name}"),
            Self::Probe(kind, name) => write!(f, "probe.{kind}.{name}"),
            Self::Provider(name, None) => write!(f, "provider {name}"),
            Self::Provider(name, Some(alias)) => write!(f, "provider {name}.{alias}"),
            Self::EachKey => f.write_str("each.key"),
            Self::EachValue => f.write_str("each.value"),
            Self::CountIndex => f.write_str("count.index"),
            Self::Itself => f.write_str("self"),
            Self::Module(name) => write!(f, "module.{name}"),
            Self::Output(name) => write!(f, "output.{name}"),
            Self::Path(name) => write!(f, "path.{name}"),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Step {
    pub access: Access,
    pub span: Span,
}

#[derive(Debug)]
pub(crate) enum Access {
    Attribute(Arc<str>),
    Index(ExprId),
    Position(u64),
    /// `[*]`: whatever follows is done to every element.
    Splat,
    /// `.*`: only the attributes that follow are.
    AttributeSplat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Negate,
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    And,
    Or,
}

/// Says how much there is; what there is may hold secrets.
impl fmt::Debug for Arena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arena({})", self.nodes.len())
    }
}

impl Root {
    pub(crate) fn new(first: ExprId, expr: ExprId) -> Self {
        debug_assert!(first <= expr, "an expression comes after its parts");
        Self { expr, first }
    }
}

impl Arena {
    pub(crate) fn add(&mut self, expr: Expr, span: Span) -> ExprId {
        let id = self.next();
        self.nodes.push((expr, span));
        id
    }

    /// Returns the id that the next expression will have.
    pub(crate) fn next(&self) -> ExprId {
        ExprId(u32::try_from(self.nodes.len()).expect("the texts together are smaller than 4 GiB"))
    }

    pub(crate) fn expr(&self, id: ExprId) -> &Expr {
        &self.nodes[id.0 as usize].0
    }

    pub(crate) fn span(&self, id: ExprId) -> Span {
        self.nodes[id.0 as usize].1
    }

    /// Returns everything that was written in one attribute, in the order of lowering: parts before the whole.
    pub(crate) fn within(&self, root: Root) -> impl Iterator<Item = (ExprId, &Expr, Span)> {
        (root.first.0..=root.expr.0).map(|index| {
            let (expr, span) = &self.nodes[index as usize];
            (ExprId(index), expr, *span)
        })
    }

    /// Returns every reference in one attribute, with its span.
    pub(crate) fn references(&self, root: Root) -> impl Iterator<Item = (&Reference, Span)> {
        self.within(root).filter_map(|(_, expr, span)| match expr {
            Expr::Reference(reference) => Some((reference, span)),
            _ => None,
        })
    }
}
