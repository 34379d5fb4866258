//! SASL OAUTHBEARER tokens by callback.
//!
//! librdkafka asks for a token when a client is made, again when 80% of the token's life is over, and
//! ten seconds after a failure. Until there is one, no broker is talked to. So the callback runs not
//! only in the event loop but in every call that waits: a query that waited for a token which only the
//! event loop could bring would wait in vain.
//!
//! The token is a secret. What is said about a bad one names the key, never the value.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::core::{Core, Doorbell};
use super::faults::may_be_unreachable;
use crate::error::{Error, Result};
use crate::rdk::{self, ErrorCode, Event, Queue, TokenSource};
use crate::tcl::{Code, Interp, Obj, Raise};

/// When librdkafka asks again after a failure.
const RETRY: Duration = Duration::from_secs(10);

const NO_CALLBACK: &str = "no oauthbearer_token_callback is set: set one, or let librdkafka get \
    tokens with sasl.oauthbearer.method oidc, or make unsecured ones for tests with \
    enable.sasl.oauthbearer.unsecure.jwt true";

/// A client's tokens.
pub struct Tokens {
    source: TokenSource,
    bell: OnceCell<Arc<Doorbell>>,
    /// What the callback is to be called with, once there is one.
    wanted: RefCell<Option<String>>,
    /// The callback runs.
    busy: Cell<bool>,
    /// There was a token once: connections may live on without a new one.
    had: Cell<bool>,
    /// Why there is no new token, and since when.
    trouble: RefCell<Option<(String, Instant)>>,
}

impl Tokens {
    pub fn new(source: TokenSource) -> Tokens {
        Tokens {
            source,
            bell: OnceCell::new(),
            wanted: RefCell::default(),
            busy: Cell::new(false),
            had: Cell::new(false),
            trouble: RefCell::default(),
        }
    }

    fn queue(&self) -> Option<&Queue> {
        match &self.source {
            TokenSource::Asked(queue) => Some(queue),
            _ => None,
        }
    }

    /// Has the object woken when a token is wanted.
    pub fn open(&self, bell: Arc<Doorbell>) {
        if let Some(queue) = self.queue() {
            queue.enable_wake(self.bell.get_or_init(|| bell).clone());
        }
    }

    pub fn close(&self) {
        if let Some(queue) = self.queue() {
            queue.disable_wake();
        }
    }

    /// A callback is about to be set on a handle. One that would never be called is refused.
    pub fn check_callback(&self) -> Result<()> {
        match self.source {
            TokenSource::Own(why) => {
                Err(Error::State(format!("librdkafka gets this client's tokens itself: {why}")))
            }
            _ => Ok(()),
        }
    }

    /// Puts the callback's call together when a token is wanted.
    fn next_call(&self, core: &Core, words: &mut Vec<Obj>) -> bool {
        let Some(queue) = self.queue() else { return false };
        if self.busy.get() || !core.can_call() {
            return false;
        }
        if let Some(bell) = self.bell.get().filter(|b| b.look()) {
            if let Some(Event::TokenRefresh { config }) = queue.poll(0) {
                bell.more();
                *self.wanted.borrow_mut() = Some(config);
                if core.callbacks.token().is_none() {
                    self.failed(core, NO_CALLBACK);
                }
            }
        }
        let Some(config) = self.wanted.borrow().as_deref().map(Obj::text) else { return false };
        let Some(prefix) = core.callbacks.token() else { return false };
        self.wanted.take();
        self.busy.set(true);
        prefix.fill(config, words);
        true
    }

    /// The callback has ended; its result or its error is the interpreter's.
    fn answer(&self, core: &Core, interp: Interp, code: Code) {
        self.busy.set(false);
        let result = interp.result();
        if !code.is_ok() {
            interp.background_error(code.0);
            let text = result.str();
            let text = if text.is_empty() { "the token callback failed" } else { &text };
            self.failed(core, text);
            return;
        }
        let set = Token::parse(&result).and_then(|token| {
            let extensions: Vec<(&str, &str)> =
                token.extensions.iter().map(|(k, v)| (&**k, &**v)).collect();
            let Token { value, lifetime, principal, .. } = &token;
            core.client
                .oauthbearer_set_token(value, *lifetime, principal, &extensions)
                .map_err(|e| e.detail)
        });
        match set {
            Ok(()) => {
                self.had.set(true);
                self.trouble.take();
            }
            Err(text) => {
                Error::kafka(
                    ErrorCode::AUTHENTICATION,
                    format!("oauthbearer_token_callback: {text}"),
                )
                .raise(interp);
                interp.background_error(Code::ERROR.0);
                self.failed(core, &text);
            }
        }
    }

    /// Tells librdkafka, which makes an error event of it, and the log.
    fn failed(&self, core: &Core, text: &str) {
        let text = text.replace('\0', " ");
        let old = self.trouble.replace(Some((text.clone(), Instant::now())));
        if old.is_none_or(|(known, _)| known != text) {
            core.logger.say(3, "TOKEN", &core.live.name, format!("no OAUTHBEARER token: {text}"));
        }
        // It can only refuse because the mechanism is another one.
        let _ = core.client.oauthbearer_set_token_failure(&text);
    }

