//! The files that expressions about files are evaluated with.

/// Names and texts.
pub(super) const FOLDER: &[(&str, &str)] = &[
    ("files/app.conf", "threads = 4\n"),
    ("files/db.conf", "cache = 1G\n"),
    ("files/readme.md", "What is what.\n"),
    ("greet.tftpl", "Hi ${name}!%{ for x in list ~}\n  - ${x}\n%{ endfor ~}\n"),
    ("greeting.tftpl", "This is ${name}.\n%{ for disk in disks ~}\n* ${disk}\n%{ endfor ~}\n"),
    ("motd.txt", "Welcome!\n"),
    ("note.txt", "hello\n"),
    ("sub/a.txt", "a"),
    ("sub/deep/b.md", "b"),
];
