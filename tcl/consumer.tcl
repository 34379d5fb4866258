# consumer.tcl -- kafka::Consumer: a member of a group, or a reader of assigned partitions.

package require Tcl 8.6-
package require kafka::common

namespace eval ::kafka::consuming {}

# Committed number result answer -- the outcome of an asynchronous commit.
proc ::kafka::consuming::Committed {id result answer} {
    if {![dict exists $answer error]} {
        ::kafka::future::Resolve $id [list ok $result]
        return
    }
    set errorcode [::kafka::errors::Tree [dict get $answer errorcode]]
    set message "kafka error: [dict get $answer error]"
    if {[dict get $answer message] ne ""} {append message " ([dict get $answer message])"}
    ::kafka::future::Resolve $id [list failed $message \
        [dict create -code 1 -level 0 -errorcode $errorcode -errorinfo $message]]
}

# Pair tp -- {topic partition}
proc ::kafka::consuming::Pair {tp} {list [lindex $tp 0] [lindex $tp 1]}

# Offsets tps -- dict {topic partition} -> {offset metadata}, of those that have an offset.
proc ::kafka::consuming::Offsets {tps} {
    set result {}
    foreach tp $tps {
        lassign $tp - - offset metadata
        if {$offset in {invalid {}}} continue
        dict set result [Pair $tp] [list $offset $metadata]
    }
    return $result
}

::kafka::common::Class ::kafka::Consumer {
    superclass ::kafka::Client
    variable Handle Pairs OnSerdeError

    constructor {args} {
        set options [::kafka::common::Options [list {*}$::kafka::common::clientOptions \
            -serde {} pair -key_serde {} pair -value_serde {} pair -on_serde_error {} prefix \
        ] $args]
        set Pairs [::kafka::serde::Pairs $options]
        set OnSerdeError [dict get $options -on_serde_error]
        set Handle [::kafka::common::Handle [::kafka::common::Master $options] subscriber]
    }

    # The group is left in the background.
    destructor {
        if {[info exists Handle] && ![::kafka::common::Gone $Handle]} {$Handle delete}
    }

    # poll ?timeout? -- the next message, or empty when there is none in time.
    method poll {{timeout 0}} {
        ::kafka::common::Check timeout ms $timeout
        set message [my Call "" plain consume $timeout]
        if {$message eq ""} return
        if {[dict exists $message error]} {
            lassign [::kafka::errors::OfReport $message] text errorcode
            return -code error -errorcode $errorcode $text
        }
        ::kafka::serde::Decode $Pairs $message $OnSerdeError
    }

    # subscribe topics -- one topic or a list; ^... is a regular expression.
    method subscribe {topics} {
        ::kafka::common::Check topics list $topics
        my Call "" plain subscribe {*}[lmap topic $topics {list $topic}]
        return
    }
    method unsubscribe {} {
        my Call "" plain unsubscribe
        return
    }
    method subscription {} {my Call "" plain subscribe}

    # assign partitions -- {topic partition ?offset?} each, instead of a group's choice.
    method assign {partitions} {
        set list [::kafka::common::Tps $partitions]
        if {![llength $list]} {set list [list {}]}
        my Call "" plain assign {*}$list
        return
    }
    # assignment -- {topic partition} each
    method assignment {} {
        lmap tp [my Call "" plain assignment] {::kafka::consuming::Pair $tp}
    }

    # commit ?-offsets list? ?-async b? ?-timeout ms? -- without offsets, of what poll has given. Gives
    # a dict {topic partition} -> {offset metadata}, or a future of it.
    method commit {args} {
        set options [::kafka::common::Options {
            -offsets {} list -async 0 bool -timeout 5000 ms
        } $args]
        my Alive
        set offsets [::kafka::common::Tps [dict get $options -offsets]]
        set result [::kafka::consuming::Offsets $offsets]
        if {![llength $offsets]} {
            set result [::kafka::consuming::Offsets [my Call "" plain position]]
        }
        set words [list commit -timeout [dict get $options -timeout]]
        if {![dict get $options -async]} {
            my Call "" await {*}$words {*}$offsets
            return $result
        }
        set id [::kafka::future::New [list $Handle poll]]
        try {
            my Call "" plain {*}$words \
                -command [list ::apply $::kafka::easy::told ::kafka::consuming::Committed $id $result] {*}$offsets
        } on error {message problem} {
            ::kafka::future::Forget $id
            return -options [dict incr problem -level] $message
        }
        ::kafka::future::Object $id
    }

    # committed partitions ?timeout? -- dict {topic partition} -> {offset metadata}
    method committed {partitions {timeout 5000}} {
        set list [::kafka::common::Tps $partitions]
        if {![llength $list]} return
        ::kafka::consuming::Offsets [my Call "" await committed -timeout $timeout {*}$list]
    }

    # pause partitions, resume partitions -- give the partitions
    method pause {partitions} {my Switch pause $partitions}
    method resume {partitions} {my Switch resume $partitions}

    # seek offsets -- {topic partition offset} each
    method seek {offsets} {
        set list [::kafka::common::Tps $offsets]
        if {[llength $list]} {my Call "" plain seek {*}$list}
        return
    }
    # seek_to_beginning ?partitions?, seek_to_end ?partitions? -- of the assignment
    method seek_to_beginning {{partitions {}}} {my SeekTo beginning $partitions}
    method seek_to_end {{partitions {}}} {my SeekTo end $partitions}

    # positions ?partitions? -- dict {topic partition} -> offset after the last message that poll has
    # given, empty when there was none
    method positions {{partitions {}}} {
        set result {}
        foreach tp [my Call "" plain position {*}[::kafka::common::Tps $partitions]] {
            set offset [lindex $tp 2]
            if {$offset eq "invalid"} {set offset ""}
            dict set result [::kafka::consuming::Pair $tp] $offset
        }
        return $result
    }

    # offsets_for_times timestamps ?timeout? -- {topic partition ms} each; gives a dict
    # {topic partition} -> offset, `end` where there is none so late
    method offsets_for_times {timestamps {timeout 5000}} {
        set result {}
        foreach tp [my Call "" await offsets_for_times -timeout $timeout \
                {*}[::kafka::common::Tps $timestamps]] {
            dict set result [::kafka::consuming::Pair $tp] [lindex $tp 2]
        }
        return $result
    }

    # watermarks topic partition ?timeout? -- {low high}
    method watermarks {topic partition {timeout 5000}} {
        ::kafka::errors::Call "" await [list $Handle watermarks -timeout $timeout $topic $partition] \
            $topic $partition
    }

    # member_id -- who the group takes this consumer for
    method member_id {} {my Call "" plain member_id}

    # close ?timeout? -- commit, leave the group; then the object is gone.
    method close {args} {
        my Call "" plain close {*}$args
        if {![::kafka::common::Over]} {my destroy}
    }

    # ------------------------------------------------------------ inside

    method Switch {how partitions} {
        set list [::kafka::common::Tps $partitions]
        if {[llength $list]} {my Call "" plain $how {*}$list}
        return $partitions
    }

    method SeekTo {where partitions} {
        set list [::kafka::common::Tps $partitions]
        if {![llength $list]} {set list [my assignment]}
        if {[llength $list]} {
            my Call "" plain seek {*}[lmap tp $list {
                list [lindex $tp 0] [lindex $tp 1] $where
            }]
        }
        return
    }
}
