//! Requests to a group's coordinator, asked again while it refuses them for the moment.

use super::{Admin, Named, LOOK};
use crate::rdk::errno::{Error, ErrorCode, Result};

/// The coordinator is being made or loaded, has moved or has gone. Java's admin client asks again after
/// these codes until its time is over; librdkafka 2.12.1 gives them to the caller.
pub(super) fn passes(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NOT_COORDINATOR
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::TRANSPORT
    )
}

/// What is told of it when the time is over: calling again may well succeed.
fn retriable(e: Error) -> Error {
    Error { retriable: true, ..e }
}

impl Admin<'_> {
    /// Whether to ask again after an error; waits a moment if so.
    fn again(&self, e: &Error) -> bool {
        let again = passes(e.code) && !self.give_up.is_said() && self.left() > 0;
        if again {
            if e.code == ErrorCode::NOT_COORDINATOR {
                // librdkafka would ask the same broker for ever.
                self.client.forget_coordinators();
            }
            std::thread::sleep(LOOK);
        }
        again
    }

    /// Asks until the coordinator takes the request or the call's time is over.
    pub(super) fn ask_coordinator<T>(&self, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
        let mut refused = None;
        loop {
            match ask() {
                Err(e) if self.again(&e) => refused = Some(e),
                // The refusal says more than that the time is over.
                Err(e) if e.code == ErrorCode::TIMED_OUT => {
                    return Err(refused.map_or(e, retriable))
                }
                Err(e) if passes(e.code) => return Err(retriable(e)),
                other => return other,
            }
        }
    }

    /// The same for a request about several groups: those that are refused are asked for again.
    pub(super) fn ask_coordinators<T>(
        &self,
        names: &[String],
        ask: impl Fn(&[String]) -> Result<Named<T>>,
    ) -> Result<Named<T>> {
        let mut found: Named<T> = ask(names)?;
        loop {
            let refused = |(_, outcome): &(String, Result<T>)| match outcome {
                Err(e) if passes(e.code) => Some(e.clone()),
                _ => None,
            };
            let Some(first) = found.iter().find_map(refused) else { return Ok(found) };
            if !self.again(&first) {
                break;
            }
            let pending: Vec<String> = found
                .iter()
                .filter(|f| refused(f).is_some())
                .map(|(name, _)| name.clone())
                .collect();
            match ask(&pending) {
                Ok(answers) => {
                    for (name, outcome) in answers {
                        if let Some(at) = found.iter_mut().find(|(n, _)| *n == name) {
                            at.1 = outcome;
                        }
                    }
                }
                // What the others answered counts.
                Err(e) if e.code == ErrorCode::TIMED_OUT => break,
                Err(e) => return Err(e),
            }
        }
        for (_, outcome) in &mut found {
            if let Err(e) = outcome {
                e.retriable |= passes(e.code);
            }
        }
        Ok(found)
    }
}
