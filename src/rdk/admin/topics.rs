//! Topics: making, growing, deleting and describing them.

use libc::c_int;

use super::acls::operations;
use super::cluster::Node;
use super::{array, error_of, only, raw, Admin, Answer, Bag, Named, Names, Op};
use crate::rdk::errno::{Error, ErrorCode, Result};
use crate::rdk::ptr::{cstring, string, ErrBuf};
use crate::rdk::TopicSel;

/// A topic to be made.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions, -1 for the broker's default.
    pub partitions: i32,
    /// How many replicas, -1 for the broker's default.
    pub replication: i32,
    /// The brokers of each partition's replicas instead; then `replication` is -1.
    pub assignment: Vec<Vec<i32>>,
    /// Its configuration.
    pub config: Vec<(String, String)>,
}

/// A topic as the cluster describes it.
#[derive(Clone, Debug)]
pub struct TopicDescription {
    /// Its id.
    pub id: String,
    /// Whether it is one of the cluster's own.
    pub internal: bool,
    /// Its partitions.
    pub partitions: Vec<TopicPartition>,
    /// What the caller may do with it, if asked for.
    pub operations: Vec<&'static str>,
}

/// A described topic's partition.
#[derive(Clone, Debug)]
pub struct TopicPartition {
    /// Its number.
    pub id: i32,
    /// The leader, if it has one.
    pub leader: Option<Node>,
    /// The brokers of all replicas.
    pub replicas: Vec<i32>,
    /// The brokers of those in sync.
    pub isr: Vec<i32>,
}

/// Sets the replicas of partition after partition.
fn assign(
    assignment: &[Vec<i32>],
    mut set: impl FnMut(i32, *mut i32, usize, &mut ErrBuf) -> c_int,
) -> Result<()> {
    for (i, brokers) in assignment.iter().enumerate() {
        // librdkafka does not change what it takes by a pointer to what could be changed.
        let mut brokers = brokers.clone();
        let i = i32::try_from(i).unwrap_or(i32::MAX);
        let mut text = ErrBuf::new();
        let code = set(i, brokers.as_mut_ptr(), brokers.len(), &mut text);
        if let Some(code) = ErrorCode(code).error() {
            return Err(Error::with_detail(code, text.text()));
        }
    }
    Ok(())
}

/// # Safety
/// The results are valid.
unsafe fn topic_results(results: &[*const raw::topic_result]) -> Named<()> {
    results
        .iter()
        .map(|result| {
            // SAFETY: valid by this function's contract; the texts are copied.
            unsafe {
                let code = ErrorCode(raw::rd_kafka_topic_result_error(*result));
                let text = string(raw::rd_kafka_topic_result_error_string(*result));
                let outcome = match code.error() {
                    None => Ok(()),
                    Some(code) => Err(Error::with_detail(code, text)),
                };
                (string(raw::rd_kafka_topic_result_name(*result)), outcome)
            }
        })
        .collect()
}

/// # Safety
/// The nodes are null or valid.
unsafe fn ids(nodes: &[*const raw::Node]) -> Vec<i32> {
    // SAFETY: by this function's contract.
    nodes.iter().filter(|n| !n.is_null()).map(|n| unsafe { raw::rd_kafka_Node_id(*n) }).collect()
}

