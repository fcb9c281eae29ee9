//! The stable codes of what every source may report, and their manual entries.

use tune_core::problem::{Code, Explanation};

pub(crate) const BAD_TIME: Code = Code("tune::source::bad_time");
pub(crate) const BAD_NUMBER: Code = Code("tune::source::bad_number");
pub(crate) const BAD_BLOCK: Code = Code("tune::source::bad_block");
pub(crate) const BAD_PATH: Code = Code("tune::source::bad_path");
pub(crate) const BAD_FILE: Code = Code("tune::source::bad_file");
pub(crate) const BAD_URL: Code = Code("tune::source::bad_url");
pub(crate) const NO_HOST: Code = Code("tune::source::no_host");
pub(crate) const CONNECT: Code = Code("tune::source::connect");
pub(crate) const TIMEOUT: Code = Code("tune::source::timeout");
pub(crate) const CERTIFICATE: Code = Code("tune::source::certificate");
pub(crate) const HANDSHAKE: Code = Code("tune::source::handshake");
pub(crate) const NOT_HTTP: Code = Code("tune::source::not_http");
pub(crate) const BROKEN_OFF: Code = Code("tune::source::broken_off");

/// The manual entry of each code.
pub const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: BAD_TIME,
        title: "a time is not written as one",
        text: "A time is a whole number and a unit: `500ms`, `5s`, `2m`. It must be more than nothing, and at most an \
               hour: a source is asked again and again, so it must not wait for long.",
    },
    Explanation {
        code: BAD_NUMBER,
        title: "a number of a source is out of range",
        text: "A port is from 1 to 65535, a status of HTTP from 100 to 599, and a limit has a greatest value of its own, \
               which the message names.",
    },
    Explanation {
        code: BAD_BLOCK,
        title: "the attributes of a source do not fit together",
        text: "Something is missing, or written twice in two ways. The message names the attributes; the manual of the \
               source says what each is for.",
    },
    Explanation {
        code: BAD_PATH,
        title: "a file of certificates or keys is not in the configuration's folder",
        text: "A path in a source is relative to the folder of the configuration and stays below it, also when it is \
               followed through symbolic links. So a configuration that comes from somebody else cannot make `tune` \
               read a key that belongs to another system. Copy the file into the folder; keep keys out of version \
               control.",
    },
    Explanation {
        code: BAD_FILE,
        title: "a file of certificates or keys cannot be used",
        text: "Certificates and keys are read in PEM form: text with `-----BEGIN CERTIFICATE-----` or \
               `-----BEGIN PRIVATE KEY-----`. The key must be without a passphrase and belong to the certificate. What a \
               key file holds is never shown.",
    },
    Explanation {
        code: BAD_URL,
        title: "a URL cannot be used",
        text: "A URL is `http://` or `https://`, a name or an address, and where it differs from the usual one, a port: \
               `https://10.0.0.5:2379`. It holds no user, no password and no fragment.",
    },
    Explanation {
        code: NO_HOST,
        title: "a source names a host that there is no way to",
        text: "The host is not in the configuration that is being used. Refer to a host by `host.NAME`.",
    },
    Explanation {
        code: CONNECT,
        title: "no connection could be opened",
        text: "The other side refuses connections or cannot be reached. Check that the service runs, and that it listens \
               on this address: many services listen on the loopback of their own machine only, and are asked through \
               that host with `host` or `hosts`.",
    },
    Explanation {
        code: TIMEOUT,
        title: "no answer came in time",
        text: "The connection was tried or open, and the answer did not come within `timeout`. A host that is down, a \
               firewall that swallows packets and a service that hangs look alike from here.",
    },
    Explanation {
        code: CERTIFICATE,
        title: "the certificate of the other side is not trusted",
        text: "Either the certificate was not issued by what `ca_file` holds, or it has expired, or it is for another \
               name. Without `ca_file` the certificates of this system are used. When a service is reached at an address \
               that its certificate does not name, give the name that it does have as `server_name`. There is no \
               attribute that turns the check off.",
    },
    Explanation {
        code: HANDSHAKE,
        title: "the two sides could not agree on an encrypted connection",
        text: "Most often one side speaks TLS and the other does not (`http://` written for `https://` or the other way \
               round), or the other side wants a certificate from us: give it with `cert_file` and `key_file`. An old \
               service that knows nothing newer than TLS 1.1 cannot be asked.",
    },
    Explanation {
        code: NOT_HTTP,
        title: "the other side does not speak HTTP",
        text: "Something answered that is not HTTP/1.1. Most often the port is that of another service, for example the \
               one by which the members of a cluster talk to each other.",
    },
    Explanation {
        code: BROKEN_OFF,
        title: "an answer broke off",
        text: "The connection ended before the answer did. The service was stopped or crashed while it answered, or \
               something between closed the connection. Through a host, it is also how a port looks that nobody listens \
               on: the way to the host opens at once, and only its far end finds nothing.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained() {
        let codes: Vec<&str> = EXPLANATIONS.iter().map(|explanation| explanation.code.0).collect();
        assert_eq!(codes.len(), 13);
        assert!(codes.iter().all(|code| code.starts_with("tune::source::")));
    }
}
