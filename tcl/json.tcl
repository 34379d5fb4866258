# json.tcl -- package kafka::json: messages whose payload is JSON in an envelope with a history.
#
#     {"item": ..., "hist": {"svc": "name", "dt": "2026-...Z", "refs": [...]}}
#
# A Tcl value doesn't say whether it was a number or a string of digits. So a decoded value comes with
# its *types*, a tree of the same shape:
#
#     string  number  boolean  null
#     any                          by its looks, when it is written
#     {object {key type ...}}      keys that are not named: any
#     {array {type ...}}           the last type is that of the rest, too
#
# With its types a value is written again as it was read.

package require Tcl 8.6-
package require kafka::common
package require json

# A history of a hundred messages is some four hundred levels deep.
if {[interp recursionlimit {}] < 10000} {interp recursionlimit {} 10000}

namespace eval ::kafka::json {
    variable number {^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$}
    # How many steps of history are kept.
    ::kafka::easy::State depth 100

    variable consumerSettings {
        auto.offset.reset            latest
        fetch.max.bytes              1048576
        request.timeout.ms           305000
        heartbeat.interval.ms        3000
        session.timeout.ms           10000
        max.poll.interval.ms         300000
        queued.max.messages.kbytes   10000
        enable.auto.commit           false
        queued.min.messages          100
    }
    # What a commit is answered when the group has moved on since the messages were read.
    variable moved {
        RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID
        RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH
        RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST
        RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED
    }
    variable producerSettings {
        compression.type snappy
        acks             -1
        retries          3
    }
}

# consumer_settings, producer_settings -- what clients are made with; -conf counts before it.
proc ::kafka::json::consumer_settings {} {
    variable consumerSettings
    return [dict merge $consumerSettings]
}
proc ::kafka::json::producer_settings {} {
    variable producerSettings
    return [dict merge $producerSettings]
}

# ---------------------------------------------------------------- JSON

# decode text -- {value types}; the value is what tcllib's json::json2dict makes of it.
proc ::kafka::json::decode {text} {
    if {![::json::validate $text]} {
        return -code error -errorcode {KAFKA JSON} "not JSON: [Short $text]"
    }
    # The tokens are valid; tcllib doesn't say so of their order.
    set tokens [regexp -all -inline -- {"(?:[^"\\]|\\.)*"|[][{}:,]|[^][{}:,"\s]+} $text]
    set at 0
    set decoded [Value $tokens at]
    if {$at != [llength $tokens]} {Unexpected $tokens $at "the end"}
    return $decoded
}

proc ::kafka::json::Unexpected {tokens at expected} {
    set found "\"[Short [lindex $tokens $at]]\""
    if {$at >= [llength $tokens]} {set found "the end"}
    return -code error -errorcode {KAFKA JSON} "not JSON: expected $expected but found $found"
}

proc ::kafka::json::Short {text} {
    if {[string length $text] > 60} {set text [string range $text 0 59]...}
    return $text
}

