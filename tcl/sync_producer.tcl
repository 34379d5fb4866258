# sync_producer.tcl -- package kafka::sync: kafka::SyncProducer, which returns when it is delivered.

package require Tcl 8.6-
package require kafka::common

namespace eval ::kafka::sync {}

# Md5 bytes count -- the sum of the digest's bytes modulo count, as Kaffe has it.
proc ::kafka::sync::Md5 {bytes count} {
    binary scan [::md5::md5 -- $bytes] cu* digest
    expr {[::tcl::mathop::+ {*}$digest] % $count}
}

::kafka::common::Class ::kafka::SyncProducer {
    variable Handle Topics Strategy Timeout Encoding Turn

    constructor {args} {
        set options [::kafka::common::Options [list {*}$::kafka::common::clientOptions \
            {*}$::kafka::common::securityOptions \
            -topics {} list -partition_strategy round_robin command -timeout 30000 ms \
            -encoding binary name \
        ] $args]
        set Topics [dict get $options -topics]
        set Timeout [dict get $options -timeout]
        set Strategy [my Checked [dict get $options -partition_strategy]]
        set Encoding [dict get $options -encoding]
        array set Turn {}
        set Handle [::kafka::common::Handle [::kafka::common::Master $options] producer]
        try {
            $Handle encoding $Encoding
        } on error {message problem} {
            $Handle delete
            return -options [dict incr problem -level] $message
        }
    }

    destructor {
        if {[info exists Handle] && ![::kafka::common::Gone $Handle]} {$Handle delete}
    }

    # produce key value | produce topic key value | produce topic partition key value -- gives the
    # delivery report; the first is for the first of -topics.
    method produce {args} {
        switch -- [llength $args] {
            2 {
                if {![llength $Topics]} {
                    ::kafka::common::Bad "no topic: give one, or -topics when the producer is made"
                }
                lassign $args key value
                set topic [lindex $Topics 0]
            }
            3 {lassign $args topic key value}
            4 {
                lassign $args topic partition key value
                ::kafka::common::Check partition {int 0 2147483647} $partition
            }
            default {
                return -code error -errorcode {TCL WRONGARGS} \
                    "wrong # args: should be \"[self] produce ?topic? ?partition? key value\""
            }
        }
        if {![info exists partition]} {
            set partition [my Choose $Strategy $topic [my Partitions $topic] $key $value]
        }
        # A strategy is a script's, too.
        ::kafka::common::Stays
        my Wait send $topic $value -key $key -partition $partition
    }

    # produce_list topic ?-partition p? ?-partition_strategy s? pairs -- elements {key value ?headers?};
    # gives their delivery reports in the same order.
    method produce_list {topic args} {
        if {![llength $args]} {
            return -code error -errorcode {TCL WRONGARGS} "wrong # args: should be\
                \"[self] produce_list topic ?-partition p? ?-partition_strategy s? pairs\""
        }
        set pairs [lindex $args end]
        set options [::kafka::common::Options {
            -partition {} any -partition_strategy {} list
        } [lrange $args 0 end-1]]
        ::kafka::common::Check pairs list $pairs
        set partition [dict get $options -partition]
        if {$partition ne ""} {::kafka::common::Check -partition {int 0 2147483647} $partition}
        set strategy $Strategy
        if {[dict get $options -partition_strategy] ne ""} {
            set strategy [my Checked [dict get $options -partition_strategy]]
        }
        set index 0
        foreach pair $pairs {
            if {![string is list $pair] || [llength $pair] ni {2 3}} {
                ::kafka::common::Bad "expected {key value ?headers?} for element $index but got \"$pair\""
            }
            incr index
        }
        if {![llength $pairs]} return
        if {$partition eq ""} {set count [my Partitions $topic]}
        set messages {}
        foreach pair $pairs {
            lassign $pair key value headers
            set words [list $value -key $key -headers $headers]
            if {$partition eq ""} {
                lappend words -partition [my Choose $strategy $topic $count $key $value]
            } else {
                lappend words -partition $partition
            }
            lappend messages $words
        }
        ::kafka::common::Stays
        my Wait send_batch $topic $messages
    }

    # handle -- the plain producer
    method handle {} {return $Handle}

    # close ?timeout?
    method close {args} {
        $Handle close {*}$args
        if {![::kafka::common::Over]} {my destroy}
    }

    # ------------------------------------------------------------ inside

    # Wait subcommand ?arg ...? -- a call that waits for deliveries; in a coroutine others run meanwhile.
    method Wait {args} {
        lappend args -wait $Timeout
        if {[info coroutine] ne ""} {return [::kafka::await $Handle {*}$args]}
        $Handle {*}$args
    }

    method Partitions {topic} {
        set count [$Handle info partitions $topic]
        ::kafka::common::Stays
        return $count
    }

    # Checked strategy -- refuse what is neither a name nor a command.
    method Checked {strategy} {
        if {$strategy in {round_robin random}} {return $strategy}
        if {$strategy eq "md5"} {
            package require md5 2
            ::kafka::easy::Guard
            return md5
        }
        set command [lindex $strategy 0]
        if {[uplevel #0 [list ::tcl::namespace::which -command $command]] eq ""
                && ![auto_load $command]} {
            return -code error -level 2 -errorcode {TCL VALUE} "expected round_robin, random, md5 or\
                a command prefix for -partition_strategy but got \"$strategy\""
        }
        return $strategy
    }

    method Choose {strategy topic count key value} {
        switch -- $strategy {
            round_robin {
                # Of each topic its own; from partition 0 on.
                if {![info exists Turn($topic)] || $Turn($topic) >= $count} {set Turn($topic) 0}
                set partition $Turn($topic)
                incr Turn($topic)
                return $partition
            }
            random {return [expr {int(rand() * $count)}]}
            md5 {return [::kafka::sync::Md5 [my Bytes $key] $count]}
        }
        set partition [uplevel #0 [list {*}$strategy \
            [dict create topic $topic partitions $count key $key value $value]]]
        if {![string is entier -strict $partition] || $partition < 0 || $partition >= $count} {
            return -code error -errorcode {TCL VALUE} "expected an integer from 0 to [expr {$count - 1}]\
                from the partition strategy but got \"$partition\""
        }
        return $partition
    }

    # Bytes key -- as they will be sent.
    method Bytes {key} {
        if {$Encoding ne "binary"} {
            return [encoding convertto $Encoding $key]
        }
        # What is no byte is refused when it is sent; the digest is of no account then.
        return [encoding convertto iso8859-1 [regsub -all {[^\u0000-\u00ff]} $key ?]]
    }
}

::kafka::easy::Guard
package provide kafka::sync [package require kafka]
