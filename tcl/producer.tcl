# producer.tcl -- kafka::Producer: sends messages, and gives a future for each.

package require Tcl 8.6-
package require kafka::common

namespace eval ::kafka::producing {
    # Handles whose object is gone, while futures still wait for their deliveries.
    variable leaving; array set leaving {}
    # How many futures of a handle are open.
    variable open; array set open {}
}

# Delivered handle number originals report -- the delivery report of a message with a future.
proc ::kafka::producing::Delivered {handle id originals report} {
    if {[dict exists $report error]} {
        lassign [::kafka::errors::OfReport $report] message errorcode
        set answer [list failed $message [dict create -code 1 -level 0 -errorcode $errorcode \
            -errorinfo "$message\n    (delivery to topic [dict get $report topic])"]]
    } else {
        # What was given to send, not what became of it: the bytes are there as well.
        dict for {name value} $originals {
            dict set report raw_$name [dict get $report $name]
            dict set report $name $value
        }
        set answer [list ok $report]
    }
    Closed $handle
    ::kafka::future::Resolve $id $answer
}

# Closed handle -- one future of it less; the last one takes a handle along whose object is gone.
proc ::kafka::producing::Closed {handle} {
    variable open
    variable leaving
    if {![info exists open($handle)]} return
    if {[incr open($handle) -1] <= 0 && [info exists leaving($handle)]} {
        Away $handle
    }
}

proc ::kafka::producing::Away {handle} {
    variable open
    variable leaving
    unset -nocomplain open($handle)
    unset -nocomplain leaving($handle)
    if {![::kafka::common::Gone $handle]} {$handle delete}
}

::kafka::common::Class ::kafka::Producer {
    superclass ::kafka::Client
    variable Handle KeySerde ValueSerde OnSerdeError

    constructor {args} {
        set options [::kafka::common::Options [list {*}$::kafka::common::clientOptions \
            -serde {} pair -key_serde {} pair -value_serde {} pair -on_serde_error {} prefix \
        ] $args]
        lassign [::kafka::serde::Pairs $options] key value
        set KeySerde [lindex $key 0]
        set ValueSerde [lindex $value 0]
        set OnSerdeError [dict get $options -on_serde_error]
        set Handle [::kafka::common::Handle [::kafka::common::Master $options] producer]
        set ::kafka::producing::open($Handle) 0
    }

    # What is queued is delivered in the background; futures get their results.
    destructor {
        if {![info exists Handle] || [::kafka::common::Gone $Handle]} return
        if {$::kafka::producing::open($Handle) > 0} {
            set ::kafka::producing::leaving($Handle) 1
        } else {
            ::kafka::producing::Away $Handle
        }
    }

    # send topic value ?-key k? ?-partition p? ?-headers h? ?-timestamp ms? ?-tombstone b?
    # ?-block ms? ?-future b? -- queue a message; gives a future of it as it was delivered.
    method send {topic value args} {
        set words {}
        set wanted 1
        set partition -1
        set originals {}
        set tombstone 0
        if {[llength $args] % 2} {
            return -code error -errorcode {TCL WRONGARGS} \
                "value for \"[lindex $args end]\" missing"
        }
        foreach {option given} $args {
            switch -- $option {
                -key {
                    if {$KeySerde ne ""} {
                        dict set originals key $given
                        set given [my Serialize $KeySerde key $given $topic]
                    }
                    lappend words -key $given
                }
                -partition {
                    set partition $given
                    lappend words -partition $given
                }
                -tombstone {
                    ::kafka::common::Check -tombstone bool $given
                    set tombstone $given
                    lappend words -tombstone $given
                }
                -headers - -null_headers - -timestamp - -block {
                    lappend words $option $given
                }
                -future {
                    ::kafka::common::Check -future bool $given
                    set wanted $given
                }
                default {
                    set names {-block -future -headers -key -null_headers -partition -timestamp -tombstone}
                    return -code error -errorcode [list TCL LOOKUP INDEX option $option] \
                        "bad option \"$option\": must be [::kafka::common::Or $names][
                            ::kafka::common::Near $option $names]"
                }
            }
        }
        if {$ValueSerde ne "" && !$tombstone} {
            dict set originals payload $value
            set value [my Serialize $ValueSerde value $value $topic]
        }
        my Alive
        if {!$wanted} {
            ::kafka::errors::Call "" plain [list $Handle send $topic $value {*}$words] \
                $topic $partition
            return
        }
        set id [::kafka::future::New [list $Handle poll]]
        try {
            $Handle send $topic $value {*}$words \
                -command [list ::apply $::kafka::easy::told ::kafka::producing::Delivered $Handle $id $originals]
        } on error {message options} {
            ::kafka::future::Forget $id
            dict set options -errorcode [::kafka::errors::Tree \
                [dict get $options -errorcode] "" $topic $partition]
            return -options [dict incr options -level] $message
        }
        incr ::kafka::producing::open($Handle)
        # With -block its report may have come already, and nobody has seen it.
        return [::kafka::future::Object $id]
    }

    # flush ?timeout? -- wait for all deliveries; gives how many are outstanding.
    method flush {args} {my Call "" plain flush {*}$args}

    # Transactions. A RETRYABLE error means to call again, ABORT_REQUIRED to abort.
    method init_transactions {args} {my Transact init_transactions {} {*}$args}
    method initialize_transactions {args} {my Transact init_transactions {} {*}$args}
    method begin_transaction {} {my Call transaction plain begin_transaction}
    method commit_transaction {args} {my Transact commit_transaction {} {*}$args}
    method abort_transaction {args} {my Transact abort_transaction {} {*}$args}

    # send_offsets_to_transaction consumer offsets ?timeout? -- offsets: {topic partition offset}
    # each, the next to be read; empty: where the consumer stands. The consumer is a kafka::Consumer,
    # a subscriber or its group_metadata.
    method send_offsets_to_transaction {consumer {offsets {}} args} {
        set offsets [::kafka::common::Tps $offsets]
        if {[info object isa object $consumer] && [info object isa typeof $consumer ::kafka::Consumer]} {
            set consumer [$consumer handle]
        }
        my Transact send_offsets_to_transaction [list -- $consumer {*}$offsets] {*}$args
    }

    # close ?timeout? -- deliver what is queued, then the object is gone.
    method close {args} {
        my Alive
        set handle $Handle
        try {
            my Call "" plain close {*}$args
        } finally {
            if {[::kafka::common::Gone $handle]} {
                # What close could not deliver is lost, and its reports with it.
                foreach id [::kafka::future::Open [list $handle poll]] {
                    if {[info exists ::kafka::future::upstream($id)]} continue
                    ::kafka::future::Resolve $id [list failed \
                        "kafka error: Local: Broker handle destroyed" [dict create -code 1 -level 0 \
                        -errorcode {KAFKA RDKAFKA RD_KAFKA_RESP_ERR__DESTROY {Local: Broker handle destroyed} {} {}}]]
                }
                unset -nocomplain ::kafka::producing::open($handle)
                if {![::kafka::common::Over]} {my destroy}
            }
        }
        return
    }

    # ------------------------------------------------------------ inside

    method Serialize {prefix side value topic} {
        ::kafka::serde::Apply $prefix $side $value \
            [dict create value $value topic $topic] $OnSerdeError
    }

    method Transact {subcommand words {timeout ""}} {
        set options {}
        if {$timeout ne ""} {
            ::kafka::common::Check timeout ms $timeout
            set options [list -timeout $timeout]
        }
        my Call transaction await $subcommand {*}$options {*}$words
    }
}
