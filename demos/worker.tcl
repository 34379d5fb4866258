# worker.tcl -- kafka::Worker: a handler that is called for each message.
#
#     tclsh worker.tcl -brokers kafka1:9092 -topic interesting-topic -group my-app
#
# With -ack async the handler only takes messages; a timer stands for the work that is
# done elsewhere, and acknowledges them when it is.

package require kafka::worker

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -count 0 -group worker-demo -ack sync]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

set seen 0
proc count {} {
    if {[incr ::seen] == $::option(-count)} {set ::done 1}
}

proc handle_message {message} {
    puts "[dict get $message key]: [dict get $message payload]"
    if {$::option(-ack) eq "async"} {
        after 10 [list finished $message]
    } else {
        count
    }
    # Anything else than ok, no_commit or {commit offset} is an error.
    return ok
}

proc finished {message} {
    consumer ack $message
    count
}

kafka::Worker create consumer -brokers $option(-brokers) -topics $option(-topic) \
    -group $option(-group) -handler handle_message -ack $option(-ack) -start earliest
consumer start
vwait done
# What was acknowledged is committed, and the group is left.
consumer stop
puts "subscribed to [llength [consumer list_subscribed_topics]] topic(s)"
