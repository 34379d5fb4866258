# oo.tcl -- kafka::Producer, kafka::Consumer and kafka::Future.
#
#     tclsh oo.tcl -brokers kafka1:9092 -topic my.test
#
# Two keyed messages go out, are read back and committed; then a future is chained.

package require kafka::oo

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 2 -group oo-demo]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

# Text is turned into bytes, and back.
set text {{encoding convertto utf-8} {encoding convertfrom utf-8}}

set producer [kafka::Producer new -brokers $option(-brokers) -serde $text \
    -conf {enable.idempotence true}]
foreach {key value} {key-1 value-1 key-2 value-2} {
    $producer send $option(-topic) $value -key $key
}
puts "[$producer flush 10000] not delivered"

set consumer [kafka::Consumer new -brokers $option(-brokers) -serde $text -conf [list \
    group.id $option(-group) enable.auto.commit false auto.offset.reset earliest]]
$consumer subscribe $option(-topic)
set seen 0
while {$seen < $option(-count)} {
    set message [$consumer poll 2000]
    if {$message eq ""} continue
    incr seen
    puts "[kafka::message key $message]: [kafka::message value $message]"
    $consumer commit
}

# A future is the result of what goes on in the background.
set future [$producer send $option(-topic) message -key key-3]
set length [$future then {apply {{outcome} {
    if {[dict exists $outcome error]} {
        return -code error [dict get $outcome error]
    }
    string length [kafka::message value [dict get $outcome result]]
}}}]
puts "the value has [$length value 10000] characters"

$consumer close
$producer close
