//! Access control lists.

use std::ffi::CString;

use libc::c_int;

use super::{array, error_of, number, raw, word, Admin, Bag, Op};
use crate::rdk::errno::{Error, Result};
use crate::rdk::ptr::{cstring, string, ErrBuf};

/// `rd_kafka_ResourceType_t` of ACLs: words by their number.
pub const RESOURCES: [&str; 6] =
    ["unknown", "any", "topic", "group", "cluster", "transactional_id"];

/// `rd_kafka_ResourcePatternType_t`: words by their number.
pub const PATTERNS: [&str; 5] = ["unknown", "any", "match", "literal", "prefixed"];

/// `rd_kafka_AclOperation_t`: words by their number.
pub const OPERATIONS: [&str; 13] = [
    "unknown",
    "any",
    "all",
    "read",
    "write",
    "create",
    "delete",
    "alter",
    "describe",
    "cluster_action",
    "describe_configs",
    "alter_configs",
    "idempotent_write",
];

/// `rd_kafka_AclPermissionType_t`: words by their number.
pub const PERMISSIONS: [&str; 4] = ["unknown", "any", "deny", "allow"];

/// Who may or may not do what with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// One of [`RESOURCES`].
    pub resource: String,
    /// The resource's name, or the beginning of names.
    pub name: String,
    /// One of [`PATTERNS`].
    pub pattern: String,
    /// Who, such as `User:joe`.
    pub principal: String,
    /// From where, `*` from everywhere.
    pub host: String,
    /// One of [`OPERATIONS`].
    pub operation: String,
    /// One of [`PERMISSIONS`].
    pub permission: String,
}

/// ACLs to be found; what is `None` or `any` may be anything.
#[derive(Clone, Debug)]
pub struct AclFilter {
    /// One of [`RESOURCES`].
    pub resource: String,
    /// The resource's name.
    pub name: Option<String>,
    /// One of [`PATTERNS`].
    pub pattern: String,
    /// Who.
    pub principal: Option<String>,
    /// From where.
    pub host: Option<String>,
    /// One of [`OPERATIONS`].
    pub operation: String,
    /// One of [`PERMISSIONS`].
    pub permission: String,
}

/// The words of operations; librdkafka's numbers.
pub(super) fn operations(numbers: &[c_int]) -> Vec<&'static str> {
    numbers.iter().map(|n| word(&OPERATIONS, *n)).collect()
}

impl Acl {
    /// # Safety
    /// `acl` is valid.
    unsafe fn copy(acl: *const raw::AclBinding) -> Acl {
        // SAFETY: valid by this function's contract; strings are copied.
        unsafe {
            Acl {
                resource: word(&RESOURCES, raw::rd_kafka_AclBinding_restype(acl)).to_owned(),
                name: string(raw::rd_kafka_AclBinding_name(acl)),
                pattern: word(&PATTERNS, raw::rd_kafka_AclBinding_resource_pattern_type(acl))
                    .to_owned(),
                principal: string(raw::rd_kafka_AclBinding_principal(acl)),
                host: string(raw::rd_kafka_AclBinding_host(acl)),
                operation: word(&OPERATIONS, raw::rd_kafka_AclBinding_operation(acl)).to_owned(),
                permission: word(&PERMISSIONS, raw::rd_kafka_AclBinding_permission_type(acl))
                    .to_owned(),
            }
        }
    }
}

/// A filter as librdkafka takes it.
fn filter(bag: &mut Bag<raw::AclBinding>, f: &AclFilter) -> Result<*mut raw::AclBinding> {
    let text = |s: &Option<String>, what: &str| -> Result<Option<CString>> {
        s.as_deref().map(|s| cstring(s, what)).transpose()
    };
    let name = text(&f.name, "name")?;
    let principal = text(&f.principal, "principal")?;
    let host = text(&f.host, "host")?;
    let pointer = |s: &Option<CString>| s.as_ref().map_or(std::ptr::null(), |s| s.as_ptr());
    let mut error = ErrBuf::new();
    // SAFETY: strings are null or valid, and copied; the buffer has the size given; the object is
    // ours.
    let made = unsafe {
        raw::rd_kafka_AclBindingFilter_new(
            number(&RESOURCES, &f.resource)?,
            pointer(&name),
            number(&PATTERNS, &f.pattern)?,
            pointer(&principal),
            pointer(&host),
            number(&OPERATIONS, &f.operation)?,
            number(&PERMISSIONS, &f.permission)?,
            error.as_mut_ptr(),
            error.len(),
        )
    };
    bag.add(made, || error.text())
}