impl Admin<'_> {
    /// Makes a topic, or checks whether it could be made (`rd_kafka_CreateTopics`).
    pub fn create_topic(&self, topic: &NewTopic, validate_only: bool) -> Result<()> {
        let name = cstring(&topic.name, "topic")?;
        let mut topics = Bag::new(raw::rd_kafka_NewTopic_destroy);
        let mut text = ErrBuf::new();
        // SAFETY: string and buffer are valid through the call; the object is ours.
        let made = unsafe {
            raw::rd_kafka_NewTopic_new(
                name.as_ptr(),
                topic.partitions,
                topic.replication,
                text.as_mut_ptr(),
                text.len(),
            )
        };
        let made = topics.add(made, || text.text())?;
        assign(&topic.assignment, |i, brokers, count, text| {
            // SAFETY: the object is valid; array and buffer have the sizes given.
            unsafe {
                raw::rd_kafka_NewTopic_set_replica_assignment(
                    made,
                    i,
                    brokers,
                    count,
                    text.as_mut_ptr(),
                    text.len(),
                )
            }
        })?;
        for (key, value) in &topic.config {
            let (key, value) = (cstring(key, "-config")?, cstring(value, "-config")?);
            // SAFETY: the object is valid; the strings are copied.
            let code =
                unsafe { raw::rd_kafka_NewTopic_set_config(made, key.as_ptr(), value.as_ptr()) };
            ErrorCode(code).ok()?;
        }
        let options = self.options(Op::CreateTopics)?;
        options.validate_only(validate_only)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the topics are copied.
            unsafe {
                raw::rd_kafka_CreateTopics(rk, topics.as_mut_ptr(), topics.len(), options, queue)
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_CreateTopics_result)?;
        // SAFETY: the result lives as long as the answer.
        unsafe {
            only(topic_results(array(|n| raw::rd_kafka_CreateTopics_result_topics(result, n))))
        }
    }

    /// Deletes topics (`rd_kafka_DeleteTopics`).
    pub fn delete_topics(&self, names: &[String]) -> Result<Named<()>> {
        let mut topics = Bag::new(raw::rd_kafka_DeleteTopic_destroy);
        for name in names {
            let name = cstring(name, "topic")?;
            // SAFETY: the string is copied; the object is ours.
            topics.add(unsafe { raw::rd_kafka_DeleteTopic_new(name.as_ptr()) }, String::new)?;
        }
        let options = self.options(Op::DeleteTopics)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the topics are copied.
            unsafe {
                raw::rd_kafka_DeleteTopics(rk, topics.as_mut_ptr(), topics.len(), options, queue)
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_DeleteTopics_result)?;
        // SAFETY: the result lives as long as the answer.
        unsafe { Ok(topic_results(array(|n| raw::rd_kafka_DeleteTopics_result_topics(result, n)))) }
    }

    /// Gives a topic more partitions, `total` in all; `assignment` has the brokers of each new
    /// one's replicas, or is empty (`rd_kafka_CreatePartitions`).
    pub fn create_partitions(
        &self,
        topic: &str,
        total: i32,
        assignment: &[Vec<i32>],
        validate_only: bool,
    ) -> Result<()> {
        let name = cstring(topic, "topic")?;
        let total = usize::try_from(total).unwrap_or(0);
        let mut new = Bag::new(raw::rd_kafka_NewPartitions_destroy);
        let mut text = ErrBuf::new();
        // SAFETY: string and buffer are valid through the call; the object is ours.
        let made = unsafe {
            raw::rd_kafka_NewPartitions_new(name.as_ptr(), total, text.as_mut_ptr(), text.len())
        };
        let made = new.add(made, || text.text())?;
        assign(assignment, |i, brokers, count, text| {
            // SAFETY: the object is valid; array and buffer have the sizes given.
            unsafe {
                raw::rd_kafka_NewPartitions_set_replica_assignment(
                    made,
                    i,
                    brokers,
                    count,
                    text.as_mut_ptr(),
                    text.len(),
                )
            }
        })?;
        let options = self.options(Op::CreatePartitions)?;
        options.validate_only(validate_only)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the object is copied.
            unsafe {
                raw::rd_kafka_CreatePartitions(rk, new.as_mut_ptr(), new.len(), options, queue)
            }
        })?;
        let result = answer.result(raw::rd_kafka_event_CreatePartitions_result)?;
        // SAFETY: the result lives as long as the answer.
        unsafe {
            only(topic_results(array(|n| raw::rd_kafka_CreatePartitions_result_topics(result, n))))
        }
    }

    /// The names of all topics, sorted. librdkafka has no admin operation for it; the metadata tell
    /// (`rd_kafka_metadata`).
    pub fn list_topics(&self) -> Result<Vec<String>> {
        let found = self.metadata(TopicSel::All)?;
        let mut names: Vec<String> = found.topics.into_iter().map(|t| t.name).collect();
        names.sort();
        Ok(names)
    }

    /// Describes topics (`rd_kafka_DescribeTopics`).
    pub fn describe_topics(
        &self,
        names: &[String],
        with_operations: bool,
    ) -> Result<Named<TopicDescription>> {
        let mut names = Names::new(names, "topic")?;
        let mut topics = Bag::new(raw::rd_kafka_TopicCollection_destroy);
        // SAFETY: the array has as many strings; they are copied; the object is ours.
        let made = unsafe {
            raw::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len())
        };
        let made = topics.add(made, String::new)?;
        let options = self.options(Op::DescribeTopics)?;
        options.operations(with_operations)?;
        let answer = self.ask(&options, |rk, options, queue| {
            // SAFETY: all are valid through the call; the names are copied.
            unsafe { raw::rd_kafka_DescribeTopics(rk, made, options, queue) }
        })?;
        described(&answer)
    }
}

fn described(answer: &Answer) -> Result<Named<TopicDescription>> {
    let result = answer.result(raw::rd_kafka_event_DescribeTopics_result)?;
    // SAFETY: the result and all that is in it live as long as the answer; everything is copied.
    unsafe {
        let topics = array(|n| raw::rd_kafka_DescribeTopics_result_topics(result, n));
        Ok(topics.iter().map(|t| description(*t)).collect())
    }
}

/// # Safety
/// The description is valid.
unsafe fn description(topic: *const raw::TopicDescription) -> (String, Result<TopicDescription>) {
    // SAFETY: valid by this function's contract, and so is what is in it; all is copied.
    unsafe {
        let name = string(raw::rd_kafka_TopicDescription_name(topic));
        if let Some(e) = error_of(raw::rd_kafka_TopicDescription_error(topic)) {
            return (name, Err(e));
        }
        let partitions = array(|n| raw::rd_kafka_TopicDescription_partitions(topic, n));
        let partitions = partitions
            .iter()
            .map(|p| TopicPartition {
                id: raw::rd_kafka_TopicPartitionInfo_partition(*p),
                leader: Node::copy(raw::rd_kafka_TopicPartitionInfo_leader(*p)),
                replicas: ids(array(|n| raw::rd_kafka_TopicPartitionInfo_replicas(*p, n))),
                isr: ids(array(|n| raw::rd_kafka_TopicPartitionInfo_isr(*p, n))),
            })
            .collect();
        let id = raw::rd_kafka_TopicDescription_topic_id(topic);
        let id = if id.is_null() {
            String::new()
        } else {
            url_safe(&string(raw::rd_kafka_Uuid_base64str(id)))
        };
        let operations = operations(array(|n| {
            raw::rd_kafka_TopicDescription_authorized_operations(topic, n).cast_mut()
        }));
        let internal = raw::rd_kafka_TopicDescription_is_internal(topic) != 0;
        (name, Ok(TopicDescription { id, internal, partitions, operations }))
    }
}

/// An id as Kafka's own tools write it: librdkafka's base64 is the one with `+` and `/`.
fn url_safe(id: &str) -> String {
    id.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

#[cfg(test)]
mod tests {
    use super::url_safe;

    #[test]
    fn ids_are_written_as_kafka_writes_them() {
        assert_eq!(url_safe("4kb6cu7GS+S1y6uZk2/iPw=="), "4kb6cu7GS-S1y6uZk2_iPw");
    }
}
