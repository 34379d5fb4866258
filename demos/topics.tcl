# topics.tcl -- kafka::ControllerClient: list topics, make one, delete one.
#
#     tclsh topics.tcl -brokers kafka1:9092
#     tclsh topics.tcl -brokers kafka1:9092 -create my.test -partitions 4 -replication 1
#     tclsh topics.tcl -brokers kafka1:9092 -delete my.test
#
# An embedded cluster lists topics; it makes and deletes none this way.

package require kafka::partition

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -create {} -delete {} -partitions 1 -replication 1 -timeout 30000]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

set controller [kafka::ControllerClient new -brokers $option(-brokers)]
try {
    if {$option(-create) ne ""} {
        $controller create_topic $option(-create) $option(-partitions) $option(-replication) $option(-timeout)
        puts "$option(-create) is made"
    }
    if {$option(-delete) ne ""} {
        $controller delete_topic $option(-delete) $option(-timeout)
        puts "$option(-delete) is deleted"
    }
    dict for {topic partitions} [$controller list_topics] {
        puts "$topic: [llength $partitions] partition(s)"
    }
} trap KAFKA {message} {
    puts stderr $message
    exit 1
}
$controller destroy
exit 0
