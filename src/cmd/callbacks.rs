//! The callbacks of a master and of each handle, looked up live.

use std::cell::Cell;
use std::rc::Rc;

use crate::error::Result;
use crate::tcl::{Args, Obj, Prefix, Slot};

/// The callbacks that masters, handles and subscribers have alike.
#[derive(Default)]
pub struct Callbacks {
    pub delivery: Slot,
    pub error: Slot,
    pub statistics: Slot,
    /// `statistics_callback -dict`: the JSON comes parsed.
    pub statistics_dict: Cell<bool>,
    pub throttle: Slot,
    /// Who gives SASL OAUTHBEARER tokens.
    pub token: Slot,
    /// Each nth successful report reaches the callback; not set: the master's, or 1.
    pub every: Cell<Option<i64>>,
    /// `delivery_report sample`: the next report reaches the callback.
    pub sample: Cell<bool>,
}

/// A handle's own callbacks before its master's.
pub struct Chain {
    pub own: Callbacks,
    pub master: Rc<Callbacks>,
    /// Successful reports to go until the next that reaches the callback.
    countdown: Cell<i64>,
}

impl Chain {
    pub fn new(master: Rc<Callbacks>) -> Chain {
        Chain { own: Callbacks::default(), master, countdown: Cell::new(0) }
    }

    pub fn delivery(&self) -> Option<Prefix> {
        self.own.delivery.get().or_else(|| self.master.delivery.get())
    }

    pub fn error(&self) -> Option<Prefix> {
        self.own.error.get().or_else(|| self.master.error.get())
    }

    /// The statistics callback and whether it wants a dict.
    pub fn statistics(&self) -> Option<(Prefix, bool)> {
        [&self.own, &*self.master]
            .into_iter()
            .find_map(|c| c.statistics.get().map(|p| (p, c.statistics_dict.get())))
    }

    pub fn throttle(&self) -> Option<Prefix> {
        self.own.throttle.get().or_else(|| self.master.throttle.get())
    }

    pub fn token(&self) -> Option<Prefix> {
        self.own.token.get().or_else(|| self.master.token.get())
    }

    pub fn every(&self) -> i64 {
        self.own.every.get().or_else(|| self.master.every.get()).unwrap_or(1)
    }

    /// Whether every report reaches the callback, so that none has to be looked at to know.
    pub fn wants_all(&self) -> bool {
        self.every() == 1
    }

    /// Counts a successful report and tells whether it reaches the callback: the first does, then
    /// each nth (KafkaTcl's counting), and the next one after `sample`.
    pub fn wants_success(&self) -> bool {
        for c in [&self.own, &*self.master] {
            if c.sample.replace(false) {
                return true;
            }
        }
        let every = self.every();
        if every == 0 {
            return false;
        }
        let left = self.countdown.get() - 1;
        if left > 0 {
            self.countdown.set(left);
            return false;
        }
        self.countdown.set(every);
        true
    }
}

impl Callbacks {
    pub fn set_delivery(&self, value: Option<&Obj>) -> Result<Obj> {
        Ok(self.delivery.get_or_set(value, "delivery report callback")?)
    }

    pub fn set_error(&self, value: Option<&Obj>) -> Result<Obj> {
        Ok(self.error.get_or_set(value, "error callback")?)
    }

    pub fn set_throttle(&self, value: Option<&Obj>) -> Result<Obj> {
        Ok(self.throttle.get_or_set(value, "throttle callback")?)
    }

    pub fn set_token(&self, value: Option<&Obj>) -> Result<Obj> {
        Ok(self.token.get_or_set(value, "token callback")?)
    }

    pub fn set_statistics(&self, args: &Args<'_>) -> Result<Obj> {
        let value = args.rest.first();
        let dict = args.opt("-dict").is_some();
        match value {
            Some(v) => {
                let out = self.statistics.get_or_set(Some(v), "statistics callback")?;
                self.statistics_dict.set(dict);
                Ok(out)
            }
            None => {
                let given = self.statistics.get_or_set(None, "")?;
                if self.statistics_dict.get() && self.statistics.is_set() {
                    return Ok(Obj::list(&[Obj::text("-dict"), given]));
                }
                Ok(given)
            }
        }
    }

    /// `delivery_report every ?n?`; `shown` is what is in force.
    pub fn set_every(&self, value: Option<&Obj>, shown: i64) -> Result<Obj> {
        let Some(v) = value else { return Ok(Obj::int(shown)) };
        let n = v.get_int("count")?;
        if n < 0 {
            return Err(crate::error::Error::expected("count", "0 or more", &v.str()));
        }
        self.every.set(Some(n));
        Ok(Obj::empty())
    }
}
