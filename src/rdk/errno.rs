//! librdkafka's error codes, by constant, name, number and text.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use super::ptr::string;
use super::raw;

/// What calls of this room return.
pub type Result<T> = std::result::Result<T, Error>;

const PREFIX: &str = "RD_KAFKA_RESP_ERR_";

/// An error code of librdkafka (negative) or of a broker (positive).
///
/// A number, not an enum: brokers may answer codes that librdkafka has no name for.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct ErrorCode(pub i32);

macro_rules! codes {
    ($($name:ident = $value:literal),* $(,)?) => {
        /// The codes that this package names somewhere; their names are librdkafka's
        /// without `RD_KAFKA_RESP_ERR_` and the underscore of the local ones.
        #[allow(missing_docs)]
        impl ErrorCode {
            $(pub const $name: ErrorCode = ErrorCode($value);)*
        }

        #[cfg(test)]
        const NAMED: &[(&str, ErrorCode)] = &[$((stringify!($name), ErrorCode::$name)),*];
    };
}

codes! {
    BAD_MSG = -199,
    DESTROY = -197,
    FAIL = -196,
    TRANSPORT = -195,
    CRIT_SYS_RESOURCE = -194,
    RESOLVE = -193,
    MSG_TIMED_OUT = -192,
    PARTITION_EOF = -191,
    UNKNOWN_PARTITION = -190,
    FS = -189,
    UNKNOWN_TOPIC = -188,
    ALL_BROKERS_DOWN = -187,
    INVALID_ARG = -186,
    TIMED_OUT = -185,
    QUEUE_FULL = -184,
    ISR_INSUFF = -183,
    NODE_UPDATE = -182,
    SSL = -181,
    WAIT_COORD = -180,
    UNKNOWN_GROUP = -179,
    IN_PROGRESS = -178,
    PREV_IN_PROGRESS = -177,
    EXISTING_SUBSCRIPTION = -176,
    ASSIGN_PARTITIONS = -175,
    REVOKE_PARTITIONS = -174,
    CONFLICT = -173,
    STATE = -172,
    UNKNOWN_PROTOCOL = -171,
    NOT_IMPLEMENTED = -170,
    AUTHENTICATION = -169,
    NO_OFFSET = -168,
    OUTDATED = -167,
    TIMED_OUT_QUEUE = -166,
    UNSUPPORTED_FEATURE = -165,
    WAIT_CACHE = -164,
    INTR = -163,
    KEY_SERIALIZATION = -162,
    VALUE_SERIALIZATION = -161,
    KEY_DESERIALIZATION = -160,
    VALUE_DESERIALIZATION = -159,
    PARTIAL = -158,
    READ_ONLY = -157,
    NOENT = -156,
    UNDERFLOW = -155,
    INVALID_TYPE = -154,
    RETRY = -153,
    PURGE_QUEUE = -152,
    PURGE_INFLIGHT = -151,
    FATAL = -150,
    INCONSISTENT = -149,
    GAPLESS_GUARANTEE = -148,
    MAX_POLL_EXCEEDED = -147,
    UNKNOWN_BROKER = -146,
    NOT_CONFIGURED = -145,
    FENCED = -144,
    APPLICATION = -143,
    ASSIGNMENT_LOST = -142,
    NOOP = -141,
    AUTO_OFFSET_RESET = -140,
    LOG_TRUNCATION = -139,
    DESTROY_BROKER = -137,
    UNKNOWN = -1,
    NO_ERROR = 0,
    OFFSET_OUT_OF_RANGE = 1,
    INVALID_MSG = 2,
    UNKNOWN_TOPIC_OR_PART = 3,
    LEADER_NOT_AVAILABLE = 5,
    NOT_LEADER_FOR_PARTITION = 6,
    REQUEST_TIMED_OUT = 7,
    BROKER_NOT_AVAILABLE = 8,
    REPLICA_NOT_AVAILABLE = 9,
    MSG_SIZE_TOO_LARGE = 10,
    OFFSET_METADATA_TOO_LARGE = 12,
    NETWORK_EXCEPTION = 13,
    COORDINATOR_LOAD_IN_PROGRESS = 14,
    COORDINATOR_NOT_AVAILABLE = 15,
    NOT_COORDINATOR = 16,
    TOPIC_EXCEPTION = 17,
    NOT_ENOUGH_REPLICAS = 19,
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    INVALID_REQUIRED_ACKS = 21,
    ILLEGAL_GENERATION = 22,
    INCONSISTENT_GROUP_PROTOCOL = 23,
    UNKNOWN_MEMBER_ID = 25,
    INVALID_SESSION_TIMEOUT = 26,
    REBALANCE_IN_PROGRESS = 27,
    TOPIC_AUTHORIZATION_FAILED = 29,
    GROUP_AUTHORIZATION_FAILED = 30,
    CLUSTER_AUTHORIZATION_FAILED = 31,
    UNSUPPORTED_VERSION = 35,
    TOPIC_ALREADY_EXISTS = 36,
    INVALID_PARTITIONS = 37,
    INVALID_REPLICATION_FACTOR = 38,
    INVALID_CONFIG = 40,
    NOT_CONTROLLER = 41,
    INVALID_REQUEST = 42,
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45,
    DUPLICATE_SEQUENCE_NUMBER = 46,
    INVALID_PRODUCER_EPOCH = 47,
    INVALID_TXN_STATE = 48,
    CONCURRENT_TRANSACTIONS = 51,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53,
    KAFKA_STORAGE_ERROR = 56,
    SASL_AUTHENTICATION_FAILED = 58,
    GROUP_ID_NOT_FOUND = 69,
    FENCED_LEADER_EPOCH = 74,
    UNKNOWN_LEADER_EPOCH = 75,
    OFFSET_NOT_AVAILABLE = 78,
    FENCED_INSTANCE_ID = 82,
    ELECTION_NOT_NEEDED = 84,
    PRODUCER_FENCED = 90,
    UNRELEASED_INSTANCE_ID = 111,
    STALE_MEMBER_EPOCH = 113,
}

