//! The stable codes of everything that concerns the API: the way to it, logging in, and what it answers.

use tune_core::problem::{Code, Explanation};

pub(crate) const BAD_PROVIDER: Code = Code("tune::proxmox::bad_provider");
pub(crate) const BAD_LOGIN: Code = Code("tune::proxmox::bad_login");
pub(crate) const BAD_TLS: Code = Code("tune::proxmox::bad_tls");
pub(crate) const NOT_CONFIGURED: Code = Code("tune::proxmox::not_configured");
pub(crate) const UNREACHABLE: Code = Code("tune::proxmox::unreachable");
pub(crate) const DISTRUSTED: Code = Code("tune::proxmox::distrusted");
pub(crate) const WRONG_FINGERPRINT: Code = Code("tune::proxmox::wrong_fingerprint");
pub(crate) const NOT_LOGGED_IN: Code = Code("tune::proxmox::not_logged_in");
pub(crate) const NOT_AN_API: Code = Code("tune::proxmox::not_an_api");
pub(crate) const LOST: Code = Code("tune::proxmox::lost");
pub(crate) const NODE_AWAY: Code = Code("tune::proxmox::node_away");
pub(crate) const API_REFUSED: Code = Code("tune::proxmox::refused");
pub(crate) const NO_VM: Code = Code("tune::proxmox::no_vm");
pub(crate) const IS_CONTAINER: Code = Code("tune::proxmox::is_container");
pub(crate) const IS_TEMPLATE: Code = Code("tune::proxmox::is_template");
pub(crate) const UNKNOWN_KIND: Code = Code("tune::proxmox::unknown_kind");
pub(crate) const STALE: Code = Code("tune::proxmox::stale");
pub(crate) const NOT_SETTLED: Code = Code("tune::proxmox::not_settled");
pub(crate) const CANNOT: Code = Code("tune::proxmox::cannot");
pub(crate) const NOT_RUNNING: Code = Code("tune::proxmox::not_running");
pub(crate) const POWER_FAILED: Code = Code("tune::proxmox::power_failed");

pub(crate) const BAD_QUESTION: Code = Code("tune::proxmox::bad_question");

/// The manual entry of each code.
pub(super) const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: BAD_PROVIDER,
        title: "a `provider \"proxmox\"` block that cannot be used",
        text: "It needs an `endpoint` such as `https://pve.example:8006`, or several `endpoints` of one cluster. Plain \
               `http` is taken for this very machine only, because a token must not travel in the clear. Times are \
               written like `30s` or `2m`.",
    },
    Explanation {
        code: BAD_LOGIN,
        title: "the block does not say how to log in, or says it twice",
        text: "Write `api_token = var.token` with a value such as `tune@pve!rollout=SECRET`, or `username` with the realm \
               and `password`. The id of a token has two characters or more.",
    },
    Explanation {
        code: BAD_TLS,
        title: "a fingerprint or a CA that is none",
        text: "A fingerprint is the SHA-256 digest of the certificate, as `pvenode cert info` shows it: 32 pairs of \
               hexadecimal digits. `ca_file` is the path of a file with the certificates as PEM, below the configuration's folder.",
    },
    Explanation {
        code: NOT_CONFIGURED,
        title: "a cluster that only the state remembers",
        text: "How to log in is never recorded. To put back what was changed there, the provider block must be in the \
               configuration; it may be the only thing in it.",
    },
    Explanation {
        code: UNREACHABLE,
        title: "the API cannot be reached",
        text: "No endpoint took a connection. Nothing was sent. Name several nodes with `endpoints`, so that one that is \
               down does not matter.",
    },
    Explanation {
        code: DISTRUSTED,
        title: "the certificate of the API is not trusted",
        text: "A cluster signs its certificates with a CA of its own, which no machine trusts by itself. Copy \
               `/etc/pve/pve-root-ca.pem` and give it as `ca_file`; it stays good when certificates are renewed. Or \
               compare the fingerprint that is shown with `pvenode cert info` on the node, and pin it. The token was \
               not sent.",
    },
    Explanation {
        code: WRONG_FINGERPRINT,
        title: "the API shows another certificate than the pinned one",
        text: "Each node has a certificate of its own, and it changes when it is renewed. If `pvenode cert info` on the \
               node shows the new fingerprint, pin that; several can be pinned at once with `tls_fingerprints`. If it \
               shows the old one, something stands between this machine and the node. The token was not sent.",
    },
    Explanation {
        code: NOT_LOGGED_IN,
        title: "the API refuses the login",
        text: "The token is unknown, expired or misspelt, its user is disabled, or the password is wrong. What a token may \
               do is another matter, and reported as a missing privilege.",
    },
    Explanation {
        code: NOT_AN_API,
        title: "something answers that is not the API",
        text: "A web page, a redirection or a proxy's complaint came back. The API is at port 8006 of a node unless a proxy \
               stands before it.",
    },
    Explanation {
        code: LOST,
        title: "no answer came",
        text: "The connection broke, or a node waited too long for another. What was asked may have been done all the same, \
               so it is looked at before anything else is.",
    },
    Explanation {
        code: NODE_AWAY,
        title: "a node of the cluster cannot be reached from the one that was asked",
        text: "The machines on that node cannot be read or changed until it is back. Nothing was done.",
    },
    Explanation { code: API_REFUSED, title: "the API refused a request", text: "The message is what the API said." },
    Explanation {
        code: NO_VM,
        title: "there is no such virtual machine, or it may not be seen",
        text: "The API shows only machines on which the user has VM.Audit, and says nothing of the others.",
    },
    Explanation {
        code: IS_CONTAINER,
        title: "the number is that of a container",
        text: "Containers and virtual machines share their numbers. This kind is about virtual machines only.",
    },
    Explanation {
        code: IS_TEMPLATE,
        title: "the machine is a template",
        text: "A template is never started, so nothing of it can take effect. Tune the machines that are made from it.",
    },
    Explanation {
        code: UNKNOWN_KIND,
        title: "a kind that does not live in a Proxmox cluster",
        text: "The state names a kind that this version does not know. It may come from a newer version.",
    },
    Explanation {
        code: STALE,
        title: "what was to be sent is out of date",
        text: "The cluster has been looked at behind a fence since this was made: what was seen there must stay true, so \
               nothing older is sent any more.",
    },
    Explanation {
        code: NOT_SETTLED,
        title: "something that was sent before may still take effect",
        text: "A task is still running, or the answer to a write was lost a moment ago. Nothing is judged or written before \
               that is over.",
    },
    Explanation {
        code: CANNOT,
        title: "not something that a Proxmox cluster does",
        text: "A cluster power-cycles virtual machines, by their numbers. Everything else is done on hosts.",
    },
    Explanation {
        code: NOT_RUNNING,
        title: "the machine is off",
        text: "A machine that is off has taken what was pending when it stopped. Somebody switched it off after the plan \
               was made, so it is not started behind their back.",
    },
    Explanation {
        code: POWER_FAILED,
        title: "the power cycle was refused",
        text: "The task that was to shut the machine down failed at once; the message is its own. The machine still runs as \
               before.",
    },
    Explanation {
        code: BAD_QUESTION,
        title: "a `data` or `probe` block that cannot be asked",
        text: "The cluster gave no answer to the question, or the block's attributes do not fit together.",
    },
];
