//! A call's time, and what is asked again within it.
//!
//! A broker refuses some requests for the moment only: the leader of a partition or the coordinator of a
//! group is being chosen, has moved or has gone. Java's clients ask again until a call's time is over;
//! librdkafka 2.12.1 gives most such answers to its caller. So every call that asks the cluster has a
//! [`CallTime`], and these rules.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::client::Client;
use super::errno::{Error, ErrorCode, Result};
use super::partitions::PartitionList;

/// librdkafka's bound for a request's time, in milliseconds; "without limit" is this.
pub(super) const LONGEST: i32 = 3_600_000;

/// How long to wait before the same is asked again, and how often a waiting request looks whether it was
/// given up.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Whether a group's coordinator is being made or loaded, has moved or has gone.
pub fn coordinator_moves(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NOT_COORDINATOR
            | ErrorCode::COORDINATOR_NOT_AVAILABLE
            | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
            | ErrorCode::TRANSPORT
            | ErrorCode::DESTROY_BROKER
    )
}

/// Whether nobody has answered yet, or a broker not in its own time.
pub fn is_unanswered(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::WAIT_COORD
            | ErrorCode::TIMED_OUT
            | ErrorCode::TIMED_OUT_QUEUE
            | ErrorCode::REQUEST_TIMED_OUT
    )
}

/// Whether a commit may be made again by itself: the group's coordinator could not be asked, or a member of the
/// consumer protocol (KIP-848), whose group has gone on meanwhile, hears of its new epoch with the next heartbeat.
pub fn commit_passes(code: ErrorCode) -> bool {
    coordinator_moves(code) || is_unanswered(code) || code == ErrorCode::STALE_MEMBER_EPOCH
}

/// Whether a partition's leader is being elected, has moved or has gone, or does not know it yet: those of
/// Java's `RetriableException`s that a leader answers a question about offsets or records with. A topic
/// that the cluster does not have is none of them: librdkafka has asked for it often enough by then.
pub fn leader_moves(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NOT_LEADER_FOR_PARTITION
            | ErrorCode::LEADER_NOT_AVAILABLE
            | ErrorCode::REPLICA_NOT_AVAILABLE
            | ErrorCode::OFFSET_NOT_AVAILABLE
            | ErrorCode::FENCED_LEADER_EPOCH
            | ErrorCode::UNKNOWN_LEADER_EPOCH
            | ErrorCode::KAFKA_STORAGE_ERROR
            | ErrorCode::TRANSPORT
            | ErrorCode::DESTROY_BROKER
    )
}

/// Whether an error event says that a leader refuses for a moment to give messages or an offset; librdkafka asks again
/// by itself. (src/rdk/topics.c, which makes such events of what it tells readers, has the codes, too.)
pub fn leader_hesitates(e: &Error) -> bool {
    e.detail.starts_with("topic \"")
        && matches!(
            e.code,
            ErrorCode::UNKNOWN | ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NETWORK_EXCEPTION
        )
}

/// Whether nobody has answered in time; librdkafka says it in two ways.
fn is_late(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::TIMED_OUT | ErrorCode::ALL_BROKERS_DOWN)
}

/// Says that nobody waits any more.
#[derive(Clone, Default)]
pub struct GiveUp {
    said: Arc<AtomicBool>,
    /// What it is a part of.
    whole: Option<Arc<AtomicBool>>,
}

impl GiveUp {
    /// The request ends without an answer.
    pub fn now(&self) {
        self.said.store(true, Ordering::Release);
    }

    /// One that is also said when this one is.
    pub fn part(&self) -> GiveUp {
        GiveUp { said: Arc::default(), whole: Some(self.said.clone()) }
    }

    /// Whether that was said.
    pub fn is_said(&self) -> bool {
        let said = |flag: &AtomicBool| flag.load(Ordering::Acquire);
        said(&self.said) || self.whole.as_deref().is_some_and(said)
    }
}

/// The time of one call, which all its requests share.
pub struct CallTime {
    end: Option<Instant>,
    ms: i32,
    give_up: GiveUp,
}

impl CallTime {
    /// `ms` milliseconds from now on, -1 without limit.
    pub fn new(ms: i32) -> CallTime {
        CallTime::of(ms, GiveUp::default())
    }

