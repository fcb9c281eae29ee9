//! Why the engine did not do what it was asked.

use tune_core::Address;
use tune_core::journal::Disorder;
use tune_core::plan::Mistake;
use tune_core::problem::{Code, Explanation};

use crate::report::{GateReport, Report};
use crate::store::StoreError;

/// Why nothing was begun, or why a run broke off.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The plan says why it must not be applied. Nothing changed.
    #[error("the plan has mistakes that must be mended first")]
    Mistakes(Vec<Mistake>),
    /// Only root can apply. Nothing changed.
    #[error("commands on `{host}` run as user {uid}, and only root can apply")]
    NotRoot {
        /// The host.
        host: Address,
        /// The user.
        uid: u32,
    },
    /// An earlier run is not settled yet. Nothing changed.
    #[error("run {number} is still open: what became of it is not known")]
    OpenRun {
        /// Its number.
        number: u64,
    },
    /// Checks that a rollout waits for do not pass before it begins. Nothing changed.
    #[error("{} before the first member", gates_do_not_pass(.gates))]
    Gates {
        /// What each of them says.
        gates: Vec<GateReport>,
    },
    /// The state moved on since the plan was made. Nothing changed.
    #[error("the state changed since the plan was made: it was made for serial {planned}, which is {now} now")]
    Stale {
        /// The serial that the plan was made for.
        planned: u64,
        /// The serial now.
        now: u64,
    },
    /// The store could not be read or written before anything was sent. Nothing changed.
    #[error("the state cannot be used")]
    Store(#[from] StoreError),
    /// The journal could not be written while the run was under way, so nothing more was sent. The run stays open.
    #[error("run {} broke off, because its journal could not be written", report.number.unwrap_or_default())]
    Interrupted {
        /// What is known of it.
        report: Box<Report>,
        /// What went wrong.
        source: StoreError,
    },
    /// The journal does not make sense.
    #[error(transparent)]
    Journal(#[from] Disorder),
}

fn gates_do_not_pass(gates: &[GateReport]) -> String {
    let names: Vec<String> = gates.iter().map(|gate| format!("`{}`", gate.check)).collect();
    format!("{} {} not pass", names.join(", "), if names.len() == 1 { "does" } else { "do" })
}

/// A host did not answer in time.
pub const NO_ANSWER: Code = Code("tune::engine::no_answer");
/// The machine behind an address keeps changing.
pub const RESTLESS: Code = Code("tune::engine::restless");

/// A question of a kind that this program does not know.
pub const NO_SOURCE: Code = Code("tune::engine::no_source");

/// A test asks for something that its recording does not hold.
pub const NOT_RECORDED: Code = Code("tune::engine::not_recorded");

/// A recording holds an error with a code that this program does not know.
pub const RECORDED: Code = Code("tune::engine::recorded");

/// A saved plan cannot be read.
pub const SAVED_PLAN_DAMAGED: Code = Code("tune::engine::saved_plan_damaged");

/// A saved plan belongs to another state or to another program.
pub const SAVED_PLAN_FOREIGN: Code = Code("tune::engine::saved_plan_foreign");

/// What a saved plan was made from has moved.
pub const SAVED_PLAN_STALE: Code = Code("tune::engine::saved_plan_stale");

/// The manual entries of the codes above.
pub const EXPLANATIONS: &[Explanation] = &[
    Explanation {
        code: NO_ANSWER,
        title: "a host did not answer in time",
        text: "The answer did not arrive before the deadline. Look whether the host is overloaded or hangs \
               (`ssh HOST uptime`), then try again. If something had been sent, the next apply first finds out what \
               became of it.",
    },
    Explanation {
        code: RESTLESS,
        title: "the machine behind an address keeps changing",
        text: "A host is recognised by its machine id and its ssh host keys. Each time that this address was asked, \
               another machine answered: several machines share it, behind a load balancer or by mistake. Give each \
               machine its own address.",
    },
    Explanation {
        code: NO_SOURCE,
        title: "nothing answers a question of this kind",
        text: "A `data` or `probe` block asks something that this program has no source for, although the program that \
               made the plan had one. Run both with the same version.",
    },
    Explanation {
        code: NOT_RECORDED,
        title: "a recording does not hold what a test asks for",
        text: "`tune test` plans against a recording instead of the live systems. The configuration, or a variable of the \
               test, asks for a host, a setting or an answer that was not there when the recording was made.\n\n\
               Record again while the configuration asks for everything that the tests need: \
               `tune plan -record=FILE`. A test without a recording can look at variables and expressions only.",
    },
    Explanation {
        code: RECORDED,
        title: "a recording holds an error of another version",
        text: "When the recording was made, something could not be read, and the version of tune that made it gives that \
               error a code that this one does not know. The message is the one from then.",
    },
    Explanation {
        code: SAVED_PLAN_DAMAGED,
        title: "a saved plan cannot be read",
        text: "The file is none that `tune plan -out` wrote, or it is not as it was written: its first line seals the rest \
               with the key of the state, and one changed byte breaks that seal. Nothing was done.\n\n\
               Plan again and save it anew. If nobody should have been able to change the file, ask who did.",
    },
    Explanation {
        code: SAVED_PLAN_FOREIGN,
        title: "a saved plan belongs to another state",
        text: "A plan is sealed with the key of its state, `.tune/key`, and can only be applied where that key is: beside \
               the state that it was made for. There is no key before the state exists (`tune state init` makes both), \
               and a state that was made anew has another one. A plan in another version of the format is refused too: \
               save and apply it with one version of tune.\n\n\
               The key is a secret. It is in no export and in no recording.",
    },
    Explanation {
        code: SAVED_PLAN_STALE,
        title: "a saved plan is not what would be done now",
        text: "`tune apply FILE` plans anew and goes on only if that is exactly the plan which was saved. Something has \
               moved since: a file or a variable of the configuration, the state, a live value, or the program. The \
               message names what. Nothing was done.\n\n\
               Look at what it is now with `tune plan`, and save that plan if it is right. Values for variables must be \
               given to `apply` as they were given to `plan`; only digests of them are in the file.",
    },
];
