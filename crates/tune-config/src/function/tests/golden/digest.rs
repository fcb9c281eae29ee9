//! Digests.

#[rustfmt::skip]
pub(super) const GOLDEN: &[(&str, &str)] = &[
    (r#"base64sha256("abc")"#, r#""ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=""#),
    (r#"base64sha512("abc")"#, r#""3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==""#),
    (r#"md5("abc")"#, r#""900150983cd24fb0d6963f7d28e17f72""#),
    (r#"sha1("abc")"#, r#""a9993e364706816aba3e25717850c26c9cd0d89d""#),
    (r#"sha512("abc")"#, r#""ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f""#),
    (r#"sha256("é")"#, r#""4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c""#),
    (r#"uuidv5("dns", "terraform.io")"#, r#""36594bba-bbaf-5783-bbba-e2284929a2c9""#),
    (r#"uuidv5("url", "https://terraform.io/")"#, r#""7d0cd1c9-fc08-52aa-96e4-406aef10dd80""#),
    (r#"uuidv5("oid", "1.3.6.1.4")"#, r#""af9d40a5-7a36-5c07-b23a-851cd99fbfa5""#),
    (r#"uuidv5("x500", "CN=Example,C=GB")"#, r#""84e09961-4aa4-57f8-95b7-03edb1073253""#),
    (r#"uuidv5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "terraform.io")"#, r#""36594bba-bbaf-5783-bbba-e2284929a2c9""#),
    (r#"uuidv5("{6ba7b810-9dad-11d1-80b4-00c04fd430c8}", "terraform.io")"#, r#""36594bba-bbaf-5783-bbba-e2284929a2c9""#),
    (r#"uuidv5("urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8", "terraform.io")"#, r#""36594bba-bbaf-5783-bbba-e2284929a2c9""#),
    (r#"uuidv5("6ba7b8109dad11d180b400c04fd430c8", "terraform.io")"#, r#""36594bba-bbaf-5783-bbba-e2284929a2c9""#),
    (r#"uuidv5("6BA7B810-9dad-11d1-80b4-00c04fd430c8", "terraform.io")"#, r#""36594bba-bbaf-5783-bbba-e2284929a2c9""#),
    (r#"uuidv5("DNS", "x")"#, "<error>"),
    (r#"uuidv5("x", "y")"#, "<error>"),
    (r#"uuidv5("dns", "")"#, r#""4ebd0208-8328-5d69-8c44-ec50939c0967""#),
];
