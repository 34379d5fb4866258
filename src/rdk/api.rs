//! Names of Kafka's requests.

/// In order of their keys, as librdkafka spells them (without a trailing `Request`).
const NAMES: [&str; 74] = [
    "Produce",
    "Fetch",
    "ListOffsets",
    "Metadata",
    "LeaderAndIsr",
    "StopReplica",
    "UpdateMetadata",
    "ControlledShutdown",
    "OffsetCommit",
    "OffsetFetch",
    "FindCoordinator",
    "JoinGroup",
    "Heartbeat",
    "LeaveGroup",
    "SyncGroup",
    "DescribeGroups",
    "ListGroups",
    "SaslHandshake",
    "ApiVersion",
    "CreateTopics",
    "DeleteTopics",
    "DeleteRecords",
    "InitProducerId",
    "OffsetForLeaderEpoch",
    "AddPartitionsToTxn",
    "AddOffsetsToTxn",
    "EndTxn",
    "WriteTxnMarkers",
    "TxnOffsetCommit",
    "DescribeAcls",
    "CreateAcls",
    "DeleteAcls",
    "DescribeConfigs",
    "AlterConfigs",
    "AlterReplicaLogDirs",
    "DescribeLogDirs",
    "SaslAuthenticate",
    "CreatePartitions",
    "CreateDelegationToken",
    "RenewDelegationToken",
    "ExpireDelegationToken",
    "DescribeDelegationToken",
    "DeleteGroups",
    "ElectLeaders",
    "IncrementalAlterConfigs",
    "AlterPartitionReassignments",
    "ListPartitionReassignments",
    "OffsetDelete",
    "DescribeClientQuotas",
    "AlterClientQuotas",
    "DescribeUserScramCredentials",
    "AlterUserScramCredentials",
    "Vote",
    "BeginQuorumEpoch",
    "EndQuorumEpoch",
    "DescribeQuorum",
    "AlterIsr",
    "UpdateFeatures",
    "Envelope",
    "FetchSnapshot",
    "DescribeCluster",
    "DescribeProducers",
    "BrokerRegistration",
    "BrokerHeartbeat",
    "UnregisterBroker",
    "DescribeTransactions",
    "ListTransactions",
    "AllocateProducerIds",
    "ConsumerGroupHeartbeat",
    "ConsumerGroupDescribe",
    "ControllerRegistration",
    "GetTelemetrySubscriptions",
    "PushTelemetry",
    "AssignReplicasToDirs",
];

/// How many request kinds there are.
const COUNT: i16 = NAMES.len() as i16;

/// The key of a request by name (`Produce`, `fetch`, `MetadataRequest`, `ApiVersions`; in
/// any case) or by number.
pub fn api_key(name: &str) -> Option<i16> {
    let name = name.trim();
    if let Ok(key) = name.parse::<i16>() {
        return (0..COUNT).contains(&key).then_some(key);
    }
    let find = |name: &str| {
        NAMES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))
            .and_then(|index| i16::try_from(index).ok())
    };
    if name.eq_ignore_ascii_case("ApiVersions") {
        return find("ApiVersion");
    }
    // A prefix by bytes: `name` may be any text.
    let suffix = "Request";
    let cut = name.len().checked_sub(suffix.len());
    find(name).or_else(|| match cut.map(|cut| (name.get(..cut), name.get(cut..))) {
        Some((Some(start), Some(end))) if end.eq_ignore_ascii_case(suffix) => find(start),
        _ => None,
    })
}

/// The name of a request, the number for one without.
pub fn api_name(key: i16) -> String {
    usize::try_from(key)
        .ok()
        .and_then(|index| NAMES.get(index))
        .map_or_else(|| key.to_string(), |name| (*name).to_owned())
}

/// All names, in order of their keys.
pub fn api_names() -> Vec<&'static str> {
    NAMES.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_keys() {
        for (index, name) in api_names().into_iter().enumerate() {
            let key = index as i16;
            assert_eq!(api_name(key), name);
            assert_eq!(api_key(name), Some(key));
            assert_eq!(api_key(&name.to_uppercase()), Some(key));
            assert_eq!(api_key(&format!("{name}Request")), Some(key));
            assert_eq!(api_key(&key.to_string()), Some(key));
        }
        for (name, key) in [
            ("Produce", Some(0)),
            ("OffsetCommit", Some(8)),
            ("EndTxn", Some(26)),
            ("ConsumerGroupHeartbeat", Some(68)),
            ("ApiVersions", Some(18)),
            ("", None),
            ("-1", None),
            ("74", None),
            ("Nonsense", None),
            ("日本語日本語", None),
        ] {
            assert_eq!(api_key(name), key, "{name}");
        }
        assert_eq!(api_name(-1), "-1");
        assert_eq!(api_name(999), "999");
    }
}
