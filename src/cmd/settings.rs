//! Configuration: what a script sets, reads and lists.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::advice::{advise, check, no_such};
use super::properties_file::{self, Entry};
use super::vfs::{self, Question};
use crate::error::{Error, Result};
use crate::rdk::{self, is_secret, Conf, TopicConf};
use crate::tcl::{Args, Call, Flow, Obj, Object, Outcome};

/// What stands for a secret's value in a listing.
const REDACTED: &str = "[redacted]";

#[derive(Clone)]
enum Props {
    Client(Conf),
    Topic(TopicConf),
}

/// A configuration with what the script set in it.
#[derive(Clone)]
pub struct Settings {
    props: Props,
    /// What the script set, by the names it used, in its order.
    explicit: Vec<(String, String)>,
}

impl Settings {
    /// A client's configuration.
    pub fn client() -> Settings {
        Settings { props: Props::Client(Conf::new()), explicit: Vec::new() }
    }

    /// A topic's configuration.
    pub fn topic() -> Settings {
        Settings { props: Props::Topic(TopicConf::new()), explicit: Vec::new() }
    }

    /// Sets one property.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if is_secret(key) && value == REDACTED {
            return Err(Error::argument(format!(
                "{key}: {REDACTED} stands for the value in a listing and is none"
            )));
        }
        check(key, value)?;
        let done = match &mut self.props {
            Props::Client(c) => c.set(key, value),
            Props::Topic(t) => t.set(key, value),
        };
        done.map_err(|e| hide(advise(e, key, self.is_topic()), key, value))?;
        self.explicit.retain(|(k, _)| k != key);
        self.explicit.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// A property's value: empty when it has none, an error when there is no such property.
    pub fn get(&self, key: &str) -> Result<String> {
        let (value, known) = match &self.props {
            Props::Client(c) => (c.get(key), Conf::is_known(key)),
            Props::Topic(t) => (t.get(key), TopicConf::is_known(key)),
        };
        // A client's configuration has no topic properties until one is set; their defaults hold.
        let value = value.or_else(|| TopicConf::new().get(key));
        match value {
            Some(v) => Ok(v),
            None if known => Ok(String::new()),
            None => Err(no_such(key, self.is_topic()).into()),
        }
    }

    fn is_topic(&self) -> bool {
        matches!(self.props, Props::Topic(_))
    }

    /// Whether the script set the property, by this name or an alias.
    pub fn is_set(&self, key: &str) -> bool {
        match &self.props {
            Props::Client(c) => c.is_configured(key),
            Props::Topic(t) => t.is_configured(key),
        }
    }

    /// All properties, secrets redacted.
    pub fn list(&self) -> Obj {
        let rows = match &self.props {
            Props::Client(c) => c.dump(),
            Props::Topic(t) => t.dump(),
        };
        Obj::texts(rows.into_iter().flat_map(|(k, v)| {
            let v = if is_secret(&k) { REDACTED.to_owned() } else { v };
            [k, v]
        }))
    }

    /// All values by librdkafka's own names, for telling two configurations apart: an alias or a
    /// default that was said aloud makes no difference.
    pub fn fingerprint(&self) -> BTreeMap<String, String> {
        match &self.props {
            Props::Client(c) => c.dump(),
            Props::Topic(t) => t.dump(),
        }
        .into_iter()
        .collect()
    }

    /// Sets what another configuration has set; a client's configuration takes topic properties too.
    pub fn absorb(&mut self, other: &Settings) -> Result<()> {
        for (k, v) in &other.explicit {
            self.set(k, v)?;
        }
        Ok(())
    }

    /// Sets a property that the script left alone.
    pub fn default(&mut self, key: &str, value: &str) -> Result<()> {
        if self.is_set(key) {
            return Ok(());
        }
        let done = match &mut self.props {
            Props::Client(c) => c.set(key, value),
            Props::Topic(t) => t.set(key, value),
        };
        Ok(done?)
    }

    /// The same without some properties.
    pub fn without(&self, keys: &[&str]) -> Settings {
        let mut out = match self.props {
            Props::Client(_) => Settings::client(),
            Props::Topic(_) => Settings::topic(),
        };
        for (k, v) in self.explicit.iter().filter(|(k, _)| !keys.contains(&k.as_str())) {
            // It was accepted once, so it is accepted again.
            let _ = out.set(k, v);
        }
        out
    }

    /// A client with TLS verifies brokers against the distribution's CAs unless it is told which.
    /// Where OpenSSL would not find them, librdkafka looks in the usual places.
    pub fn default_trust(&mut self) -> Result<()> {
        let tls = self.get("security.protocol")?.ends_with("ssl");
        if tls && !self.is_set("ssl.ca.pem") && !rdk::has_default_trust() {
            self.default("ssl.ca.location", "probe")?;
        }
        Ok(())
    }

    /// The topic properties of a client's configuration, as a topic's.
    pub fn topic_part(&self) -> Settings {
        let mut out = Settings::topic();
        for (k, v) in &self.explicit {
            if TopicConf::is_known(k) {
                // It was accepted once, so it is accepted again.
                let _ = out.set(k, v);
            }
        }
        out
    }

    /// The configuration for making a client; a topic's has none.
    pub fn conf(&self) -> Conf {
        match &self.props {
            Props::Client(c) => c.clone(),
            Props::Topic(_) => Conf::new(),
        }
    }

    /// The configuration for making a topic; a client's has none.
    pub fn topic_conf(&self) -> TopicConf {
        match &self.props {
            Props::Topic(t) => t.clone(),
            Props::Client(_) => TopicConf::new(),
        }
    }

    /// `config ?key? ?value ...?`: lists, gets or sets, all or nothing.
    fn command(&mut self, args: &Args<'_>, wrong: impl FnOnce() -> Error) -> Result<Obj> {
        let mut changed = self.clone();
        match (args.get(0), args.rest) {
            (None, _) => return Ok(self.list()),
            (Some(key), []) => return Ok(Obj::text(&self.get(&key.str())?)),
            (Some(key), [value, rest @ ..]) if rest.len() % 2 == 0 => {
                changed.set(&key.str(), &value.str())?;
                for pair in rest.chunks_exact(2) {
                    changed.set(&pair[0].str(), &pair[1].str())?;
                }
            }
            _ => return Err(wrong()),
        }
        *self = changed;
        Ok(Obj::empty())
    }

    /// `config ?key?` of what can no longer be set.
    pub fn show(&self, key: Option<&Obj>) -> Result<Flow> {
        Ok(match key {
            Some(key) => Obj::text(&self.get(&key.str())?).into(),
            None => self.list().into(),
        })
    }

    /// Sets what a file of properties says. Errors name file and line, and never quote a value that
    /// is secret.
    fn take_file(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Error::argument(format!("couldn't read \"{path}\": it is no UTF-8")))?;
        let entries = properties_file::parse(text)
            .map_err(|(line, what)| Error::argument(format!("{path}:{line}: {what}")))?;
        for Entry { line, key, value } in entries {
            let place = |what: &str| format!("{path}:{line}: {what}");
            self.set(&key, &value).map_err(|e| match e {
                Error::Kafka(e) => Error::kafka(e.code, place(&e.detail)),
                Error::Words(e) => Error::argument(place(&e.message())),
                other => other,
            })?;
        }
        Ok(())
    }
}

