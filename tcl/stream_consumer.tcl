# stream_consumer.tcl -- kafka::StreamConsumer: the records of a partition as they come.

package require Tcl 8.6-

::kafka::common::Class ::kafka::StreamConsumer {
    variable Handle Reader Partition Topic Command Queue Paused Ended Waiters

    # client ?-from earliest|latest|OFFSET? ?-command prefix? -- with a command each record goes to it,
    # else `next` gives them.
    constructor {client args} {
        if {![info object isa object $client] || ![info object isa typeof $client ::kafka::PartitionClient]} {
            ::kafka::common::Bad "expected a kafka::PartitionClient for client but got \"$client\""
        }
        set options [::kafka::common::Options {-from earliest any -command {} prefix} $args]
        set from [dict get $options -from]
        switch -- $from {
            earliest {
                set start beginning
                set reset earliest
            }
            latest {
                set start end
                set reset latest
            }
            default {
                if {![string is entier -strict $from] || $from < 0} {
                    ::kafka::common::Bad "expected earliest, latest or an offset for -from but got \"$from\""
                }
                set start $from
                # Who names an offset wants to know that it is gone.
                set reset error
            }
        }
        set Topic [$client topic]
        set Partition [$client partition]
        set Command [dict get $options -command]
        set Queue {}
        set Paused 0
        set Ended 0
        set Waiters {}
        $client Retry {}
        set Handle [::kafka::common::Handle [$client Master] consumer]
        $Handle topic_config auto.offset.reset $reset
        set Reader [::kafka::common::Absolute [$Handle new_topic #auto $Topic]]
        $Reader start $Partition $start [list [self namespace]::my Arrived]
    }

    destructor {
        if {[info exists Handle] && ![::kafka::common::Gone $Handle]} {$Handle delete}
        # Who waits in next finds the object gone.
        if {[info exists Waiters]} {
            foreach waiter $Waiters {after 0 $waiter}
        }
    }

    # next ?timeout? -- the next record, with its `high_watermark`; empty when there is none in time, or
    # the stream has ended. An error is thrown, once. In a coroutine others run meanwhile; elsewhere the
    # event loop turns.
    method next {{timeout -1}} {
        ::kafka::common::Check timeout ms $timeout
        if {$Command ne ""} {
            ::kafka::common::Refuse STATE "not allowed in the present state" "records go to -command"
        }
        set deadline [::kafka::common::Deadline $timeout]
        while {![llength $Queue] && !$Ended} {
            set left [::kafka::common::Left $deadline]
            if {$left == 0} return
            set timer ""
            if {[info coroutine] ne ""} {
                set waiter [list ::apply $::kafka::easy::resume [info coroutine]]
            } else {
                set waiter [list ::apply $::kafka::easy::told ::kafka::partition::Tick]
            }
            if {$waiter ni $Waiters} {lappend Waiters $waiter}
            if {$left > 0} {set timer [after $left $waiter]}
            if {[info coroutine] ne ""} yield else {vwait ::kafka::partition::tick}
            after cancel $timer
            # Destroyed meanwhile, perhaps with the package.
            if {[namespace which -command [namespace current]::my] eq ""} return
            # Not to be resumed by a record when it waits for something else.
            set Waiters [lsearch -all -inline -not -exact $Waiters $waiter]
        }
        if {![llength $Queue]} return
        set Queue [lassign $Queue record]
        if {$Paused && [llength $Queue] < 500} {
            set Paused 0
            $Reader resume $Partition
        }
        if {[dict exists $record error]} {
            lassign [::kafka::errors::OfReport $record] message errorcode
            return -code error -errorcode $errorcode $message
        }
        return $record
    }

    # ended -- whether an error has ended the stream
    method ended {} {return $Ended}

    method Arrived {record} {
        if {[dict exists $record error]} {
            # Others librdkafka deals with, and says in its log.
            if {[dict get $record code] ni {
                RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE
                RD_KAFKA_RESP_ERR__FATAL
            }} return
            set Ended 1
        } else {
            lassign [$Handle watermarks -cached $Topic $Partition] - high
            dict set record high_watermark $high
        }
        if {$Command ne ""} {
            uplevel #0 [list {*}$Command $record]
            return
        }
        lappend Queue $record
        if {!$Paused && [llength $Queue] >= 1000} {
            set Paused 1
            $Reader pause $Partition
        }
        # Several may wait: the first gets it, and the end is for all.
        while {[llength $Waiters] && ([llength $Queue] || $Ended)} {
            set Waiters [lassign $Waiters waiter]
            uplevel #0 $waiter
            if {[::kafka::common::Over]} return
        }
    }
}
