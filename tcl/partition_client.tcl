# partition_client.tcl -- package kafka::partition: kafka::PartitionClient, one partition as a log.
#
# librdkafka reads ahead, which a request for records at an offset doesn't: the client remembers where
# the next record is expected. Asked for that one, it goes on; for another, it seeks.

package require Tcl 8.6-
package require kafka::common
package require kafka::oo

namespace eval ::kafka::partition {
    # What says that a topic or partition isn't there, or not yet.
    variable unknown {
        RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC
        RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION
    }
}

# Size record -- its bytes.
proc ::kafka::partition::Size {record} {
    set size [string length [dict get $record payload]]
    if {[dict exists $record key]} {incr size [string length [dict get $record key]]}
    if {[dict exists $record headers]} {
        foreach word [dict get $record headers] {incr size [string length $word]}
    }
    return $size
}

# Words record -- a record as send takes it: payload, then options.
proc ::kafka::partition::Words {record} {
    if {![string is list $record] || [llength $record] % 2 || ![dict exists $record payload]} {
        return -code error -errorcode {TCL VALUE} \
            "expected a dict with payload for a record but got \"$record\""
    }
    set words [list [dict get $record payload]]
    foreach name {key headers null_headers timestamp tombstone} {
        if {[dict exists $record $name]} {lappend words -$name [dict get $record $name]}
    }
    return $words
}

# Tick -- whoever waits in the event loop looks again.
proc ::kafka::partition::Tick {} {
    variable tick 1
    return
}

# Pause ms -- in a coroutine others run meanwhile.
proc ::kafka::partition::Pause {ms} {
    set coroutine [info coroutine]
    set end [expr {[clock milliseconds] + $ms}]
    if {$coroutine eq ""} {
        # Tcl's own `after` looks after signals and cancellation every half a second only.
        while {[set left [expr {$end - [clock milliseconds]}]] > 0} {after [expr {min($left, 50)}]}
        return
    }
    set timer [after $ms [list ::apply $::kafka::easy::resume $coroutine]]
    while {[clock milliseconds] < $end} {yield}
    after cancel $timer
}