/// `config ?-file path? ?key? ?value ...?` of an object with settings.
pub fn config<T: Object<Error = Error>>(
    c: &Call<'_, T>,
    settings: fn(&T) -> &RefCell<Settings>,
) -> Outcome<T> {
    let Some(path) = c.args.opt("-file") else {
        return Ok(settings(c.this).borrow_mut().command(&c.args, || c.wrong_args())?.into());
    };
    let pairs: Vec<Obj> = c.args.get(0).into_iter().chain(c.args.rest).cloned().collect();
    if !pairs.len().is_multiple_of(2) {
        return Err(c.wrong_args());
    }
    let (this, name) = (c.this.clone(), path.string());
    Ok(vfs::ask(Question::Read, vec![path.clone()], true, move |_, answers| {
        let mut changed = settings(&this).borrow().clone();
        for bytes in &answers {
            changed.take_file(&name, bytes.get_bytes("file")?)?;
        }
        for pair in pairs.chunks_exact(2) {
            changed.set(&pair[0].str(), &pair[1].str())?;
        }
        settings(&this).replace(changed);
        Ok(Obj::empty())
    }))
}

/// librdkafka's message for a bad value quotes it.
fn hide(e: rdk::Error, key: &str, value: &str) -> Error {
    if is_secret(key) && !value.is_empty() {
        return Error::kafka(e.code, rdk::redact(&e.detail, &[value.to_owned()]));
    }
    Error::Kafka(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_stand_back_for_what_the_script_set() {
        let mut s = Settings::client();
        s.set("fetch.queue.backoff.ms", "77").unwrap();
        s.default("fetch.queue.backoff.ms", "10").unwrap();
        s.default("enable.auto.offset.store", "false").unwrap();
        assert_eq!(s.get("fetch.queue.backoff.ms").unwrap(), "77");
        assert_eq!(s.get("enable.auto.offset.store").unwrap(), "false");
        assert_eq!(s.explicit.len(), 1);
    }

    #[test]
    fn a_bad_secret_is_not_quoted() {
        let mut s = Settings::client();
        // Seen as data: making an errorCode needs Tcl.
        let e = s.set("ssl.key.pem", "not-a-pem\0").unwrap_err();
        assert!(!format!("{e:?}").contains("not-a-pem"), "{e:?}");
        assert!(s.set("sasl.password", "[redacted]").is_err());
    }

    #[test]
    fn topic_properties_of_a_client_reach_its_topics() {
        let mut s = Settings::client();
        s.set("acks", "1").unwrap();
        s.set("client.id", "x").unwrap();
        let part = s.topic_part();
        assert_eq!(part.get("acks").unwrap(), "1");
        assert_eq!(part.explicit.len(), 1);
    }

    #[test]
    fn the_same_configuration_said_in_another_way_is_the_same() {
        let (mut a, mut b) = (Settings::topic(), Settings::topic());
        a.set("message.timeout.ms", "99").unwrap();
        assert_ne!(a.fingerprint(), b.fingerprint());
        b.set("delivery.timeout.ms", "99").unwrap();
        b.set("acks", "-1").unwrap();
        assert_eq!(a.fingerprint(), b.fingerprint());
    }
}
