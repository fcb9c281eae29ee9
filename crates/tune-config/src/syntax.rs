//! From HCL text to expressions that can be evaluated, with the span of every part. What blocks mean is not known here.

pub(crate) mod body;
pub(crate) mod ir;
pub(crate) mod lower;
mod mistake;
pub(crate) mod parse;
pub(crate) mod template;
mod type_constraint;

pub(crate) use mistake::goes_on;
