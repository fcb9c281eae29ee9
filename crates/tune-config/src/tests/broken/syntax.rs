//! Texts that are not HCL, or not the HCL of this language.

use super::Broken;

#[rustfmt::skip]
pub(super) const BROKEN: Broken = &[
    (
"a = 
",
        &[
            "syntax «=» a value is missing",
        ],
    ),
    (
"locals {
  a =
}
",
        &[
            "syntax «=» a value is missing",
        ],
    ),
    (
"locals {
  a = [1, 2
}
",
        &[
            "syntax «}» unexpected `}`",
        ],
    ),
    (
r#"locals {
  a = "x
  b = 1
}
"#,
        &[
            r#"syntax «"x» a quoted text is not closed"#,
        ],
    ),
    (
"locals {
  a = 'x'
}
",
        &[
            "syntax «'» a text starts with a single quote",
        ],
    ),
    (
"locals {
  a: 1
}
",
        &[
            "syntax «:» unexpected `:`",
        ],
    ),
    (
"locals {
  a = 1, b = 2
}
",
        &[
            "syntax «,» unexpected `,`",
        ],
    ),
    (
"locals {
  a = [1 2]
}
",
        &[
            "syntax «2» unexpected `2`",
        ],
    ),
    (
"locals {
  a = f(1 2)
}
",
        &[
            "syntax «2» unexpected `2`",
        ],
    ),
    (
"locals {
  a = { b = 1 c = 2 }
}
",
        &[
            "syntax «c» unexpected `c`",
        ],
    ),
    (
"locals {
  a = 1
",
        &[
            "syntax «{» `{` is not closed",
        ],
    ),
    (
"locals {
  a = 1
}
}
",
        &[
            "syntax «}» unexpected `}`",
        ],
    ),
    (
"locals {
  a = <<EOT
x
}
",
        &[
            "syntax «<<EOT» the heredoc `EOT` is not closed",
        ],
    ),
    (
"locals {
  a = (1]
}
",
        &[
            "syntax «]» unexpected `]`",
        ],
    ),
    (
r#"locals {
  a = "${1"
}
"#,
        &[
            "syntax «${» `${` is not closed",
        ],
    ),
    (
r#"locals {
  a = "\q"
}
"#,
        &[
            r"syntax «\q» unknown escape in a text",
        ],
    ),
    (
"locals {
  a = 1 +
}
",
        &[
            "syntax «+» a value is missing",
        ],
    ),
    (
"locals {
  a
}
",
        &[
            "syntax «a» a name alone is neither an attribute nor a block",
        ],
    ),
    (
"/* never
",
        &[
            "syntax «/*» a comment is not closed",
        ],
    ),
    (
"locals { a = 1 b = 2 }
",
        &[
            "syntax «b» unexpected `b`",
        ],
    ),
    (
"123 = 4
",
        &[
            "syntax «123» unexpected `123`",
        ],
    ),
    (
r#"locals {
  a = "one
two"
}
"#,
        &[
            "syntax «e» a line break in a quoted text",
        ],
    ),
    (
"locals {
  a = { vm.swappiness = 1 }
}
",
        &[
            "syntax «vm.swappiness» a key may mean two things",
        ],
    ),
    (
r#"locals {
  a = "x"
  b = "%{ if 5 }x%{ endif }"
  c = "%{ for x in 5 }x%{ endfor }"
  d = "%{ if true }x"
}
"#,
        &[
            "syntax «%{» `%{ if … }` is not closed",
        ],
    ),
    (
r#"locals {
  l0 = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
  l1 = "${local.l0}${local.l0}${local.l0}${local.l0}${local.l0}${local.l0}${local.l0}${local.l0}"
  l2 = "${local.l1}${local.l1}${local.l1}${local.l1}${local.l1}${local.l1}${local.l1}${local.l1}"
  l3 = "${local.l2}${local.l2}${local.l2}${local.l2}${local.l2}${local.l2}${local.l2}${local.l2}"
  l4 = "${local.l3}${local.l3}${local.l3}${local.l3}${local.l3}${local.l3}${local.l3}${local.l3}"
  l5 = "${local.l4}${local.l4}${local.l4}${local.l4}${local.l4}${local.l4}${local.l4}${local.l4}"
  l6 = "${local.l5}${local.l5}${local.l5}${local.l5}${local.l5}${local.l5}${local.l5}${local.l5}"
  l7 = "${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}"
}
"#,
        &[
            r#"budget «"${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}${local.l6}"» a text is too large"#,
        ],
    ),
    (
"locals {
  a = 1e2000
  b = 1e900 * 1e900
}
",
        &[
            "syntax «e2000» a number is out of range",
        ],
    ),
    (
r#"locals {
  a = "%{ if true }x"
}
"#,
        &[
            "syntax «%{» `%{ if … }` is not closed",
        ],
    ),
    (
"locals {
  a = <<EOT
%{ for x in [] }
EOT
}
",
        &[
            "syntax «%{» `%{ for … }` is not closed",
        ],
    ),
    (
"a = 1 +
",
        &[
            "syntax «+» a value is missing",
        ],
    ),
    (
r#"locals {
  a = "%{ endif }"
}
"#,
        &[
            "syntax «%{» a directive that means nothing here",
        ],
    ),
    (
r#"locals {
  a = "%{ nope }"
}
"#,
        &[
            "syntax «%{» a directive that means nothing here",
        ],
    ),
    (
"locals {
  a = [for x in [1] : ]
}
",
        &[
            "syntax «]» `]` is not a value",
        ],
    ),
    (
"locals {
  a = true ? 1
}
",
        &[
            "syntax «1» expected `:`",
        ],
    ),
    (
"locals {
  a = {
    b = 1
    c
  }
}
",
        &[
            "syntax «c» a key has no value",
        ],
    ),
    (
r#"locals {
  a = "x" "y"
}
"#,
        &[
            r#"syntax «"» unexpected `"`"#,
        ],
    ),
    (
"locals {
  a = $x
}
",
        &[
            "syntax «$» `$` is not a value",
        ],
    ),
    (
"locals {
  = 1
}
",
        &[
            "syntax «=» unexpected `=`",
        ],
    ),
    (
r#"resource "sysctl" a.b {
}
"#,
        &[
            "syntax «.» unexpected `.`",
        ],
    ),
    (
"locals {
  a = x.y.
}
",
        &[
            "syntax «.» a name is missing",
        ],
    ),
    (
r#"locals {
  a = upper("x"
  b = 2
}
"#,
        &[
            "syntax «b» unexpected `b`",
        ],
    ),
    (
"locals {
  a = <<-EOT
    x
    EOT
  a.b = 1
}
",
        &[
            "syntax «.» unexpected `.`",
        ],
    ),
    (
"locals {
  a = [1, 2
  b = 3
}
",
        &[
            "syntax «b» unexpected `b`",
        ],
    ),
    (
r#"locals {
  "a" = 1
}
"#,
        &[
            r#"syntax «"» unexpected `"`"#,
        ],
    ),
    (
"locals {
  a = [for x in [1]: x
}
",
        &[
            "syntax «}» unexpected `}`",
        ],
    ),
    (
"locals {
  a = -
}
",
        &[
            "syntax «-» a value is missing",
        ],
    ),
    (
r#"locals {
  a = "\u12"
}
"#,
        &[
            r"syntax «\u» unknown escape in a text",
        ],
    ),
    (
"locals {
  a = ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))
}
",
        &[
            "budget «(» nested more than 64 levels deep",
        ],
    ),
    (
"locals {
  a = [1, 2]...
}
",
        &[
            "syntax «.» unexpected `.`",
        ],
    ),
    (
"a = \"𞟥",
        &[
            "syntax «\"𞟥» a quoted text is not closed",
        ],
    ),
];