impl Admin<'_> {
    /// Makes ACLs; the outcomes come in their order (`rd_kafka_CreateAcls`).
    pub fn create_acls(&self, acls: &[Acl]) -> Result<Vec<Option<Error>>> {
        let mut bag = Bag::new(raw::rd_kafka_AclBinding_destroy);
        for acl in acls {
            let name = cstring(&acl.name, "name")?;
            let principal = cstring(&acl.principal, "principal")?;
            let host = cstring(&acl.host, "host")?;
            let mut error = ErrBuf::new();
            // SAFETY: strings are valid and copied; the buffer has the size given; the object is
            // ours.
            let made = unsafe {
                raw::rd_kafka_AclBinding_new(
                    number(&RESOURCES, &acl.resource)?,
                    name.as_ptr(),
                    number(&PATTERNS, &acl.pattern)?,
                    principal.as_ptr(),
                    host.as_ptr(),
                    number(&OPERATIONS, &acl.operation)?,
                    number(&PERMISSIONS, &acl.permission)?,
                    error.as_mut_ptr(),
                    error.len(),
                )
            };
            bag.add(made, || error.text())?;
        }
        let options = self.options(Op::CreateAcls)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the ACLs are copied.
            unsafe { raw::rd_kafka_CreateAcls(rk, bag.as_mut_ptr(), bag.len(), options, queue) }
        })?;
        let result = answer.result(raw::rd_kafka_event_CreateAcls_result)?;
        // SAFETY: the result and all that is in it live as long as the answer.
        unsafe {
            let results = array(|n| raw::rd_kafka_CreateAcls_result_acls(result, n));
            Ok(results.iter().map(|r| error_of(raw::rd_kafka_acl_result_error(*r))).collect())
        }
    }

    /// The ACLs that a filter finds. Error: `CLUSTER_AUTHORIZATION_FAILED`.
    ///
    /// librdkafka 2.12 makes an empty list of an answer that is an error. So where there are none
    /// the cluster is asked whether the user may look at all; that question is free.
    pub fn describe_acls(&self, wanted: &AclFilter) -> Result<Vec<Acl>> {
        let found = self.describe_once(wanted)?;
        if found.is_empty() {
            self.need_describe()?;
        }
        Ok(found)
    }

    /// One request (`rd_kafka_DescribeAcls`).
    fn describe_once(&self, wanted: &AclFilter) -> Result<Vec<Acl>> {
        let mut bag = Bag::new(raw::rd_kafka_AclBinding_destroy);
        let made = filter(&mut bag, wanted)?;
        let options = self.options(Op::DescribeAcls)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the filter is copied.
            unsafe { raw::rd_kafka_DescribeAcls(rk, made, options, queue) }
        })?;
        let result = answer.result(raw::rd_kafka_event_DescribeAcls_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let acls = array(|n| raw::rd_kafka_DescribeAcls_result_acls(result, n));
            Ok(acls.iter().map(|acl| Acl::copy(*acl)).collect())
        }
    }

    /// Deletes the ACLs that filters find; for each filter those that were deleted
    /// (`rd_kafka_DeleteAcls`).
    pub fn delete_acls(&self, filters: &[AclFilter]) -> Result<Vec<Result<Vec<Acl>>>> {
        let mut bag = Bag::new(raw::rd_kafka_AclBinding_destroy);
        for f in filters {
            filter(&mut bag, f)?;
        }
        let options = self.options(Op::DeleteAcls)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the filters are copied.
            unsafe { raw::rd_kafka_DeleteAcls(rk, bag.as_mut_ptr(), bag.len(), options, queue) }
        })?;
        let result = answer.result(raw::rd_kafka_event_DeleteAcls_result)?;
        // SAFETY: the result and all that is in it live as long as the answer; all is copied.
        unsafe {
            let responses = array(|n| raw::rd_kafka_DeleteAcls_result_responses(result, n));
            Ok(responses.iter().map(|r| deleted(*r)).collect())
        }
    }
}

/// # Safety
/// `response` is valid.
unsafe fn deleted(response: *const raw::DeleteAcls_result_response) -> Result<Vec<Acl>> {
    // SAFETY: valid by this function's contract, and so are its ACLs; all is copied.
    unsafe {
        if let Some(e) = error_of(raw::rd_kafka_DeleteAcls_result_response_error(response)) {
            return Err(e);
        }
        let acls = array(|n| raw::rd_kafka_DeleteAcls_result_response_matching_acls(response, n));
        Ok(acls.iter().map(|acl| Acl::copy(*acl)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" {
        fn rd_kafka_AclOperation_name(operation: c_int) -> *const libc::c_char;
        fn rd_kafka_AclPermissionType_name(kind: c_int) -> *const libc::c_char;
        fn rd_kafka_ResourcePatternType_name(kind: c_int) -> *const libc::c_char;
        fn rd_kafka_ResourceType_name(kind: c_int) -> *const libc::c_char;
    }

    /// The words stand at librdkafka's numbers, and librdkafka has no more of them.
    #[test]
    fn words_stand_at_their_numbers() {
        type Name = unsafe extern "C" fn(c_int) -> *const libc::c_char;
        let tables: [(&[&str], Name); 4] = [
            (&OPERATIONS, rd_kafka_AclOperation_name),
            (&PERMISSIONS, rd_kafka_AclPermissionType_name),
            (&PATTERNS, rd_kafka_ResourcePatternType_name),
            (&RESOURCES, rd_kafka_ResourceType_name),
        ];
        for (words, name) in tables {
            for (i, word) in words.iter().enumerate() {
                // SAFETY: takes any number and returns a constant.
                let theirs = unsafe { string(name(c_int::try_from(i).unwrap())) };
                let theirs = theirs.to_lowercase();
                // What ACLs call the cluster has a broker's number.
                assert_eq!(if theirs == "broker" { "cluster" } else { &theirs }, *word);
            }
            // SAFETY: as above.
            let beyond = unsafe { string(name(c_int::try_from(words.len()).unwrap())) };
            assert!(!words.contains(&beyond.to_lowercase().as_str()), "{beyond}");
        }
    }
}
