//! Configuration of topics, brokers and groups.

use libc::c_int;

use super::{array, only, raw, Admin, Answer, Bag, Named, Op};
use crate::rdk::errno::{Error, ErrorCode, Result};
use crate::rdk::ptr::{cstring, string};

/// What has a configuration.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Resource {
    /// A topic, by its name.
    Topic = 2,
    /// A group, by its id.
    Group = 3,
    /// A broker, by its id.
    Broker = 4,
}

/// A change of one property.
#[derive(Clone, Debug)]
pub enum Change {
    /// Gives it a value.
    Set(String),
    /// Gives it its default back.
    Delete,
    /// Adds to a value that is a list.
    Append(String),
    /// Takes from a value that is a list.
    Subtract(String),
}

/// A property's value and where it comes from.
#[derive(Clone, Debug)]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value, unless it is sensitive or there is none.
    pub value: Option<String>,
    /// Where the value was set.
    pub source: &'static str,
    /// Whether it can't be changed.
    pub read_only: bool,
    /// Whether nobody set it.
    pub default: bool,
    /// Whether the broker keeps the value to itself.
    pub sensitive: bool,
    /// The values of all places that set it, the one in force first.
    pub synonyms: Vec<ConfigEntry>,
}

/// `rd_kafka_ConfigSource_t`: words by their number.
const SOURCES: [&str; 9] = [
    "unknown",
    "dynamic_topic",
    "dynamic_broker",
    "dynamic_default_broker",
    "static_broker",
    "default",
    "dynamic_broker_logger",
    "client_metrics",
    "group",
];

impl ConfigEntry {
    /// # Safety
    /// `entry` is valid.
    unsafe fn copy(entry: *const raw::ConfigEntry) -> ConfigEntry {
        // SAFETY: valid by this function's contract, and so are its synonyms; all is copied.
        unsafe {
            let sensitive = raw::rd_kafka_ConfigEntry_is_sensitive(entry) == 1;
            let value = raw::rd_kafka_ConfigEntry_value(entry);
            let synonyms = array(|n| raw::rd_kafka_ConfigEntry_synonyms(entry, n));
            ConfigEntry {
                name: string(raw::rd_kafka_ConfigEntry_name(entry)),
                value: (!sensitive && !value.is_null()).then(|| string(value)),
                source: super::word(&SOURCES, raw::rd_kafka_ConfigEntry_source(entry)),
                read_only: raw::rd_kafka_ConfigEntry_is_read_only(entry) == 1,
                default: raw::rd_kafka_ConfigEntry_is_default(entry) == 1,
                sensitive,
                synonyms: synonyms
                    .iter()
                    .map(|s| {
                        let mut copy = ConfigEntry::copy(*s);
                        if sensitive {
                            // A synonym's own mark is not always set.
                            copy.value = None;
                        }
                        copy
                    })
                    .collect(),
            }
        }
    }
}

type Reader<T> = unsafe extern "C" fn(*mut raw::rd_kafka_event_t) -> *const T;
type Resources<T> = unsafe extern "C" fn(*const T, *mut usize) -> *mut *const raw::ConfigResource;

impl Answer {
    /// The resources of an answer, each as `read` copies it, or with its error.
    fn resources<R, T>(
        &self,
        result: Reader<R>,
        list: Resources<R>,
        read: impl Fn(*const raw::ConfigResource) -> T,
    ) -> Result<Named<T>> {
        let result = self.result(result)?;
        // SAFETY: the result and its resources live as long as the answer; texts are copied.
        unsafe {
            let resources = array(|n| list(result, n));
            Ok(resources
                .iter()
                .map(|r| {
                    let name = string(raw::rd_kafka_ConfigResource_name(*r));
                    let code = ErrorCode(raw::rd_kafka_ConfigResource_error(*r));
                    let outcome = match code.error() {
                        None => Ok(read(*r)),
                        Some(code) => Err(Error::with_detail(
                            code,
                            string(raw::rd_kafka_ConfigResource_error_string(*r)),
                        )),
                    };
                    (name, outcome)
                })
                .collect())
        }
    }
}

