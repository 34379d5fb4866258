# asking.tcl -- requests that are written by hand, for what no client of ours sends.

# What a request's fields look like on the wire. The last three are those of flexible versions.
proc int {bits n} {binary format [dict get {8 c 16 S 32 I 64 W} $bits] $n}
proc text {s} {set s [encoding convertto utf-8 $s]; return [int 16 [string length $s]]$s}
proc bytes {s} {return [int 32 [string length $s]]$s}
proc array_of {args} {return [int 32 [llength $args]][::join $args ""]}
proc varint {n} {
    for {set s ""} {$n >= 128} {set n [expr {$n >> 7}]} {append s [int 8 [expr {$n & 127 | 128}]]}
    return $s[int 8 $n]
}
proc compact {s} {return [varint [expr {[string length $s] + 1}]]$s}
proc compact_array {args} {return [varint [expr {[llength $args] + 1}]][::join $args ""]}

# framed api version body ?flexible? -- a request as it is sent.
proc framed {api version body {flexible 0}} {
    set request [int 16 $api][int 16 $version][int 32 7][text fuzz]
    if {$flexible} {append request [int 8 0]}
    return [bytes $request$body]
}

proc connected {port} {
    set channel [socket 127.0.0.1 $port]
    fconfigure $channel -translation binary -blocking 0
    return $channel
}

# answered channel ?ms? -- the body of the answer that comes within this time, `closed` or `nothing`.
proc answered {channel {ms 10000}} {
    set answer ""
    set end [expr {[clock milliseconds] + $ms}]
    while {[clock milliseconds] < $end} {
        append answer [read $channel]
        if {[binary scan $answer I size] && [string length $answer] >= $size + 4} {
            return [string range $answer 8 [expr {$size + 3}]]
        }
        if {[eof $channel]} {return closed}
        after 5
    }
    return nothing
}

# ask port api version body ?flexible? -- send a request; the answer's body, `closed` or `nothing`.
proc ask {port args} {
    set channel [connected $port]
    try {
        # Who is refused before the end is not read to the end.
        fconfigure $channel -blocking 1
        if {[catch {puts -nonewline $channel [framed {*}$args]; flush $channel}]} {return closed}
        fconfigure $channel -blocking 0
        return [answered $channel]
    } finally {
        catch {close $channel}
    }
}
