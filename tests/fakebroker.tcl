# fakebroker.tcl -- a broker of a few requests, for what the embedded cluster lacks:
# SASL OAUTHBEARER, throttling, a topic that grows. It is run by a child process, so
# that it answers while the test is in a blocking call:
#
#     set h [childStart -bare 1 [list source .../fakebroker.tcl]]
#     set bootstrap 127.0.0.1:[childLine $h]
#
# Each line on its stdin is evaluated and answered by one line with the result. Every
# topic exists. Versions are the last ones before Kafka's compact encodings.

namespace eval fake {
    variable sasl 0             ;# ask for authentication first
    variable refuse ""          ;# refuse it, with this text
    variable throttle 0         ;# ms, in answers to Produce
    variable silent 0           ;# accept connections and never answer
    variable partitions 3       ;# of every topic
    variable topicError 0       ;# error code of every topic in Metadata
    variable fetchTime 20       ;# ms that an answer to Fetch takes
    variable log {}             ;# what came: {request data} ...
    variable port 0
    variable buffer             ;# channel -> bytes that are no whole frame yet
    variable offsets            ;# topic,partition -> next offset
    variable lose ""            ;# answers to Produce: before, after or both: close the connection
                                ;# instead, before or after the batch is written
    variable odds 10            ;# so often, one of so many
    variable lost 0             ;# how often that was
    variable coordinates 0      ;# be the coordinator of all groups
    variable moving 0           ;# so many answers of a coordinator say that it is not the one
    variable nobody 0           ;# so many answers to Metadata list no broker; then all connections end
}
source [file join [file dirname [info script]] fakelog.tcl]

# What is understood: key {name oldest newest}.
set fake::apis {
    0 {Produce 0 3} 1 {Fetch 0 4} 3 {Metadata 0 4} 9 {OffsetFetch 2 2} 10 {FindCoordinator 0 0} 15 {DescribeGroups 0 0}
    17 {SaslHandshake 0 1} 18 {ApiVersions 0 0} 22 {InitProducerId 0 0} 36 {SaslAuthenticate 0 0}
}

# ---------------------------------------------------------------- encoding

proc fake::str {s} {
    set bytes [encoding convertto utf-8 $s]
    return [binary format Sa* [string length $bytes] $bytes]
}

proc fake::bytes {b} {
    return [binary format Ia* [string length $b] $b]
}

proc fake::array {items} {
    return [binary format I [llength $items]][join $items ""]
}

# take type -- the next value of the request in the caller's `rest`.
proc fake::take {type} {
    upvar 1 rest rest
    set sizes {int8 1 int16 2 int32 4 int64 8}
    switch -- $type {
        string {
            set n [take int16]
            if {$n < 0} {return ""}
            set out [encoding convertfrom utf-8 [string range $rest 0 [expr {$n - 1}]]]
            set rest [string range $rest $n end]
            return $out
        }
        bytes {
            set n [take int32]
            if {$n < 0} {return ""}
            set out [string range $rest 0 [expr {$n - 1}]]
            set rest [string range $rest $n end]
            return $out
        }
    }
    binary scan $rest [dict get {int8 c int16 S int32 I int64 W} $type] out
    set rest [string range $rest [dict get $sizes $type] end]
    return $out
}

# ---------------------------------------------------------------- requests

proc fake::accept {channel args} {
    variable buffer
    fconfigure $channel -translation binary -blocking 0 -buffering full
    set buffer($channel) ""
    fileevent $channel readable [list fake::readable $channel]
}

proc fake::readable {channel} {
    variable buffer
    variable silent
    append buffer($channel) [read $channel]
    if {[eof $channel]} {
        close $channel
        unset buffer($channel)
        return
    }
    while {!$silent && [binary scan $buffer($channel) I size] == 1
            && [string length $buffer($channel)] >= $size + 4} {
        set frame [string range $buffer($channel) 4 [expr {$size + 3}]]
        set buffer($channel) [string range $buffer($channel) [expr {$size + 4}] end]
        lassign [request $frame] time answer
        if {$answer eq ""} {
            close $channel
            unset buffer($channel)
            return
        }
        if {$time} {
            after $time [list fake::answer $channel $answer]
        } else {
            answer $channel $answer
        }
    }
}