impl Admin<'_> {
    /// The configuration of resources of one kind. Brokers are asked one after the other: a
    /// request goes to the broker that it is about, so it may have one only
    /// (`rd_kafka_DescribeConfigs`).
    pub fn describe_configs(
        &self,
        kind: Resource,
        names: &[String],
    ) -> Result<Named<Vec<ConfigEntry>>> {
        if kind != Resource::Broker {
            return self.describe_some(kind, names);
        }
        let mut out = Vec::new();
        for name in names {
            let one = std::slice::from_ref(name);
            match self.need_broker(kind, name).and_then(|()| self.describe_some(kind, one)) {
                Ok(mut found) => out.append(&mut found),
                Err(e) if e.code == ErrorCode::DESTROY => return Err(e),
                Err(e) => out.push((name.clone(), Err(e))),
            }
        }
        Ok(out)
    }

    /// Refuses a broker that the cluster does not have: a request for it would wait for it until
    /// the time is over.
    fn need_broker(&self, kind: Resource, name: &str) -> Result<()> {
        if kind != Resource::Broker {
            return Ok(());
        }
        let ids: Vec<String> = self.brokers()?.iter().map(i32::to_string).collect();
        if ids.iter().any(|id| id == name) {
            return Ok(());
        }
        let detail = format!("the cluster has no broker {name} now; it has {}", ids.join(", "));
        Err(Error::with_detail(ErrorCode::UNKNOWN_BROKER, detail))
    }

    fn describe_some(&self, kind: Resource, names: &[String]) -> Result<Named<Vec<ConfigEntry>>> {
        let mut resources = Bag::new(raw::rd_kafka_ConfigResource_destroy);
        for name in names {
            add(&mut resources, kind, name)?;
        }
        let options = self.options(Op::DescribeConfigs)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the resources are copied.
            unsafe {
                raw::rd_kafka_DescribeConfigs(
                    rk,
                    resources.as_mut_ptr(),
                    resources.len(),
                    options,
                    queue,
                )
            }
        })?;
        answer.resources(
            raw::rd_kafka_event_DescribeConfigs_result,
            raw::rd_kafka_DescribeConfigs_result_resources,
            |resource| {
                // SAFETY: a valid resource of the answer.
                unsafe {
                    array(|n| raw::rd_kafka_ConfigResource_configs(resource, n))
                        .iter()
                        .map(|entry| ConfigEntry::copy(*entry))
                        .collect()
                }
            },
        )
    }

    /// Changes single properties of a resource (`rd_kafka_IncrementalAlterConfigs`).
    pub fn alter_configs(
        &self,
        kind: Resource,
        name: &str,
        changes: &[(String, Change)],
        validate_only: bool,
    ) -> Result<()> {
        self.need_broker(kind, name)?;
        let mut resources = Bag::new(raw::rd_kafka_ConfigResource_destroy);
        let resource = add(&mut resources, kind, name)?;
        for (key, change) in changes {
            let (op, value): (c_int, &str) = match change {
                Change::Set(value) => (0, value),
                Change::Delete => (1, ""),
                Change::Append(value) => (2, value),
                Change::Subtract(value) => (3, value),
            };
            let (key, value) = (cstring(key, "key")?, cstring(value, "value")?);
            let value = if op == 1 { std::ptr::null() } else { value.as_ptr() };
            // SAFETY: the resource is valid; strings are copied; the error returned is ours.
            unsafe {
                Error::take(raw::rd_kafka_ConfigResource_add_incremental_config(
                    resource,
                    key.as_ptr(),
                    op,
                    value,
                ))?;
            }
        }
        let options = self.options(Op::IncrementalAlterConfigs)?;
        options.validate_only(validate_only)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the resources are copied.
            unsafe {
                raw::rd_kafka_IncrementalAlterConfigs(
                    rk,
                    resources.as_mut_ptr(),
                    resources.len(),
                    options,
                    queue,
                )
            }
        })?;
        only(answer.resources(
            raw::rd_kafka_event_IncrementalAlterConfigs_result,
            raw::rd_kafka_IncrementalAlterConfigs_result_resources,
            |_| (),
        )?)
    }

    /// Replaces all that was set of a resource (`rd_kafka_AlterConfigs`).
    pub fn replace_configs(
        &self,
        kind: Resource,
        name: &str,
        values: &[(String, String)],
        validate_only: bool,
    ) -> Result<()> {
        self.need_broker(kind, name)?;
        let mut resources = Bag::new(raw::rd_kafka_ConfigResource_destroy);
        let resource = add(&mut resources, kind, name)?;
        for (key, value) in values {
            let (key, value) = (cstring(key, "key")?, cstring(value, "value")?);
            // SAFETY: the resource is valid; strings are copied.
            let code = unsafe {
                raw::rd_kafka_ConfigResource_set_config(resource, key.as_ptr(), value.as_ptr())
            };
            ErrorCode(code).ok()?;
        }
        let options = self.options(Op::AlterConfigs)?;
        options.validate_only(validate_only)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the resources are copied.
            unsafe {
                raw::rd_kafka_AlterConfigs(
                    rk,
                    resources.as_mut_ptr(),
                    resources.len(),
                    options,
                    queue,
                )
            }
        })?;
        only(answer.resources(
            raw::rd_kafka_event_AlterConfigs_result,
            raw::rd_kafka_AlterConfigs_result_resources,
            |_| (),
        )?)
    }
}

fn add(
    resources: &mut Bag<raw::ConfigResource>,
    kind: Resource,
    name: &str,
) -> Result<*mut raw::ConfigResource> {
    let text = cstring(name, "name")?;
    // SAFETY: the string is copied; the object is ours.
    let made = unsafe { raw::rd_kafka_ConfigResource_new(kind as c_int, text.as_ptr()) };
    resources.add(made, || format!("bad name \"{name}\""))
}
