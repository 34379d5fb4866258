//! Credentials that change while a client lives.

use std::ffi::CString;
use std::sync::Arc;

use super::client::Client;
use super::errno::{Error, ErrorCode, Result};
use super::ptr::{cstring, ErrBuf};
use super::{raw, redact, Queue};

/// Where a client's SASL OAUTHBEARER tokens come from.
pub enum TokenSource {
    /// It needs none: another mechanism, or none.
    None,
    /// librdkafka makes or fetches them itself, because of this setting.
    Own(&'static str),
    /// The application: refreshes are asked for in this queue.
    Asked(Queue),
}

impl Client {
    /// Where tokens come from. To be called once: what librdkafka does itself is handed over to its
    /// background thread here (`rd_kafka_sasl_background_callbacks_enable`); left in a queue that
    /// is read as events, its own refreshes would be nobody's.
    pub fn token_source(self: &Arc<Self>) -> Result<TokenSource> {
        // SAFETY: the handle is valid; the reference returned is the caller's, null without a
        // mechanism that has callbacks.
        let queue = unsafe { Queue::from_raw(self, raw::rd_kafka_queue_get_sasl(self.as_ptr())) };
        let Some(queue) = queue else { return Ok(TokenSource::None) };
        let set = |key: &str, value: &str| self.conf().get(key).as_deref() == Some(value);
        if set("sasl.oauthbearer.method", "oidc") {
            // librdkafka has enabled the background thread itself.
            return Ok(TokenSource::Own("sasl.oauthbearer.method is oidc"));
        }
        if set("enable.sasl.oauthbearer.unsecure.jwt", "true") {
            // SAFETY: the handle is valid; the error is taken over.
            unsafe {
                Error::take(raw::rd_kafka_sasl_background_callbacks_enable(self.as_ptr()))?;
            }
            return Ok(TokenSource::Own("enable.sasl.oauthbearer.unsecure.jwt is true"));
        }
        Ok(TokenSource::Asked(queue))
    }

    /// User and password for PLAIN and SCRAM from the next authentication on
    /// (`rd_kafka_sasl_set_credentials`).
    pub fn sasl_set_credentials(&self, user: &str, password: &str) -> Result<()> {
        self.hide(password);
        let user = cstring(user, "user")?;
        let password = cstring(password, "password")?;
        // SAFETY: handle and strings are valid through the call, which copies them; the
        // error is taken over.
        unsafe {
            Error::take(raw::rd_kafka_sasl_set_credentials(
                self.as_ptr(),
                user.as_ptr(),
                password.as_ptr(),
            ))
        }
    }

    /// Answers a token refresh (`rd_kafka_oauthbearer_set_token`). `lifetime_ms` is when
    /// the token ends, in milliseconds since 1970.
    pub fn oauthbearer_set_token(
        &self,
        token: &str,
        lifetime_ms: i64,
        principal: &str,
        extensions: &[(&str, &str)],
    ) -> Result<()> {
        self.hide_token(token);
        let secret = [token.to_owned()];
        let token = cstring(token, "token")?;
        let principal = cstring(principal, "principal")?;
        let mut words: Vec<CString> = Vec::with_capacity(2 * extensions.len());
        for (key, value) in extensions {
            words.push(cstring(key, "extension")?);
            words.push(cstring(value, "extension")?);
        }
        let mut pointers: Vec<*const libc::c_char> =
            words.iter().map(|word| word.as_ptr()).collect();
        let mut text = ErrBuf::new();
        // SAFETY: handle, strings and the array of `pointers.len()` strings are valid
        // through the call, which copies them.
        let code = unsafe {
            raw::rd_kafka_oauthbearer_set_token(
                self.as_ptr(),
                token.as_ptr(),
                lifetime_ms,
                principal.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                text.as_mut_ptr(),
                text.len(),
            )
        };
        match ErrorCode(code).error() {
            None => Ok(()),
            // librdkafka quotes what it refuses.
            Some(code) => Err(Error::with_detail(code, redact(&text.text(), &secret))),
        }
    }

    /// Tells that there is no token, and why; librdkafka asks again in ten seconds
    /// (`rd_kafka_oauthbearer_set_token_failure`).
    pub fn oauthbearer_set_token_failure(&self, reason: &str) -> Result<()> {
        let reason = cstring(reason, "reason")?;
        // SAFETY: handle and string are valid through the call.
        ErrorCode(unsafe {
            raw::rd_kafka_oauthbearer_set_token_failure(self.as_ptr(), reason.as_ptr())
        })
        .ok()
    }
}