impl ErrorCode {
    /// librdkafka's constant, such as `RD_KAFKA_RESP_ERR__QUEUE_FULL`
    /// (`rd_kafka_err2name`); for a code without a name the prefix and the number.
    pub fn constant(self) -> String {
        match names().by_code.get(&self.0) {
            Some(name) => format!("{PREFIX}{name}"),
            None => format!("{PREFIX}{}", self.0),
        }
    }

    /// The code with this name. Takes the constant, with or without
    /// `RD_KAFKA_RESP_ERR_`, in any case, or the number of a code that has a name.
    pub fn from_name(name: &str) -> Option<ErrorCode> {
        let upper = name.trim().to_ascii_uppercase();
        let short = upper.strip_prefix(PREFIX).unwrap_or(&upper);
        if let Some(&code) = names().by_name.get(short) {
            return Some(ErrorCode(code));
        }
        let code = short.parse().ok()?;
        names().by_code.contains_key(&code).then_some(ErrorCode(code))
    }

    /// The text for people, such as `Local: Queue full` (`rd_kafka_err2str`).
    pub fn text(self) -> String {
        // SAFETY: returns a static string or one in thread-local storage, which is
        // copied before anything else can write it.
        unsafe { string(raw::rd_kafka_err2str(self.0)) }
    }

    /// All codes that have a name, in ascending order.
    pub fn all() -> Vec<ErrorCode> {
        let mut codes: Vec<i32> = names().by_code.keys().copied().collect();
        codes.sort_unstable();
        codes.into_iter().map(ErrorCode).collect()
    }

    /// `Ok` for `NO_ERROR`, else an [`Error`] without detail.
    pub fn ok(self) -> Result<()> {
        if self == ErrorCode::NO_ERROR {
            Ok(())
        } else {
            Err(Error::new(self))
        }
    }

    /// `None` for `NO_ERROR`.
    pub fn error(self) -> Option<ErrorCode> {
        (self != ErrorCode::NO_ERROR).then_some(self)
    }
}

struct Names {
    by_code: HashMap<i32, String>,
    by_name: HashMap<String, i32>,
}

fn names() -> &'static Names {
    static NAMES: OnceLock<Names> = OnceLock::new();
    NAMES.get_or_init(|| {
        let mut table = std::ptr::null();
        let mut count = 0;
        // SAFETY: both out pointers are valid; librdkafka points `table` to `count`
        // descriptions with static strings.
        let descs = unsafe {
            raw::rd_kafka_get_err_descs(&mut table, &mut count);
            std::slice::from_raw_parts(table, count)
        };
        let mut names = Names { by_code: HashMap::new(), by_name: HashMap::new() };
        // The table is indexed by code, so it has holes, and its first and last rows
        // (_BEGIN, _END) only mark the range.
        for desc in descs.iter().filter(|desc| !desc.desc.is_null()) {
            // SAFETY: a name or null.
            let name = unsafe { string(desc.name) };
            if name.is_empty() {
                continue;
            }
            names.by_name.insert(name.to_ascii_uppercase(), desc.code);
            names.by_code.insert(desc.code, name);
        }
        names
    })
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub code: ErrorCode,
    /// More about this case; may be empty, and is never just the code's text.
    pub detail: String,
    /// The client is unusable from here on.
    pub fatal: bool,
    /// The same call may succeed when made again.
    pub retriable: bool,
    /// The transaction has to be aborted before anything else.
    pub abort_required: bool,
}