proc fake::answer {channel answer} {
    variable buffer
    if {![info exists buffer($channel)]} return
    puts -nonewline $channel [bytes $answer]
    flush $channel
}

# hangUp -- close all connections.
proc fake::hangUp {} {
    variable buffer
    foreach channel [::array names buffer] {close $channel}
    ::array unset buffer
}

# request frame -- how long the answer takes, and the answer; nothing for a request that
# is not understood, or is to have none.
proc fake::request {frame} {
    variable apis
    variable fetchTime
    binary scan $frame SSI key version id
    set rest [string range $frame 8 end]
    take string
    set head [binary format I $id]
    if {![dict exists $apis $key]} return
    lassign [dict get $apis $key] name oldest newest
    if {$version > $newest} {
        # Only ApiVersions may be newer than we know: the client asks again, older.
        return [list 0 $head[apiVersions 35]]
    }
    set body [$name $version $rest]
    if {$body eq ""} return
    return [list [expr {$name eq "Fetch" ? $fetchTime : 0}] $head$body]
}

proc fake::apiVersions {error} {
    variable apis
    variable sasl
    set rows {}
    dict for {key row} $apis {
        lassign $row name oldest newest
        if {$sasl || ![string match Sasl* $name]} {
            lappend rows [binary format SSS $key $oldest $newest]
        }
    }
    return [binary format S $error][array $rows]
}

proc fake::ApiVersions {version rest} {
    return [apiVersions 0]
}

proc fake::SaslHandshake {version rest} {
    variable log
    lappend log [list handshake [take string]]
    return [binary format S 0][array [list [str OAUTHBEARER]]]
}

proc fake::SaslAuthenticate {version rest} {
    variable log
    variable refuse
    # Control characters made readable: the fields of the message end with \1.
    lappend log [list token [string map {\1 |} [take bytes]]]
    if {$refuse ne ""} {return [binary format S 58][str $refuse][bytes ""]}
    return [binary format S 0][binary format S -1][bytes ""]
}

proc fake::Metadata {version rest} {
    variable log
    variable port
    variable partitions
    variable topicError
    variable nobody
    set n [take int32]
    set names {}
    for {set i 0} {$i < $n} {incr i} {lappend names [take string]}
    lappend log [list metadata $names]
    set leader 1
    if {$nobody > 0} {
        incr nobody -1
        set leader -1
        after idle fake::hangUp
    }
    set topics [lmap name $names {
        set rows {}
        for {set p 0} {$p < $partitions && !$topicError} {incr p} {
            set ids [array [list [binary format I 1]]]
            lappend rows [binary format SII [expr {$leader < 0 ? 5 : 0}] $p $leader]$ids$ids
        }
        string cat [binary format S $topicError] [str $name] \0 [array $rows]
    }]
    set broker [binary format I 1][str 127.0.0.1][binary format IS $port -1]
    set brokers [expr {$leader < 0 ? {} : [list $broker]}]
    set out [expr {$version >= 3 ? [binary format I 0] : ""}][array $brokers]
    append out [expr {$version >= 2 ? [str cluster] : ""}]
    append out [binary format I $leader][array $topics]
    return $out
}

proc fake::Produce {version rest} {
    variable log
    variable throttle
    variable lose
    variable odds
    variable lost
    set hangUp ""
    if {$lose ne "" && rand() * $odds < 1} {
        incr lost
        set hangUp [expr {$lose ne "both" ? $lose : rand() < 0.5 ? "before" : "after"}]
    }
    if {$hangUp eq "before"} return
    if {$version >= 3} {take string}
    take int16
    take int32
    set topics {}
    for {set t [take int32]} {$t > 0} {incr t -1} {
        set name [take string]
        set rows {}
        for {set p [take int32]} {$p > 0} {incr p -1} {
            set partition [take int32]
            lassign [write $name $partition [take bytes]] error offset count
            lappend log [list produce $name $partition $count]
            lappend rows [binary format ISWW $partition $error $offset -1]
        }
        lappend topics [str $name][array $rows]
    }
    if {$hangUp ne ""} return
    return [array $topics][binary format I $throttle]
}