    /// The same, or until nobody waits any more.
    pub fn of(ms: i32, give_up: GiveUp) -> CallTime {
        let end = u64::try_from(ms).ok().map(|ms| Instant::now() + Duration::from_millis(ms));
        CallTime { end, ms, give_up }
    }

    /// A part of it: `ms` milliseconds at most.
    pub(super) fn part(&self, ms: i32) -> CallTime {
        let part = CallTime::of(ms, self.give_up.clone());
        let end = self.end.map_or(part.end, |end| part.end.map(|part| part.min(end)));
        CallTime { end, ms: self.ms, ..part }
    }

    /// What is left, in milliseconds, as librdkafka takes it.
    pub fn left(&self) -> i32 {
        let Some(end) = self.end else { return LONGEST };
        let left = end.saturating_duration_since(Instant::now()).as_millis();
        i32::try_from(left).map_or(LONGEST, |ms| ms.min(LONGEST))
    }

    /// Whether nobody waits any more.
    pub(super) fn is_given_up(&self) -> bool {
        self.give_up.is_said()
    }

    /// What a call without an answer fails with.
    pub fn late(&self) -> Error {
        Error::with_detail(ErrorCode::TIMED_OUT, format!("no answer within {} ms", self.ms))
    }

    /// Waits a moment before the same is asked again: false when there is no time left for that.
    pub fn again(&self) -> bool {
        let left = Duration::from_millis(u64::try_from(self.left()).unwrap_or(0));
        if self.is_given_up() || left <= LOOK {
            return false;
        }
        std::thread::sleep(LOOK);
        true
    }
}

/// Asks for `count` things, then again for those whose refusal passes, until the call's time is over.
/// `ask` is given the places of those that are open, and answers for each of them, or fails for all.
/// `passes` is given each refused place, and says whether to ask for it again.
///
/// What is refused for the moment at the end, too, is marked as retriable: it says more than that the
/// time is over.
pub(super) fn ask_each<T>(
    count: usize,
    time: &CallTime,
    mut passes: impl FnMut(usize, ErrorCode) -> bool,
    mut ask: impl FnMut(&[usize]) -> Result<Vec<Result<T>>>,
) -> Result<Vec<Result<T>>> {
    let mut found: Vec<Result<T>> = Vec::with_capacity(count);
    let mut refused = None;
    let mut open: Vec<usize> = (0..count).collect();
    loop {
        match ask(&open) {
            Ok(answers) if found.is_empty() => found = answers,
            Ok(answers) => {
                for (i, answer) in open.iter().zip(answers) {
                    // What was refused says more than that it is late.
                    let says_less = answer.as_ref().is_err_and(|e| is_late(e.code));
                    if !says_less || found[*i].as_ref().is_err_and(|e| is_late(e.code)) {
                        found[*i] = answer;
                    }
                }
            }
            Err(e) => {
                // All of them, so that each is heard of.
                let late = is_late(e.code);
                let again = open.iter().filter(|i| passes(**i, e.code)).count() > 0;
                // What has been answered keeps that, what was refused says more than that it is late.
                if found.is_empty() && (!again || late && time.left() == 0) {
                    return Err(refused.filter(|_| late).unwrap_or_else(|| marked(e)));
                }
                if !late || refused.is_none() {
                    refused = Some(marked(e));
                }
            }
        }
        if !found.is_empty() {
            open.retain(|i| found[*i].as_ref().is_err_and(|e| passes(*i, e.code)));
        }
        if open.is_empty() || !time.again() {
            break;
        }
    }
    match refused {
        Some(e) if found.is_empty() => Err(e),
        _ => Ok(found.into_iter().map(|answer| answer.map_err(marked)).collect()),
    }
}

/// The same for one thing.
pub(super) fn ask_again<T>(
    time: &CallTime,
    mut passes: impl FnMut(ErrorCode) -> bool,
    mut ask: impl FnMut() -> Result<T>,
) -> Result<T> {
    let answers = ask_each(1, time, |_, code| passes(code), |_| Ok(vec![Ok(ask()?)]));
    answers?.pop().unwrap_or_else(|| Err(time.late()))
}

/// How long one leader is waited for: it may be gone for good, and another one be elected meanwhile. A leader
/// that is slow gets more time with each attempt.
pub(super) struct Patience {
    ms: i32,
}

impl Patience {
    pub(super) fn new() -> Patience {
        Patience { ms: 3000 }
    }