::kafka::common::Class ::kafka::PartitionClient {
    variable Options Topic Partition Producer Consumer Reader Known Started Next Buffer Admin

    constructor {args} {
        set Options [::kafka::common::Options [list {*}$::kafka::common::clientOptions \
            -topic ! name -partition ! {int 0 2147483647} \
            -unknown_topic error {one error retry} -backoff_deadline 30000 ms \
            -prefetch_kbytes 1024 {int 1} -compression none {one none gzip snappy lz4 zstd} \
            -timeout 30000 ms \
        ] $args]
        set Topic [dict get $Options -topic]
        set Partition [dict get $Options -partition]
        set Known 0
        set Started 0
        set Next ""
        set Buffer {}
        set Consumer [::kafka::common::Handle [my Master [list \
            queued.max.messages.kbytes [dict get $Options -prefetch_kbytes]]] consumer]
    }

    destructor {
        foreach name {Consumer Producer} {
            if {[info exists $name] && ![::kafka::common::Gone [set $name]]} {[set $name] delete}
        }
    }

    method topic {} {return $Topic}
    method partition {} {return $Partition}

    # produce records -- dicts `payload ?key? ?headers? ?null_headers? ?timestamp? ?tombstone?`; waits until they are
    # stored, and gives their offsets.
    method produce {records} {
        ::kafka::common::Check records list $records
        set list [lmap record $records {::kafka::partition::Words $record}]
        if {![llength $list]} return
        set reports [my Retry {
            my Wait [my Producer] send_batch $Topic $list -partition $Partition \
                -wait [dict get $Options -timeout]
        }]
        lmap report $reports {dict get $report offset}
    }

    # fetch_records offset ?-min_bytes n? ?-max_bytes n? ?-max_wait ms? -- {records high_watermark}
    method fetch_records {offset args} {
        ::kafka::common::Check offset {int 0} $offset
        set options [::kafka::common::Options {
            -min_bytes 1 {int 0} -max_bytes 1048576 {int 1} -max_wait 1000 {int 0}
        } $args]
        my Retry {
            my Go $offset
            my Fill $options
        }
        set size 0
        set count 0
        foreach record $Buffer {
            incr size [::kafka::partition::Size $record]
            if {$count && $size > [dict get $options -max_bytes]} break
            incr count
        }
        set records [lrange $Buffer 0 $count-1]
        set Buffer [lrange $Buffer $count end]
        if {$count} {set Next [expr {[dict get [lindex $records end] offset] + 1}]}
        return [list $records [my HighWatermark]]
    }

    # get_offset earliest|latest|TIMESTAMP -- the first record's; the one after the last; the first at
    # or after a time in ms, -1 when there is none so late.
    method get_offset {at} {
        if {$at ni {earliest latest} && (![string is entier -strict $at] || $at < 0)} {
            ::kafka::common::Bad "expected earliest, latest or milliseconds since 1970 for at but got \"$at\""
        }
        my Retry {
            if {$at in {earliest latest}} {
                lassign [my Ask watermarks $Topic $Partition] low high
                set offset [expr {$at eq "earliest" ? $low : $high}]
            } else {
                set offset [lindex [my Ask offsets_for_times [list $Topic $Partition $at]] 0 2]
                if {![string is entier -strict $offset]} {set offset -1}
            }
            set offset
        }
    }

    # delete_records offset -- those before it
    method delete_records {offset} {
        ::kafka::common::Check offset {int 0} $offset
        if {![info exists Admin]} {set Admin [::kafka::common::Absolute [$Consumer admin #auto]]}
        my Retry {my Wait $Admin delete_records [list $Topic $Partition $offset]}
        return
    }

    # ------------------------------------------------------------ inside

    method Master {{conf {}}} {::kafka::common::Master $Options $conf}

    method Producer {} {
        if {![info exists Producer]} {
            set Producer [::kafka::common::Handle [my Master [list linger.ms 0 \
                compression.type [dict get $Options -compression]]] producer]
        }
        return $Producer
    }

    # Ask subcommand ?arg ...? -- a query; in a coroutine others run meanwhile.
    method Ask {args} {
        set answer [my Wait $Consumer {*}$args]
        ::kafka::common::Stays
        return $answer
    }
    # Wait command ?arg ...? -- alike, of any of the plain commands.
    method Wait {args} {
        if {[info coroutine] ne ""} {return [::kafka::await {*}$args]}
        {*}$args
    }

    # Retry script -- evaluate it in the caller's frame; while the partition isn't known, again after
    # a growing while, if that is what -unknown_topic says.
    method Retry {script} {
        set deadline [::kafka::common::Deadline [dict get $Options -backoff_deadline]]
        set delay 100
        # Destroyed, the object has no such command any more; renamed it has.
        set my [self namespace]::my
        while 1 {
            try {
                my Bind
                return [uplevel 1 $script]
            } on error {message options} {
                # The client may have gone meanwhile, and the package with it.
                if {[namespace which -command $my] eq ""} {
                    return -options [dict incr options -level 2] $message
                }
                set code [lindex [dict get $options -errorcode] 1]
                set left [::kafka::common::Left $deadline]
                if {[dict get $Options -unknown_topic] ne "retry" || $left == 0
                        || $code ni $::kafka::partition::unknown} {
                    return -options [dict incr options -level 2] $message
                }
            }
            ::kafka::partition::Pause [expr {$left < 0 ? $delay : min($delay, $left)}]
            if {[namespace which -command $my] eq ""} {
                return -code error -level 2 -errorcode {KAFKA CLOSED {the client is closed} {} {}} \
                    "kafka error: the client is closed"
            }
            set delay [expr {min($delay * 3, 5000)}]
        }
    }

    # Bind -- see that the partition is there. Asked by the consumer, for which brokers make no topics.
    method Bind {} {
        if {$Known} return
        set topics [dict get [my Ask metadata -topic $Topic] topics]
        if {![dict exists $topics $Topic partitions $Partition]} {
            ::kafka::common::Refuse RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART \
                "Broker: Unknown topic or partition" "topic $Topic partition $Partition"
        }
        set Known 1
    }

    # Go offset -- be where it is the next record.
    method Go {offset} {
        if {$Started && $offset eq $Next} return
        lassign [my Ask watermarks $Topic $Partition] low high
        if {$offset < $low || $offset > $high} {
            ::kafka::common::Refuse RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE \
                "Broker: Offset out of range" \
                "topic $Topic partition $Partition offset $offset: there are $low to $high"
        }
        set Buffer {}
        if {![info exists Reader]} {
            $Consumer topic_config auto.offset.reset error
            set Reader [::kafka::common::Absolute [$Consumer new_topic #auto $Topic]]
        }
        if {$Started} {
            $Reader seek $Partition $offset
        } else {
            $Reader start $Partition $offset
            set Started 1
        }
        set Next $offset
    }

    # Fill options -- until the buffer has so many bytes, or the time is over.
    method Fill {options} {
        set deadline [::kafka::common::Deadline [dict get $options -max_wait]]
        set size 0
        foreach record $Buffer {incr size [::kafka::partition::Size $record]}
        while {$size < [dict get $options -max_bytes]} {
            set left [::kafka::common::Left $deadline]
            # What is there is taken; waited is for the least only.
            if {$size >= [dict get $options -min_bytes]} {set left 0}
            try {
                set records [$Reader consume_list $Partition $left 1000]
            } trap {KAFKA RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET} {} {
                $Reader stop $Partition
                set Started 0
                ::kafka::common::Refuse RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE \
                    "Broker: Offset out of range" "topic $Topic partition $Partition offset $Next"
            }
            ::kafka::common::Stays
            foreach record $records {incr size [::kafka::partition::Size $record]}
            lappend Buffer {*}$records
            if {![llength $records] && ($left == 0 || [::kafka::common::Left $deadline] == 0)} return
        }
    }

    method HighWatermark {} {
        lassign [$Consumer watermarks -cached $Topic $Partition] - high
        if {![string is entier -strict $high] || $high < $Next} {
            lassign [my Ask watermarks $Topic $Partition] - high
        }
        return $high
    }
    # For the classes that stand on this one.
    export Producer Master Retry
}

::kafka::common::Parts stream_consumer batch_producer controller_client

::kafka::easy::Guard
package provide kafka::partition [package require kafka]
