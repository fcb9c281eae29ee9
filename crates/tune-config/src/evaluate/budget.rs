//! Limits on what a configuration may ask for, so that a mistake ends with a message and not with a machine that has
//! no memory left.

/// How much there may be to visit in one value: about as many elements, or sixteen times as many bytes of text.
pub(crate) const MAX_WEIGHT: u64 = 1 << 21;
/// How deep lists and maps may be nested in each other; whatever walks through a value is recursive.
pub(crate) const MAX_DEPTH: u32 = 100;
/// Steps for a whole configuration; a step is one part of an expression, or one element that a function visits.
const MAX_STEPS: u64 = 50_000_000;

/// What is left of the steps.
pub(crate) struct Budget {
    left: u64,
    over: bool,
}

pub(super) enum Spent {
    Fine,
    /// This step was the one too many.
    JustNow,
    Over,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MAX_STEPS, over: false }
    }
}

impl Budget {
    #[cfg(test)]
    pub(crate) fn of(steps: u64) -> Self {
        Self { left: steps, over: false }
    }

    pub(super) fn spend(&mut self, steps: u64) -> Spent {
        if self.over {
            return Spent::Over;
        }
        if let Some(left) = self.left.checked_sub(steps) {
            self.left = left;
            return Spent::Fine;
        }
        self.over = true;
        Spent::JustNow
    }
}
