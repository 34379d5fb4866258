# coroutine.tcl -- one thing after the other, while everything else goes on: coroutines.
#
#     tclsh coroutine.tcl -brokers kafka1:9092 -topic my.test -group my-group < lines
#
# kafka::await calls a command, lets others run, and gives the result or throws the
# error, as if it had waited. Three coroutines run side by side here: one sends each line
# when the one before is delivered, one reads them back, one counts seconds meanwhile.

package require kafka

# What the command line doesn't say.
array set option [list -brokers 127.0.0.1 -topic my.test -group coroutine-demo -count 3]
if {[info exists env(KAFKA_BOOTSTRAP)]} {set option(-brokers) $env(KAFKA_BOOTSTRAP)}
array set option $argv

::kafka::kafka create sending
sending config bootstrap.servers $option(-brokers)
sending producer_creator producer
::kafka::kafka create receiving
receiving config bootstrap.servers $option(-brokers) group.id $option(-group) \
    auto.offset.reset earliest enable.auto.commit false
receiving subscriber subscriber

proc write {topic} {
    set partitions [kafka::await producer info partitions $topic]
    while {[gets stdin line] >= 0} {
        if {$line eq ""} continue
        try {
            set report [kafka::await producer send $topic $line -partition 0]
            puts "delivered: $line, offset [dict get $report offset] of $partitions partition(s)"
        } trap KAFKA {message} {
            puts stderr "not delivered: $line: $message"
        }
    }
    return written
}

proc read {topic count} {
    subscriber subscribe $topic
    # The callback is the coroutine itself: each message resumes it.
    subscriber callback [info coroutine]
    while {$count > 0} {
        set message [yield]
        if {[dict exists $message error]} {
            puts stderr "kafka: [dict get $message message]"
            continue
        }
        puts "read: [dict get $message payload]"
        incr count -1
    }
    # A message that came now would resume the await: so none may come.
    subscriber callback {}
    kafka::await subscriber commit
    lassign [kafka::await subscriber committed [list $topic 0]] place
    puts "committed: up to offset [lindex $place 2]"
    return read
}

proc tick {} {
    while 1 {
        after 1000 [info coroutine]
        yield
        incr ::seconds
    }
}

# run name command -- a coroutine; when it ends, `ended` has its name.
proc run {name args} {
    coroutine $name apply {{args} {
        # Begin in the event loop, like everything that follows.
        after 0 [info coroutine]
        yield
        lappend ::ended [{*}$args]
    }} {*}$args
}

set seconds 0
set ended {}
coroutine ticking tick
run writing write $option(-topic)
run reading read $option(-topic) $option(-count)
while {[llength $ended] < 2} {vwait ended}

subscriber close
producer close
exit 0