    /// Has `ask` ask once.
    pub(super) fn attempt<T>(
        &mut self,
        time: &CallTime,
        ask: impl FnOnce(&CallTime) -> Result<T>,
    ) -> Result<T> {
        let answer = ask(&time.part(self.ms));
        if answer.as_ref().is_err_and(|e| is_late(e.code)) {
            self.ms = self.ms.saturating_mul(2);
        }
        answer
    }
}

/// Calling again may well succeed.
fn marked(mut e: Error) -> Error {
    e.retriable |= leader_moves(e.code) || coordinator_moves(e.code);
    e
}

/// For questions about the partitions of a list: whether to ask again for the one at a place.
///
/// What librdkafka knows of a topic may be old: it takes a leader that was being elected, a topic and a
/// partition that were not there when it asked last for missing until its next look at all of them
/// (`topic.metadata.refresh.interval.ms`). So after such a refusal that is forgotten, and a topic or a
/// partition that is not there is looked for once more.
pub(super) fn passes<'a>(
    client: &'a Client,
    list: &'a PartitionList,
) -> impl FnMut(usize, ErrorCode) -> bool + 'a {
    let mut looked_for = HashSet::new();
    move |place, code| {
        let missing = matches!(
            code,
            ErrorCode::UNKNOWN_TOPIC_OR_PART
                | ErrorCode::UNKNOWN_TOPIC
                | ErrorCode::UNKNOWN_PARTITION
        );
        let moves = leader_moves(code) || is_late(code);
        if missing || moves {
            if let Some(e) = list.get(place) {
                client.forget_topic(e.topic);
            }
        }
        moves || (missing && looked_for.insert(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Round<'a> = (&'a [usize], Result<Vec<Result<i32>>>);

    /// Asks for two things. The rounds say for which of them, and what they are told.
    fn asked(rounds: Vec<Round<'_>>) -> Result<Vec<Result<i32>>> {
        let mut rounds = rounds.into_iter();
        let time = CallTime::new(10_000);
        let answers = ask_each(
            2,
            &time,
            |_, code| leader_moves(code) || is_late(code),
            |open| {
                let Some((wanted, answer)) = rounds.next() else {
                    time.give_up.now();
                    return Err(Error::new(ErrorCode::TIMED_OUT));
                };
                assert_eq!(open, wanted);
                answer
            },
        );
        assert!(rounds.next().is_none());
        answers
    }

    fn refused<T>(code: ErrorCode) -> Result<T> {
        Err(Error::new(code))
    }

    #[test]
    fn only_the_refused_are_asked_for_again() {
        let answers = asked(vec![
            (&[0, 1], Ok(vec![Ok(1), refused(ErrorCode::LEADER_NOT_AVAILABLE)])),
            (&[1], Ok(vec![refused(ErrorCode::NOT_LEADER_FOR_PARTITION)])),
            (&[1], Ok(vec![Ok(2)])),
        ]);
        assert_eq!(answers.unwrap().into_iter().collect::<Result<Vec<_>>>().unwrap(), [1, 2]);
    }

    #[test]
    fn a_refusal_says_more_than_that_it_is_late() {
        let answers = asked(vec![
            (&[0, 1], Ok(vec![Ok(1), refused(ErrorCode::LEADER_NOT_AVAILABLE)])),
            (&[1], Ok(vec![refused(ErrorCode::TIMED_OUT)])),
        ]);
        let error = answers.unwrap().remove(1).unwrap_err();
        assert_eq!((error.code, error.retriable), (ErrorCode::LEADER_NOT_AVAILABLE, true));
        let all = asked(vec![
            (&[0, 1], refused(ErrorCode::LEADER_NOT_AVAILABLE)),
            (&[0, 1], refused(ErrorCode::TIMED_OUT)),
        ]);
        assert_eq!(all.unwrap_err().code, ErrorCode::LEADER_NOT_AVAILABLE);
    }

    #[test]
    fn what_stays_is_not_asked_for_again() {
        let answers =
            asked(vec![(&[0, 1], Ok(vec![Ok(1), refused(ErrorCode::OFFSET_OUT_OF_RANGE)]))]);
        let error = answers.unwrap().remove(1).unwrap_err();
        assert_eq!((error.code, error.retriable), (ErrorCode::OFFSET_OUT_OF_RANGE, false));
    }
}