proc fake::Fetch {version rest} {
    variable throttle
    return [binary format I $throttle][array {}]
}

proc fake::InitProducerId {version rest} {
    variable producers
    return [binary format ISWS 0 0 [incr producers] 0]
}

# There is no group coordinator, unless one is wanted.
proc fake::FindCoordinator {version rest} {
    variable coordinates
    variable port
    if {$coordinates} {return [binary format SI 0 1][str 127.0.0.1][binary format I $port]}
    return [binary format SI 15 -1][str ""][binary format I -1]
}

# moved -- the error of a coordinator's answer.
proc fake::moved {} {
    variable moving
    if {$moving <= 0} {return 0}
    incr moving -1
    return 16
}

proc fake::DescribeGroups {version rest} {
    variable log
    take int32
    set group [take string]
    set error [moved]
    lappend log [list described $error]
    return [array [list [binary format S $error][str $group][str Empty][str ""][str ""][array {}]]]
}

# Each partition that is asked for has committed 5.
proc fake::OffsetFetch {version rest} {
    take string
    set topics {}
    for {set t [take int32]} {$t > 0} {incr t -1} {
        set name [take string]
        set rows {}
        for {set p [take int32]} {$p > 0} {incr p -1} {
            lappend rows [binary format IW [take int32] 5][str ""][binary format S 0]
        }
        lappend topics [str $name][array $rows]
    }
    return [array $topics][binary format S [moved]]
}

# ---------------------------------------------------------------- tokens by OIDC

# endpoint -- serve tokens by HTTP; the port.
proc fake::endpoint {} {
    lindex [fconfigure [socket -server fake::visitor -myaddr 127.0.0.1 0] -sockname] 2
}

proc fake::visitor {channel args} {
    fconfigure $channel -translation crlf -blocking 0
    fileevent $channel readable [list fake::visit $channel]
}

proc fake::visit {channel} {
    variable log
    if {[gets $channel line] > 0} return
    if {[eof $channel]} {
        close $channel
        return
    }
    if {$line ne "" || [fblocked $channel]} return
    # The head is over; what was posted is not looked at.
    lappend log [list oidc]
    set now [clock seconds]
    set claims "{\"sub\":\"me\",\"iat\":$now,\"exp\":[expr {$now + 3600}]}"
    set part {text {string map {+ - / _ = {}} [binary encode base64 $text]}}
    set token [apply $part {{"alg":"none"}}].[apply $part $claims].c2ln
    set body "{\"access_token\":\"$token\",\"token_type\":\"bearer\",\"expires_in\":3600}"
    puts $channel "HTTP/1.1 200 OK\nContent-Type: application/json"
    puts $channel "Content-Length: [string length $body]\nConnection: close\n"
    puts -nonewline $channel $body
    close $channel
}

# ---------------------------------------------------------------- commands

# seen kind -- what came of that kind.
proc fake::seen {kind} {
    variable log
    return [lmap entry $log {
        if {[lindex $entry 0] ne $kind} continue
        lrange $entry 1 end
    }]
}

proc fake::command {} {
    if {[gets stdin line] < 0} {
        if {[eof stdin]} exit
        return
    }
    puts [list [namespace eval ::fake $line]]
}

fconfigure stdin -blocking 0
fconfigure stdout -buffering line
fileevent stdin readable fake::command
set fake::port [lindex [fconfigure [socket -server fake::accept -myaddr 127.0.0.1 0] -sockname] 2]
puts $fake::port
vwait forever