    /// Why a call that ends at `end` waits in vain: there has never been a token, and none will be
    /// asked for in time.
    pub fn hopeless(&self, end: Option<Instant>) -> Option<Error> {
        let trouble = self.trouble.borrow();
        let (text, since) = trouble.as_ref().filter(|_| !self.had.get() && !self.busy.get())?;
        let last = self.wanted.borrow().is_some() || end.is_some_and(|d| d <= *since + RETRY);
        last.then(|| {
            Error::kafka(ErrorCode::AUTHENTICATION, format!("no OAUTHBEARER token: {text}"))
        })
    }

    /// Adds to an error that no broker was reached what kept it from being reached.
    pub fn explain(&self, mut e: rdk::Error) -> rdk::Error {
        let trouble = self.trouble.borrow();
        if let Some((text, _)) = trouble.as_ref().filter(|_| may_be_unreachable(e.code)) {
            if !e.detail.is_empty() {
                e.detail.push_str("; ");
            }
            e.detail.push_str("no OAUTHBEARER token: ");
            e.detail.push_str(text);
        }
        e
    }
}

/// A task's part in it: every task that waits or serves events holds one.
#[derive(Default)]
pub struct Asking(Option<Rc<Core>>);

impl Asking {
    /// Puts the callback's call together when a token is wanted; then the task's next is `Ask`.
    pub fn begin(&mut self, core: &Rc<Core>, words: &mut Vec<Obj>) -> bool {
        let begun = core.tokens.next_call(core, words);
        if begun {
            self.0 = Some(core.clone());
            core.before_call();
        }
        begun
    }

    /// To be called first in each step: takes the callback's answer, and tells whether it was that
    /// which ran.
    pub fn end(&mut self, interp: Interp, code: Code) -> bool {
        let Some(core) = self.0.take() else { return false };
        core.tokens.answer(&core, interp, code);
        true
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // The callback's coroutine was deleted, or its interpreter.
        if let Some(core) = self.0.take() {
            core.tokens.busy.set(false);
            core.tokens.failed(&core, "the token callback was given up before its end");
        }
    }
}

/// What the callback returns: a dict `token principal lifetime ?extensions?`.
struct Token {
    value: String,
    principal: String,
    /// When it ends, in milliseconds since 1970.
    lifetime: i64,
    extensions: Vec<(String, String)>,
}

impl Token {
    fn parse(dict: &Obj) -> std::result::Result<Token, String> {
        // Not the list's own error: that quotes the value.
        if dict.get_pairs("").is_err() {
            return Err("expected a dict with token, principal and lifetime".to_owned());
        }
        let need = |key: &str| dict.dict_get(key).ok_or_else(|| format!("{key}: missing"));
        let value = need("token")?.string();
        if value.is_empty() {
            return Err("token: empty".to_owned());
        }
        if !is_value(&value) {
            return Err("token: has a character that OAUTHBEARER does not allow".to_owned());
        }
        let principal = need("principal")?.string();
        if principal.contains('\0') {
            return Err("principal: has a NUL character".to_owned());
        }
        let lifetime = lifetime(&need("lifetime")?)?;
        let extensions = match dict.dict_get("extensions") {
            Some(pairs) => extensions(&pairs)?,
            None => Vec::new(),
        };
        Ok(Token { value, principal, lifetime, extensions })
    }
}

fn lifetime(word: &Obj) -> std::result::Result<i64, String> {
    let ms = word
        .get_int("lifetime")
        .map_err(|_| "lifetime: expected milliseconds since 1970".to_owned())?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
    if i128::from(ms) <= i128::try_from(now).unwrap_or(i128::MAX) {
        return Err(format!("lifetime: {ms} is in the past; it is milliseconds since 1970"));
    }
    // librdkafka counts it in microseconds.
    Ok(ms.min(i64::MAX / 1000))
}

fn extensions(pairs: &Obj) -> std::result::Result<Vec<(String, String)>, String> {
    let pairs = pairs
        .get_pairs("")
        .map_err(|_| "extensions: expected a dict of names and values".to_owned())?;
    let mut out = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let (name, value) = (name.string(), value.string());
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(format!("extensions: \"{name}\" is no name: it has letters only"));
        }
        if name == "auth" {
            return Err("extensions: \"auth\" is reserved for the token".to_owned());
        }
        if !is_value(&value) {
            return Err(format!(
                "extensions: the value of \"{name}\" has a character that OAUTHBEARER does not allow"
            ));
        }
        out.push((name, value));
    }
    Ok(out)
}

/// RFC 7628: printing ASCII characters, space, tab, CR and LF.
fn is_value(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b'!'..=b'~' | b' ' | b'\t' | b'\r' | b'\n'))
}
