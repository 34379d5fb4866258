//! SCRAM users and their credentials.

use super::{array, error_of, number, raw, word, Admin, Bag, Named, Names, Op};
use crate::rdk::errno::{ErrorCode, Result};
use crate::rdk::ptr::{cstring, string};

/// `rd_kafka_ScramMechanism_t`: words by their number.
pub const MECHANISMS: [&str; 3] = ["unknown", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// What the cluster tells of a user's credential.
#[derive(Clone, Debug)]
pub struct Credential {
    /// One of [`MECHANISMS`].
    pub mechanism: &'static str,
    /// How often the password is hashed.
    pub iterations: i32,
}

/// A change of a user's credentials. No `Debug`: passwords stay out of texts.
pub struct ScramChange {
    /// The user.
    pub user: String,
    /// One of [`MECHANISMS`].
    pub mechanism: String,
    /// Iterations, password and salt (empty for one by chance); without them the credential is
    /// deleted.
    pub upsert: Option<(i32, Vec<u8>, Vec<u8>)>,
}

impl Admin<'_> {
    /// The credentials of users, or of all (`rd_kafka_DescribeUserScramCredentials`). The caller's
    /// right is asked for first: an answer that is an error is spoilt (see `Answer::check`).
    pub fn describe_scram_users(&self, users: &[String]) -> Result<Named<Vec<Credential>>> {
        self.need_describe()?;
        let mut names = Names::new(users, "user")?;
        let options = self.options(Op::DescribeUserScramCredentials)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the names are copied.
            unsafe {
                raw::rd_kafka_DescribeUserScramCredentials(
                    rk,
                    names.as_mut_ptr(),
                    names.len(),
                    options,
                    queue,
                )
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_DescribeUserScramCredentials_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let users = array(|n| {
                raw::rd_kafka_DescribeUserScramCredentials_result_descriptions(result, n)
            });
            Ok(users.iter().map(|u| description(*u)).collect())
        }
    }

    /// Sets and deletes credentials; outcomes by user. A request may have a user once only, so a
    /// user's second change goes into a second request, unless the first has failed.
    pub fn alter_scram_users(&self, changes: &[ScramChange]) -> Result<Named<()>> {
        let mut out: Named<()> = Vec::new();
        let mut left: Vec<&ScramChange> = changes.iter().collect();
        while !left.is_empty() {
            let mut round: Vec<&ScramChange> = Vec::new();
            let mut later = Vec::new();
            for change in left {
                let twin = round.iter().any(|c| c.user == change.user);
                if twin { &mut later } else { &mut round }.push(change);
            }
            let found = match self.alter_once(&round) {
                Ok(found) => found,
                Err(e) if out.is_empty() || e.code == ErrorCode::DESTROY => return Err(e),
                // What the rounds before did is done.
                Err(e) => round.iter().map(|c| (c.user.clone(), Err(e.clone()))).collect(),
            };
            for (user, outcome) in found {
                if outcome.is_err() {
                    later.retain(|c| c.user != user);
                }
                match out.iter_mut().find(|(known, _)| *known == user) {
                    Some(known) => known.1 = outcome,
                    None => out.push((user, outcome)),
                }
            }
            left = later;
        }
        Ok(out)
    }

    /// One request (`rd_kafka_AlterUserScramCredentials`).
    fn alter_once(&self, changes: &[&ScramChange]) -> Result<Named<()>> {
        let mut bag = Bag::new(raw::rd_kafka_UserScramCredentialAlteration_destroy);
        for change in changes {
            let user = cstring(&change.user, "user")?;
            let mechanism = number(&MECHANISMS, &change.mechanism)?;
            // SAFETY: string and bytes are valid and copied; the object is ours.
            let made = unsafe {
                match &change.upsert {
                    Some((iterations, password, salt)) => {
                        raw::rd_kafka_UserScramCredentialUpsertion_new(
                            user.as_ptr(),
                            mechanism,
                            *iterations,
                            password.as_ptr(),
                            password.len(),
                            salt.as_ptr(),
                            salt.len(),
                        )
                    }
                    None => raw::rd_kafka_UserScramCredentialDeletion_new(user.as_ptr(), mechanism),
                }
            };
            bag.add(made, String::new)?;
        }
        let options = self.options(Op::AlterUserScramCredentials)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the changes are copied.
            unsafe {
                raw::rd_kafka_AlterUserScramCredentials(
                    rk,
                    bag.as_mut_ptr(),
                    bag.len(),
                    options,
                    queue,
                )
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_AlterUserScramCredentials_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let responses =
                array(|n| raw::rd_kafka_AlterUserScramCredentials_result_responses(result, n));
            Ok(responses
                .iter()
                .map(|r| {
                    let user = raw::rd_kafka_AlterUserScramCredentials_result_response_user(*r);
                    let error = raw::rd_kafka_AlterUserScramCredentials_result_response_error(*r);
                    (string(user), error_of(error).map_or(Ok(()), Err))
                })
                .collect())
        }
    }
}

/// # Safety
/// `user` is valid.
unsafe fn description(
    user: *const raw::UserScramCredentialsDescription,
) -> (String, Result<Vec<Credential>>) {
    // SAFETY: valid by this function's contract, and so is what is in it; all is copied.
    unsafe {
        let name = string(raw::rd_kafka_UserScramCredentialsDescription_user(user));
        if let Some(e) = error_of(raw::rd_kafka_UserScramCredentialsDescription_error(user)) {
            return (name, Err(e));
        }
        let count = raw::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo_count(user);
        let found = (0..count)
            .map(|i| {
                let info =
                    raw::rd_kafka_UserScramCredentialsDescription_scramcredentialinfo(user, i);
                Credential {
                    mechanism: word(&MECHANISMS, raw::rd_kafka_ScramCredentialInfo_mechanism(info)),
                    iterations: raw::rd_kafka_ScramCredentialInfo_iterations(info),
                }
            })
            .collect();
        (name, Ok(found))
    }
}
