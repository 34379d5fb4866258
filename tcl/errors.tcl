# errors.tcl -- the errors of kafka::oo: a tree of classes, as prefixes of errorCode.
#
#     KAFKA                                         every error of the package
#     KAFKA RDKAFKA CODE TEXT DETAIL FLAGS          what librdkafka or a broker said
#     KAFKA RDKAFKA PARTITION CODE ... FLAGS TOPIC PARTITION
#     KAFKA RDKAFKA FATAL CODE ...                  the client is of no use any more
#     KAFKA RDKAFKA TRANSACTION CODE ...
#     KAFKA RDKAFKA TRANSACTION RETRYABLE CODE ...       call it again
#     KAFKA RDKAFKA TRANSACTION ABORT_REQUIRED CODE ...  abort, then begin anew
#     KAFKA PARTIAL n-ok n-failed DETAIL {}         some succeeded, some failed
#     KAFKA SERDE key|value TEXT MESSAGE            a serializer or deserializer failed
#
# `try ... trap {KAFKA RDKAFKA TRANSACTION}` takes a class and all below it.

package require Tcl 8.6-
package require kafka

# error_info errorcode -- what an errorCode says, as a dict: `class` (the words of the tree, without
# KAFKA) and, as far as they are known, code text detail flags topic partition. The codes of the
# plain commands (KAFKA CODE TEXT DETAIL FLAGS) are understood as well.
proc ::kafka::error_info {errorcode} {
    set words [lassign $errorcode kafka]
    if {$kafka ne "KAFKA"} {
        return [dict create class {}]
    }
    switch -- [lindex $words 0] {
        PARTIAL {
            return [dict create class PARTIAL code PARTIAL ok [lindex $words 1] \
                failed [lindex $words 2] detail [lindex $words 3]]
        }
        SERDE {
            return [dict create class SERDE code SERDE side [lindex $words 1] \
                text [lindex $words 2] message [lindex $words 3]]
        }
    }
    set class {}
    while {[lindex $words 0] in {RDKAFKA PARTITION FATAL TRANSACTION RETRYABLE ABORT_REQUIRED}} {
        set words [lassign $words word]
        lappend class $word
    }
    lassign $words code text detail flags
    if {$class eq "" && [string match RD_KAFKA_* $code]} {
        set class RDKAFKA
    }
    set info [dict create class $class code $code text $text detail $detail flags $flags]
    if {"PARTITION" in $class} {
        dict set info topic [lindex $words 4]
        dict set info partition [lindex $words 5]
    }
    return $info
}

namespace eval ::kafka::errors {}

# Tree errorcode ?kind? ?topic partition? -- the tree's errorCode for one of the plain commands. Kind
# is `transaction` for what transactions throw.
proc ::kafka::errors::Tree {errorcode {kind ""} {topic ""} {partition -1}} {
    lassign $errorcode kafka code text detail flags
    if {$kafka ne "KAFKA" || ![string match RD_KAFKA_* $code]} {
        return $errorcode
    }
    set words [list KAFKA RDKAFKA]
    set more {}
    if {"fatal" in $flags} {
        lappend words FATAL
    } elseif {$kind eq "transaction"} {
        lappend words TRANSACTION
        if {"abort_required" in $flags} {
            lappend words ABORT_REQUIRED
        } elseif {"retriable" in $flags} {
            lappend words RETRYABLE
        }
    } elseif {$topic ne ""} {
        lappend words PARTITION
        set more [list $topic $partition]
    }
    return [list {*}$words $code $text $detail $flags {*}$more]
}

# OfReport dict -- message and errorCode of a delivery report or message error.
proc ::kafka::errors::OfReport {report} {
    set text [dict get $report error]
    set detail [dict get $report message]
    set topic ""
    set partition -1
    if {[dict exists $report topic]} {set topic [dict get $report topic]}
    if {[dict exists $report partition]} {set partition [dict get $report partition]}
    set message "kafka error: $text"
    if {$detail ne ""} {append message " ($detail)"}
    set flags {}
    if {[dict get $report code] in {RD_KAFKA_RESP_ERR__FATAL RD_KAFKA_RESP_ERR__FENCED}} {
        set flags fatal
    }
    return [list $message \
        [Tree [list KAFKA [dict get $report code] $text $detail $flags] "" $topic $partition]]
}

# Call kind words ?options? -- a call of a plain command whose errors become the tree's.
# In a coroutine a call that takes -command (`await` among the words of how) lets others run
# meanwhile.
proc ::kafka::errors::Call {kind how words {topic ""} {partition -1}} {
    try {
        if {$how eq "await" && [info coroutine] ne ""} {
            ::kafka::await {*}$words
        } else {
            {*}$words
        }
    } on error {message options} {
        dict set options -errorcode \
            [Tree [dict get $options -errorcode] $kind $topic $partition]
        return -options [dict incr options -level 2] $message
    }
}
