# admin.tcl -- make a topic, see that it is as wanted, move a group, look at its lag,
# and take both away again. An embedded cluster does not answer these calls.
#
#     tclsh admin.tcl -brokers kafka1:9092 -topic demo.admin

package require kafka
package require kafka::tools

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic demo.admin -group demo.admin.group -timeout 30000]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

::kafka::kafka create master
master config bootstrap.servers $option(-brokers)
master logger none
master producer_creator producer
producer admin admin

try {
    set cluster [admin describe_cluster -timeout $option(-timeout)]
} on error {message} {
    puts stderr $message
    exit 1
}
puts "[llength [dict get $cluster brokers]] broker(s)"

set words [list $option(-topic) -partitions 2 -config {retention.ms 3600000} -admin admin]
puts "topic: [kafka::tools::ensure_topic {*}$words], then [kafka::tools::ensure_topic {*}$words]"

foreach payload {one two three} {producer send $option(-topic) $payload -partition 0}
producer flush

kafka::tools::reset_offsets $option(-group) $option(-topic) -to earliest -admin admin
kafka::tools::reset_offsets $option(-group) $option(-topic) -to {shift 1} -admin admin
dict for {place row} [kafka::tools::lag $option(-group) -admin admin] {
    puts "partition [lindex $place 1]: [dict get $row lag] behind"
}

admin delete_groups $option(-group)
try {
    admin delete_topic $option(-topic) $option(-topic).not.there
} trap {KAFKA PARTIAL} {- options} {
    set detail [lindex [dict get $options -errorcode] 4]
    puts "deleted [llength [dict get $detail ok]], not deleted [dict size [dict get $detail failed]]"
}
exit 0
