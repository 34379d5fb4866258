# serde.tcl -- what turns values into bytes and back, and the messages that come of it.

package require Tcl 8.6-
package require kafka::common

namespace eval ::kafka::serde {}

# Pairs options -- the pairs for key and value of an object's options.
proc ::kafka::serde::Pairs {options} {
    lmap option {-key_serde -value_serde} {
        set pair [dict get $options $option]
        if {$pair eq ""} {set pair [dict get $options -serde]}
        set pair
    }
}

# Apply prefix side value about handler -- what the prefix makes of a value. If it fails, the handler
# is asked for what to take instead (with what is told by `about`, and the error), else the error is
# KAFKA SERDE.
proc ::kafka::serde::Apply {prefix side value about handler} {
    if {$prefix eq ""} {
        return $value
    }
    if {![catch {uplevel #0 [list {*}$prefix $value]} result options]} {
        return $result
    }
    set errorcode NONE
    if {[dict exists $options -errorcode]} {set errorcode [dict get $options -errorcode]}
    if {$handler ne ""} {
        return [uplevel #0 [list {*}$handler [dict merge [dict create side $side] $about \
            [dict create error $result errorcode $errorcode]]]]
    }
    set message ""
    if {[dict exists $about message]} {set message [dict get $about message]}
    return -code error -errorcode [list KAFKA SERDE $side $result $message] \
        "kafka error: the serde of the $side failed ($result)"
}

# Decode pairs message handler -- a message whose payload and key are what the deserializers made of
# them; the bytes are raw_payload and raw_key. A null is left alone: there are no bytes.
proc ::kafka::serde::Decode {pairs message handler} {
    set raw $message
    foreach {side name pair} [list key key [lindex $pairs 0] value payload [lindex $pairs 1]] {
        set prefix [lindex $pair 1]
        if {$prefix eq "" || ![dict exists $raw $name]} continue
        if {$name eq "payload" && [dict exists $raw tombstone]} continue
        set bytes [dict get $raw $name]
        dict set message $name [Apply $prefix $side $bytes \
            [dict create raw $bytes message $raw] $handler]
        dict set message raw_$name $bytes
    }
    return $message
}

# message accessor message -- `kafka::message key $m` and so on: what a message lacks is empty.
namespace eval ::kafka::message {
    namespace export key value raw_key raw_value topic partition offset timestamp \
        timestamp_type headers header tombstone
    namespace ensemble create
}

proc ::kafka::message::Get {message names {default ""}} {
    foreach name $names {
        if {[dict exists $message $name]} {return [dict get $message $name]}
    }
    return $default
}
proc ::kafka::message::key {message} {Get $message key}
proc ::kafka::message::value {message} {Get $message payload}
proc ::kafka::message::raw_key {message} {Get $message {raw_key key}}
proc ::kafka::message::raw_value {message} {Get $message {raw_payload payload}}
proc ::kafka::message::topic {message} {Get $message topic}
proc ::kafka::message::partition {message} {Get $message partition}
proc ::kafka::message::offset {message} {Get $message offset}
proc ::kafka::message::timestamp {message} {Get $message timestamp}
proc ::kafka::message::timestamp_type {message} {Get $message timestamp_type}
proc ::kafka::message::headers {message} {Get $message headers}
proc ::kafka::message::tombstone {message} {Get $message tombstone 0}

# header message name -- the values of a header, for a name may come several times.
proc ::kafka::message::header {message name} {
    set values {}
    foreach {header value} [Get $message headers] {
        if {$header eq $name} {lappend values $value}
    }
    return $values
}