impl Error {
    /// An error without detail and flags.
    pub fn new(code: ErrorCode) -> Error {
        Error::with_detail(code, "")
    }

    /// An error with detail. A detail that only repeats the code's text is dropped.
    pub fn with_detail(code: ErrorCode, detail: impl Into<String>) -> Error {
        let mut detail = detail.into();
        if detail == code.text() {
            detail.clear();
        }
        Error {
            code,
            detail,
            fatal: code == ErrorCode::FATAL,
            retriable: false,
            abort_required: false,
        }
    }

    /// Takes over and destroys an error object of librdkafka; null is success.
    ///
    /// # Safety
    /// `error` is null or an error object that the caller owns.
    pub unsafe fn take(error: *mut raw::rd_kafka_error_t) -> Result<()> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: the object is valid and ours by this function's contract, and is
        // not used after its destruction.
        unsafe {
            let code = ErrorCode(raw::rd_kafka_error_code(error));
            let mut taken = Error::with_detail(code, string(raw::rd_kafka_error_string(error)));
            taken.fatal |= raw::rd_kafka_error_is_fatal(error) != 0;
            taken.retriable = raw::rd_kafka_error_is_retriable(error) != 0;
            taken.abort_required = raw::rd_kafka_error_txn_requires_abort(error) != 0;
            raw::rd_kafka_error_destroy(error);
            Err(taken)
        }
    }

    /// The error of the last legacy call of this thread (`rd_kafka_last_error`).
    pub fn last() -> Error {
        // SAFETY: reads a thread-local number.
        Error::new(ErrorCode(unsafe { raw::rd_kafka_last_error() }))
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Error {
        Error::new(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code.text())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_round_trip() {
        let all = ErrorCode::all();
        assert!(all.len() > 150, "{}", all.len());
        for code in all {
            let constant = code.constant();
            assert!(constant.starts_with(PREFIX), "{constant}");
            assert_eq!(ErrorCode::from_name(&constant), Some(code));
            assert_eq!(ErrorCode::from_name(&constant.to_lowercase()), Some(code));
            assert_eq!(ErrorCode::from_name(&constant[PREFIX.len()..]), Some(code));
            assert_eq!(ErrorCode::from_name(&code.0.to_string()), Some(code));
            // SAFETY: a static string.
            let name = unsafe { string(raw::rd_kafka_err2name(code.0)) };
            assert_eq!(constant, format!("{PREFIX}{name}"));
        }
    }

    #[test]
    fn our_constants_are_librdkafkas() {
        for (name, code) in NAMED {
            let underscore = if code.0 < -1 { "_" } else { "" };
            assert_eq!(code.constant(), format!("{PREFIX}{underscore}{name}"));
        }
    }

    #[test]
    fn codes_without_a_name() {
        assert_eq!(ErrorCode(4711).constant(), "RD_KAFKA_RESP_ERR_4711");
        assert_eq!(ErrorCode(-4711).constant(), "RD_KAFKA_RESP_ERR_-4711");
        assert_eq!(ErrorCode(4711).text(), "Err-4711?");
        assert_eq!(ErrorCode::from_name("4711"), None);
        assert_eq!(ErrorCode::from_name("nonsense"), None);
        assert_eq!(ErrorCode::from_name(""), None);
    }

    #[test]
    fn texts() {
        assert_eq!(ErrorCode::QUEUE_FULL.text(), "Local: Queue full");
        assert_eq!(ErrorCode::NO_ERROR.text(), "Success");
        let error = Error::with_detail(ErrorCode::STATE, "too early");
        assert_eq!(error.to_string(), "Local: Erroneous state (too early)");
        assert_eq!(
            Error::with_detail(ErrorCode::STATE, "Local: Erroneous state"),
            Error::new(ErrorCode::STATE)
        );
        assert!(Error::new(ErrorCode::FATAL).fatal);
    }

    #[test]
    fn null_error_objects_are_success() {
        // SAFETY: null is allowed.
        assert_eq!(unsafe { Error::take(std::ptr::null_mut()) }, Ok(()));
    }
}
