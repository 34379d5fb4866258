# batch_producer.tcl -- kafka::BatchProducer: collects records, or what an aggregator makes records of.
#
# An aggregator is a command prefix, an object say:
#     {*}$prefix push DATA            0 when there is no room for it, else {1 ?tag?}
#     {*}$prefix flush                {records ?context?}, and begins anew
#     {*}$prefix status CONTEXT OFFSETS TAG     what the future of a push gives

package require Tcl 8.6-

# Collects records up to so many bytes.
::kafka::common::Class ::kafka::RecordAggregator {
    variable Limit Records Size
    constructor {{limit 1048576}} {
        ::kafka::common::Check limit {int 1} $limit
        set Limit $limit
        set Records {}
        set Size 0
    }
    method push {record} {
        ::kafka::partition::Words $record
        set size [::kafka::partition::Size $record]
        # One that is too large for any batch is a batch of its own.
        if {[llength $Records] && $Size + $size > $Limit} {return 0}
        incr Size $size
        lappend Records $record
        return [list 1 [expr {[llength $Records] - 1}]]
    }
    method flush {} {
        set records $Records
        set Records {}
        set Size 0
        return [list $records]
    }
    method status {context offsets tag} {lindex $offsets $tag}
}

::kafka::common::Class ::kafka::BatchProducer {
    variable Client Linger Aggregator Own Pending Timer Due

    # client ?-linger ms? ?-aggregator prefix? ?-max_bytes n?
    constructor {client args} {
        if {![info object isa object $client] || ![info object isa typeof $client ::kafka::PartitionClient]} {
            ::kafka::common::Bad "expected a kafka::PartitionClient for client but got \"$client\""
        }
        set options [::kafka::common::Options {
            -linger 5 {int 0} -aggregator {} prefix -max_bytes 1048576 {int 1}
        } $args]
        set Client $client
        set Linger [dict get $options -linger]
        set Aggregator [dict get $options -aggregator]
        set Own ""
        if {$Aggregator eq ""} {
            set Own [::kafka::RecordAggregator new [dict get $options -max_bytes]]
            set Aggregator [list $Own]
        }
        set Pending {}
        set Timer ""
        set Due ""
        ::kafka::partition::WatchExit
    }

    # What was pushed is sent.
    destructor {
        if {![info exists Client]} return
        my HandOver
        if {$Own ne "" && [info object isa object $Own]} {$Own destroy}
    }

    # produce data -- a future of its status: without an aggregator data is a record, its status the
    # offset.
    method produce {data} {
        set answer [uplevel #0 [list {*}$Aggregator push $data]]
        if {![lindex $answer 0]} {
            my flush
            set answer [uplevel #0 [list {*}$Aggregator push $data]]
            if {![lindex $answer 0]} {
                return -code error -errorcode {KAFKA AGGREGATOR} \
                    "the aggregator has no room for it, even empty"
            }
        }
        set id [::kafka::future::New [list [self] Serve]]
        lappend Pending [list $id [lindex $answer 1]]
        if {$Timer eq ""} {
            set Due [expr {[clock milliseconds] + $Linger}]
            set Timer [after $Linger [list [self namespace]::my flush]]
        }
        ::kafka::future::Object $id
    }

    # flush -- send what was pushed, now
    method flush {} {my Flush 1}

    # HandOver -- likewise, where nothing can be waited for: it is librdkafka's then.
    method HandOver {} {
        if {[info object isa object $Client]} {my Flush 0} else {after cancel $Timer}
    }

    # Flush ask -- with ask, the partition is looked up before.
    method Flush {ask} {
        after cancel $Timer
        set Timer ""
        set pending $Pending
        set Pending {}
        if {![llength $pending]} return
        if {[catch {
            lassign [uplevel #0 [list {*}$Aggregator flush]] records context
            if {$ask} {$Client Retry {}}
            set words [lmap record $records {::kafka::partition::Words $record}]
        } message options]} {
            foreach one $pending {::kafka::future::Resolve [lindex $one 0] [list failed $message $options]}
            return
        }
        # The deliveries may come after this object's end: what they need is with them.
        ::kafka::partition::Send [$Client Producer] [$Client topic] [$Client partition] $words \
            [list $Aggregator $context $pending]
        return
    }

    # Serve ms -- what `value` of a future does outside a coroutine: wait for the linger, then for the
    # deliveries.
    method Serve {ms} {
        if {$Timer ne ""} {
            set left [expr {max(0, $Due - [clock milliseconds])}]
            ::kafka::partition::Pause [expr {min($left, $ms)}]
            # Destroyed meanwhile, it has handed over what it held.
            if {$left > $ms || [::kafka::common::Over]} return
            my flush
            if {[::kafka::common::Over]} return
        }
        [$Client Producer] poll [expr {max(1, min($ms, 100))}]
    }
    export Serve HandOver
}

namespace eval ::kafka::partition {
    # No batch is one of a package that was deleted before.
    ::kafka::easy::State batches [clock microseconds]
    # Number -> {offsets left failure about}
    variable sent; array set sent {}
}

# WatchExit -- a process that ends takes no leave of objects: what is held is handed over when `exit` is
# called, which tclsh does at the end of a script as well.
proc ::kafka::partition::WatchExit {} {
    if {[namespace which -command ::exit] eq ""} return
    set prefix [list ::apply $::kafka::easy::told ::kafka::partition::Exits]
    trace remove execution ::exit enter $prefix
    trace add execution ::exit enter $prefix
}

# Exits args -- a trace: the process is about to end. An error here would keep it from that.
proc ::kafka::partition::Exits {args} {
    foreach object [::kafka::easy::Instances ::kafka::BatchProducer] {
        if {[catch {$object HandOver} message]} {
            # There may be no stderr to say it on.
            catch {puts stderr "kafka: $object could not hand over what it holds: $message"}
        }
    }
}

proc ::kafka::partition::Send {producer topic partition words about} {
    variable sent
    variable batches
    set id [incr batches]
    set sent($id) [list [lrepeat [llength $words] ""] [llength $words] "" $about]
    if {![llength $words]} {
        Settle $id
        return
    }
    set index -1
    foreach one $words {
        incr index
        # A full queue is waited for; what is refused counts as not delivered.
        if {[catch {
            $producer send $topic {*}$one -partition $partition -block 30000 \
                -command [list ::apply $::kafka::easy::told ::kafka::partition::Stored $id $index]
        } message options]} {
            Stored $id $index [list failed $message $options]
        }
    }
}

# Stored number index report -- a record of a batch was delivered, or not.
proc ::kafka::partition::Stored {id index report} {
    variable sent
    lassign $sent($id) offsets left failure about
    if {[lindex $report 0] eq "failed"} {
        set failure $report
    } elseif {[dict exists $report error]} {
        lassign [::kafka::errors::OfReport $report] message errorcode
        set failure [list failed $message \
            [dict create -code 1 -level 0 -errorcode $errorcode -errorinfo $message]]
    } else {
        lset offsets $index [dict get $report offset]
    }
    incr left -1
    set sent($id) [list $offsets $left $failure $about]
    if {$left == 0} {Settle $id}
}

# Settle number -- all of a batch is known: tell those who pushed.
proc ::kafka::partition::Settle {id} {
    variable sent
    lassign $sent($id) offsets - failure about
    unset sent($id)
    lassign $about aggregator context pending
    foreach one $pending {
        lassign $one future tag
        if {$failure ne ""} {
            ::kafka::future::Resolve $future $failure
        } elseif {[info object isa object [lindex $aggregator 0]]
                || ![::kafka::common::Gone [lindex $aggregator 0]]} {
            if {[catch {uplevel #0 [list {*}$aggregator status $context $offsets $tag]} status options]} {
                ::kafka::future::Resolve $future [list failed $status $options]
            } else {
                ::kafka::future::Resolve $future [list ok $status]
            }
        } else {
            # The aggregator has gone with its producer.
            ::kafka::future::Resolve $future [list ok [lindex $offsets [expr {
                [string is entier -strict $tag] ? $tag : 0}]]]
        }
    }
}
