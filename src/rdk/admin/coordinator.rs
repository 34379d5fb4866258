//! Requests to a group's coordinator, asked again while it refuses them for the moment.

use super::{Admin, Named};
use crate::rdk::again::{ask_again, ask_each, coordinator_moves};
use crate::rdk::errno::{Error, ErrorCode, Result};

impl Admin<'_> {
    /// Whether to ask again after a refusal.
    fn passes(&self, code: ErrorCode) -> bool {
        if code == ErrorCode::NOT_COORDINATOR {
            // librdkafka would ask the same broker for ever.
            self.client.forget_coordinators();
        }
        coordinator_moves(code)
    }

    /// Asks until the coordinator takes the request or the call's time is over.
    pub(super) fn ask_coordinator<T>(&self, ask: impl FnMut() -> Result<T>) -> Result<T> {
        ask_again(&self.time, |code| self.passes(code), ask)
    }

    /// The same for a request about several groups: those that are refused are asked for again.
    pub(super) fn ask_coordinators<T>(
        &self,
        names: &[String],
        ask: impl Fn(&[String]) -> Result<Named<T>>,
    ) -> Result<Named<T>> {
        let passes = |_, code| self.passes(code);
        let answers = ask_each(names.len(), &self.time, passes, |open| {
            let asked: Vec<String> = open.iter().map(|i| names[*i].clone()).collect();
            let mut answers = ask(&asked)?;
            let missing = || Error::with_detail(ErrorCode::FAIL, "librdkafka left it out");
            Ok(asked
                .iter()
                .map(|name| {
                    let at = answers.iter().position(|(n, _)| n == name).ok_or_else(missing)?;
                    answers.swap_remove(at).1
                })
                .collect())
        })?;
        Ok(names.iter().cloned().zip(answers).collect())
    }
}
