# cli_format.tcl -- part of kafka::cli: how a consumed message is written.

namespace eval ::kafka::cli {
    # What is asked of each message, in the order of a formatter's parameters.
    variable fields {topic partition offset timestamp timestamp_type headers key payload nulls broker}
}

# Formatter options -- a lambda that turns a message's fields into bytes.
proc ::kafka::cli::Formatter {options} {
    if {[dict exists $options -J]} {
        if {[dict exists $options -f]} {Usage "-J and -f exclude each other"}
        set end [list [Delimiter [Opt $options -D \\n]]]
        return [list $::kafka::cli::fields "string cat \[Envelope\] $end" ::kafka::cli]
    }
    if {[dict exists $options -f]} {
        set parts [FormatParts [Bytes [dict get $options -f]]]
    } else {
        set parts [list %s [Delimiter [Opt $options -D \\n]]]
        if {[dict exists $options -K]} {
            set parts [linsert $parts 0 %k [Delimiter [dict get $options -K]]]
        }
    }
    set words {}
    foreach {conversion literal} $parts {
        switch -- $conversion {
            "" {}
            %t {lappend words {[Utf8 $topic]}}
            %p {lappend words {$partition}}
            %o {lappend words {$offset}}
            %T {lappend words {[expr {$timestamp eq "" ? -1 : $timestamp}]}}
            %h {lappend words {[::kafka::cli::HeaderText $headers $nulls]}}
            %K {lappend words {[expr {"key" in $nulls ? -1 : [string length $key]}]}}
            %S {lappend words {[expr {"payload" in $nulls ? -1 : [string length $payload]}]}}
            %R {lappend words {[binary format I [expr {"payload" in $nulls ? -1 : [string length $payload]}]]}}
            %k - %s {
                set name [dict get {%k key %s payload} $conversion]
                if {![dict exists $options -Z]} {
                    lappend words \$$name
                } else {
                    # As kcat: also where it is empty. The lengths tell them apart.
                    lappend words "\[if {\$$name eq {}} {list NULL} {set $name}\]"
                }
            }
        }
        # An empty word would be no argument.
        if {$literal ne ""} {lappend words [list $literal]}
    }
    return [list $::kafka::cli::fields "string cat [join $words]" ::kafka::cli]
}

# FormatParts bytes -- conversion literal ...; the first conversion is empty if the format begins
# with a literal.
proc ::kafka::cli::FormatParts {bytes} {
    set parts {}
    set conversion ""
    set literal ""
    foreach {token} [regexp -all -inline {%.?|\\x[0-9A-Fa-f]{1,2}|\\[0-7]{1,3}|\\.|[^%\\]+|\\} $bytes] {
        switch -glob -- $token {
            %% {append literal %}
            % {Usage "a format does not end with %"}
            %* {
                if {[string index $token 1] ni {t p o k s K S R T h}} {
                    Usage "a format has %t %p %o %k %s %K %S %R %T %h and %%, and no $token"
                }
                lappend parts $conversion $literal
                set conversion $token
                set literal ""
            }
            \\\\n {append literal \n}
            \\\\r {append literal \r}
            \\\\t {append literal \t}
            \\\\x?* {append literal [format %c [scan [string range $token 2 end] %x]]}
            {\\[0-7]*} {append literal [format %c [expr {[scan [string range $token 1 end] %o] & 0xFF}]]}
            \\\\? {append literal [string index $token 1]}
            default {append literal $token}
        }
    }
    return [lappend parts $conversion $literal]
}

# HeaderText headers nulls -- name=value with commas between.
proc ::kafka::cli::HeaderText {headers nulls} {
    set texts {}
    set i 0
    foreach {name value} $headers {
        if {$i in $nulls} {set value NULL}
        lappend texts "[Utf8 $name]=$value"
        incr i
    }
    return [join $texts ,]
}

# Envelope -- the message in the formatter's variables as a line of JSON, laid out as kcat does it.
proc ::kafka::cli::Envelope {} {
    foreach name $::kafka::cli::fields {upvar 1 $name $name}
    set json "{\"topic\":[JsonText $topic],\"partition\":$partition,\"offset\":$offset"
    if {$timestamp ne ""} {
        set type [expr {$timestamp_type eq "create_time" ? "create" : "logappend"}]
        append json ",\"tstype\":\"$type\",\"ts\":$timestamp"
    }
    append json ",\"broker\":[expr {$broker eq "" ? -1 : $broker}]"
    if {[llength $headers]} {
        set texts {}
        set i 0
        foreach {name value} $headers {
            lappend texts [JsonText $name] [expr {$i in $nulls ? "null" : [JsonString $value]}]
            incr i
        }
        append json ",\"headers\":\[[join $texts ,]\]"
    }
    append json ",\"key\":[expr {"key" in $nulls ? "null" : [JsonString $key]}]"
    append json ",\"payload\":[expr {"payload" in $nulls ? "null" : [JsonString $payload]}]"
    return "$json}"
}
