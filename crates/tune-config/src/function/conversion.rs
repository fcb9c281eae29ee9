//! Functions that convert to a type.

use super::{Call, Failure, Function, Marks, Shape, row, takes};
use crate::convert::convert;
use crate::types::Type;
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    row("tobool", &[takes("value", Shape::Any).or_null()], Shape::Bool, "The value as a bool.", |call| {
        converted(call, &Type::Bool)
    })
    .example(r#"tobool("true")"#),
    row("tolist", &[takes("value", Shape::Any).or_null()], Shape::List, "A list or a set as a list.", |call| {
        converted(call, &Type::list(Type::Any))
    })
    .marks(Marks::Parts)
    .example(r#"tolist(toset(["b", "a"]))"#),
    row("tomap", &[takes("value", Shape::Any).or_null()], Shape::Map, "An object as a map of one type.", |call| {
        converted(call, &Type::map(Type::Any))
    })
    .marks(Marks::Parts)
    .example(r#"tomap({ a = 1, b = "x" })"#),
    row("tonumber", &[takes("value", Shape::Any).or_null()], Shape::Number, "The value as a number.", |call| {
        converted(call, &Type::Number)
    })
    .example(r#"tonumber("1e3")"#),
    row("toset", &[takes("value", Shape::Any).or_null()], Shape::List, "A list as a set.", |call| {
        converted(call, &Type::Set(Box::new(Type::Any)))
    })
    .example(r#"toset(["b", "a", "b"])"#),
    row("tostring", &[takes("value", Shape::Any).or_null()], Shape::Text, "The value as a string.", |call| {
        converted(call, &Type::String)
    })
    .example("tostring(1.50)"),
];

fn converted(call: &mut Call<'_>, wanted: &Type) -> Result<Value, Failure> {
    convert(call.value(0), wanted).map_err(|mismatches| {
        // Of a secret the reason must name no part, so it is taken from the value as a whole one.
        let hidden = call.secret.then(|| call.value(0).clone().mark(true));
        let mismatches = hidden.map_or(mismatches, |hidden| convert(&hidden, wanted).err().unwrap_or_default());
        Failure::of(0, mismatches.into_iter().next().map_or_else(String::new, |mismatch| mismatch.reason))
    })
}