# Value tokens atVar -- the value that begins there, with its types; at is then behind it.
proc ::kafka::json::Value {tokens atVar} {
    upvar 1 $atVar at
    set token [lindex $tokens $at]
    incr at
    switch -glob -- $token {
        \"* {return [list [Unquote $token] string]}
        true - false {return [list $token boolean]}
        null {return {null null}}
        \{ {
            set value {}
            set types {}
            while {[lindex $tokens $at] ne "\}"} {
                if {[llength $types]} {
                    if {[lindex $tokens $at] ne ","} {Unexpected $tokens $at "\",\" or \"\}\""}
                    incr at
                }
                if {![string match \"* [lindex $tokens $at]]} {Unexpected $tokens $at "a string"}
                set key [Unquote [lindex $tokens $at]]
                incr at
                if {[lindex $tokens $at] ne ":"} {Unexpected $tokens $at {":"}}
                incr at
                lassign [Value $tokens at] item type
                dict set value $key $item
                dict set types $key $type
            }
            incr at
            return [list $value [list object $types]]
        }
        \\\[ {
            set value {}
            set types {}
            while {[lindex $tokens $at] ne "\]"} {
                if {[llength $types]} {
                    if {[lindex $tokens $at] ne ","} {Unexpected $tokens $at "\",\" or \"\]\""}
                    incr at
                }
                lassign [Value $tokens at] item type
                lappend value $item
                lappend types $type
            }
            incr at
            return [list $value [list array $types]]
        }
    }
    variable number
    if {![regexp -- $number $token]} {Unexpected $tokens [incr at -1] "a value"}
    return [list $token number]
}

proc ::kafka::json::Unquote {token} {
    set text [string range $token 1 end-1]
    if {[string first \\ $text] < 0} {
        return $text
    }
    set out ""
    set from 0
    foreach range [regexp -all -inline -indices -- \
            {\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.} $text] {
        lassign $range first last
        append out [string range $text $from $first-1]
        set from [expr {$last + 1}]
        set escape [string range $text $first+1 $last]
        switch -- [string index $escape 0] {
            u {
                scan [string range $escape 1 4] %x code
                if {[string length $escape] > 5} {
                    # Two halves of a character beyond U+FFFF, which stay two in Tcl 8.6.
                    scan [string range $escape 7 10] %x low
                    if {[package vsatisfies [package provide Tcl] 9]} {
                        set code [expr {0x10000 + (($code - 0xd800) << 10) + $low - 0xdc00}]
                    } else {
                        append out [format %c $code]
                        set code $low
                    }
                }
                append out [format %c $code]
            }
            n {append out \n}
            t {append out \t}
            r {append out \r}
            b {append out \b}
            f {append out \f}
            default {append out $escape}
        }
    }
    append out [string range $text $from end]
}

# encode value ?types? -- JSON in ASCII, spaced as Python's json.dumps does it.
proc ::kafka::json::encode {value {types any}} {
    variable number
    lassign $types kind parts
    switch -- $kind {
        string {return [Quote $value]}
        number {
            if {![regexp -- $number $value]} {Mistyped "a number" $value}
            return $value
        }
        boolean {
            if {![string is boolean -strict $value]} {Mistyped "a boolean" $value}
            return [expr {$value ? "true" : "false"}]
        }
        null {
            if {$value ni {null {}}} {Mistyped null $value}
            return null
        }
        any {
            if {$value in {true false null} || [regexp -- $number $value]} {
                return $value
            }
            return [Quote $value]
        }
        object {
            if {![string is list $value] || [llength $value] % 2} {Mistyped "a dict" $value}
            set out {}
            dict for {key item} $value {
                set type any
                if {[dict exists $parts $key]} {set type [dict get $parts $key]}
                lappend out "[Quote $key]: [encode $item $type]"
            }
            return "\{[join $out {, }]\}"
        }
        array {
            if {![string is list $value]} {Mistyped "a list" $value}
            if {![llength $parts]} {set parts any}
            set out {}
            set index 0
            foreach item $value {
                lappend out [encode $item [lindex $parts [expr {min($index, [llength $parts] - 1)}]]]
                incr index
            }
            return "\[[join $out {, }]\]"
        }
    }
    return -code error -errorcode {TCL VALUE} "expected string, number, boolean, null, any,\
        {object {key type ...}} or {array {type ...}} for a type but got \"$types\""
}

proc ::kafka::json::Mistyped {expected value} {
    return -code error -level 2 -errorcode {KAFKA JSON} \
        "expected $expected, as its type says, but got \"[Short $value]\""
}

proc ::kafka::json::Quote {text} {
    set quoted "\"[string map {\" \\\" \\ \\\\ \b \\b \f \\f \n \\n \r \\r \t \\t} $text]\""
    if {![regexp {[^\u0020-\u007e]} $quoted]} {
        return $quoted
    }
    set out ""
    foreach char [split $quoted ""] {
        scan $char %c code
        if {$code >= 0x20 && $code < 0x7f} {
            append out $char
        } elseif {$code > 0xffff} {
            incr code -0x10000
            append out [format {\u%04x\u%04x} [expr {0xd800 + ($code >> 10)}] \
                [expr {0xdc00 + ($code & 0x3ff)}]]
        } else {
            append out [format {\u%04x} $code]
        }
    }
    return $out
}

# ---------------------------------------------------------------- the envelope

# pack_payload svc item refs ?types? -- the envelope's text; refs is a list of refs.
proc ::kafka::json::pack_payload {svc item {refs {}} {types object}} {
    set hist [dict create svc $svc dt [Rfc3339 [clock microseconds]] refs $refs]
    return "\{\"item\": [encode $item $types], \"hist\": [encode $hist [HistType $hist]]\}"
}

# unpack_payload message -- dict `item types ref` of a message of the plain commands; empty for a
# tombstone. The ref is a dict topic partition offset key hist. A history that is too long is left
# out, and log (a prefix) is told.
proc ::kafka::json::unpack_payload {message {log ::kafka::json::Log}} {
    if {[dict exists $message tombstone] || [dict get $message payload] eq ""} return
    lassign [decode [encoding convertfrom utf-8 [dict get $message payload]]] data types
    if {[lindex $types 0] ne "object" || ![dict exists $data item]} {
        return -code error -errorcode {KAFKA JSON} \
            "no item in the message: [Short [dict get $message payload]]"
    }
    set hist null
    if {[dict exists $data hist]} {set hist [dict get $data hist]}
    set key ""
    if {[dict exists $message key]} {
        set key [encoding convertfrom utf-8 [dict get $message key]]
    }
    set shape null
    if {[dict exists [lindex $types 1] hist]} {set shape [dict get [lindex $types 1] hist]}
    set long [Long $hist $shape 0]
    if {$long} {set hist null}
    set ref [dict create topic [dict get $message topic] partition [dict get $message partition] \
        offset [dict get $message offset] key $key hist $hist]
    if {$long} {
        {*}$log [dict create level warning message \
            "\[[format_ref $ref]\] the history of this message is too long: left out"]
    }
    return [dict create item [dict get $data item] types [dict get [lindex $types 1] item] ref $ref]
}

proc ::kafka::json::Log {line} {
    if {[dict get $line level] ne "debug"} {
        puts stderr "kafka::json: [dict get $line message]"
    }
}

# None hist -- whether there is no history.
proc ::kafka::json::None {hist} {expr {$hist in {null {}}}}

# Long hist types depth -- whether it goes back too far, or isn't what it should be: there are old
# messages whose refs are one ref instead of a list.
proc ::kafka::json::Long {hist types steps} {
    variable depth
    if {[None $hist]} {return 0}
    if {[incr steps] >= $depth} {return 1}
    if {![dict exists $hist refs]} {return 0}
    set refsType [Part $types refs]
    if {[lindex $refsType 0] eq "null"} {return 0}
    if {[lindex $refsType 0] ne "array"} {return 1}
    foreach ref [dict get $hist refs] type [lindex $refsType 1] {
        if {[dict exists $ref hist] && [Long [dict get $ref hist] [Part $type hist] $steps]} {return 1}
    }
    return 0
}

# Part types key -- the type of an object's key.
proc ::kafka::json::Part {types key} {
    set parts [lindex $types 1]
    if {[dict exists $parts $key]} {return [dict get $parts $key]}
    return null
}

# HistType hist, RefType ref -- the types of what we know the shape of.
proc ::kafka::json::HistType {hist} {
    if {[None $hist]} {return null}
    set types {svc string dt string}
    if {[dict exists $hist refs]} {
        dict set types refs [list array [lmap ref [dict get $hist refs] {RefType $ref}]]
    }
    return [list object $types]
}
proc ::kafka::json::RefType {ref} {
    set types {topic string partition number offset number key string}
    dict set types hist null
    if {[dict exists $ref hist]} {dict set types hist [HistType [dict get $ref hist]]}
    return [list object $types]
}

# format_ref ref -- topic:partition:offset:key
proc ::kafka::json::format_ref {ref} {
    return [dict get $ref topic]:[dict get $ref partition]:[dict get $ref offset]:[dict get $ref key]
}

# format_batch_ref dict -- topic -> partition -> {least greatest}; topic[partition=least:greatest+1]
proc ::kafka::json::format_batch_ref {batch} {
    set topics {}
    dict for {topic partitions} $batch {
        set ranges {}
        dict for {partition range} $partitions {
            lassign $range least greatest
            lappend ranges $partition=$least:[expr {$greatest + 1}]
        }
        lappend topics $topic\[[join $ranges ,]\]
    }
    return [join $topics ,]
}

# ---------------------------------------------------------------- times

proc ::kafka::json::Rfc3339 {microseconds} {
    set seconds [expr {$microseconds / 1000000}]
    return [clock format $seconds -gmt 1 -format %Y-%m-%dT%H:%M:%S].[format %06d \
        [expr {$microseconds % 1000000}]]Z
}

# Microseconds text -- of a date and time as RFC 3339 has it.
proc ::kafka::json::Microseconds {text} {
    if {![regexp {^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:([Zz])|([-+])(\d\d):(\d\d))$} \
            $text -> date time fraction - sign hours minutes]} {
        return -code error -errorcode {KAFKA JSON} \
            "expected a date and time such as 2026-01-31T23:59:59Z but got \"$text\""
    }
    set seconds [clock scan "$date $time" -gmt 1 -format "%Y-%m-%d %H:%M:%S"]
    if {$sign ne ""} {
        scan $hours %d hours
        scan $minutes %d minutes
        set offset [expr {$hours * 3600 + $minutes * 60}]
        incr seconds [expr {$sign eq "+" ? -$offset : $offset}]
    }
    scan [string range ${fraction}000000 0 5] %d fraction
    return [expr {$seconds * 1000000 + $fraction}]
}

# calc_ref_latencies svc ref ?target? -- {latencies total}: the seconds that a message's way took from
# service to service, as a list of {svc seconds}, and altogether, up to now in svc; from target on, if
# given. Empty and 0 when there is no history, or it doesn't lead through the target.
proc ::kafka::json::calc_ref_latencies {svc ref {target ""}} {
    set hist [dict get $ref hist]
    if {[None $hist]} {return {{} 0}}
    set now [clock microseconds]
    # From the first service to the last, each with the time at which it was done.
    set stages {}
    while 1 {
        set stages [linsert $stages 0 [list [dict get $hist svc] [Microseconds [dict get $hist dt]]]]
        set before {}
        foreach earlier [dict get $hist refs] {
            if {![dict exists $earlier hist] || [None [dict get $earlier hist]]} continue
            lappend before [list [dict get $earlier hist dt] [dict get $earlier hist]]
        }
        if {![llength $before]} break
        # Of several, the one that came last.
        set hist [lindex [lsort -index 0 $before] end 1]
    }
    if {$target ne ""} {
        set at [lsearch -exact -index 0 $stages $target]
        if {$at < 0} {return {{} 0}}
        # From the end of the stage before it, where there is one.
        set stages [lrange $stages [expr {max(0, $at - 1)}] end]
    }
    lappend stages [list $svc $now]
    # The first has no beginning that we know. Stages of one service in a row are one.
    lassign [lindex $stages 0] - first
    set start $first
    set latencies {}
    set name ""
    foreach stage [lrange $stages 1 end] {
        lassign $stage next time
        if {$name ne "" && $next ne $name} {
            lappend latencies [list $name [expr {($end - $start) / 1e6}]]
            set start $end
        }
        set name $next
        set end $time
    }
    lappend latencies [list $name [expr {($end - $start) / 1e6}]]
    return [list $latencies [expr {($now - $first) / 1e6}]]
}

::kafka::common::Parts json_producer json_consumer

::kafka::easy::Guard
package provide kafka::json [package require kafka]
