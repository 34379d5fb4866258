# cli_produce.tcl -- part of kafka::cli: kafkat produce.

namespace eval ::kafka::cli {
    # What a run of produce knows.
    variable p
    array set p {}
}

proc ::kafka::cli::Do.produce {options files} {
    variable p
    array unset p
    array set p {sent 0 failed 0 reason "" done 0 number 0 rest "" problem ""}
    set p(topic) [Opt $options -t]
    set p(json) [dict exists $options -J]
    if {$p(topic) eq "" && !$p(json)} {Usage "no topic: give -t TOPIC"}
    set p(partition) [Number $options -p -1]
    set p(count) [Number $options -c 1 0]
    set p(delimiter) [Delimiter [Opt $options -D \\n]]
    if {$p(delimiter) eq ""} {Usage "-D wants at least one character"}
    set p(key_delimiter) [Delimiter [Opt $options -K]]
    set p(tee) [dict exists $options -T]
    set p(null) [dict exists $options -Z]
    if {$p(json)} {
        foreach option {-K -k -H -Z} {
            if {[dict exists $options $option]} {Usage "-J and $option exclude each other"}
        }
    }
    # What each message has. A key of its own comes later, so it counts.
    set p(extra) {}
    if {[dict exists $options -k]} {lappend p(extra) -key [Bytes [dict get $options -k]]}
    set headers {}
    set nulls {}
    foreach word [Opt $options -H] {
        if {![regexp {^([^=]+)(=(.*))?$} $word - key assigned value]} {Usage "-H wants NAME=VALUE"}
        if {$assigned eq ""} {lappend nulls [expr {[llength $headers] / 2}]}
        lappend headers $key [Bytes $value]
    }
    if {[llength $headers]} {lappend p(extra) -headers $headers -null_headers $nulls}
    set lines [expr {![llength $files] || [dict exists $options -l]}]
    if {!$lines && ($p(json) || $p(tee))} {Usage "-J and -T want -l with files"}

    Interruptible
    set master [Master $options]
    if {[dict exists $options -z]} {$master config compression.codec [dict get $options -z]}
    set producer [$master producer_creator ::kafka::cli::producer]
    $producer delivery_report callback ::kafka::cli::Reported
    # A failed delivery is always reported; nobody asks for the others.
    $producer delivery_report every 1000000000
    Reach $producer $options
    set transaction [expr {[$producer client_config transactional.id] ne ""}]
    if {$transaction} {
        $producer init_transactions
        $producer begin_transaction
    }
    try {
        if {!$lines} {
            foreach file $files {
                if {$p(count) && $p(sent) >= $p(count)} break
                SendFile $file
            }
        } elseif {[llength $files]} {
            foreach file $files {SendLines [OpenFile $file]}
        } else {
            SendLines stdin
        }
    } on error {message problem} {
        # What was read before it is sent.
        if {$transaction} {catch {$producer abort_transaction}} else {catch {Drain $producer}}
        return -options $problem $message
    }
    Drain $producer
    if {$transaction} {
        if {$p(failed) || $p(problem) ne ""} {
            $producer abort_transaction
        } else {
            $producer commit_transaction
        }
    }
    Flush
    $producer close
    Clear
    Note "[Grouped [expr {$p(sent) - $p(failed)}]] messages delivered"
    if {$p(failed)} {Fail "[Grouped $p(failed)] of [Grouped $p(sent)] messages were not delivered: $p(reason)"}
    if {$p(problem) ne ""} {Fail $p(problem)}
}

# Reported report -- a delivery report; of interest when the delivery has failed.
proc ::kafka::cli::Reported {report} {
    variable p
    if {![dict exists $report error]} {return}
    incr p(failed)
    set p(reason) [ErrorWords $report]
}

# Drain producer -- wait until all is delivered or has failed.
proc ::kafka::cli::Drain {producer} {
    while {[$producer flush 500]} {
        Progress "[Grouped [$producer output_queue_length]] messages to be delivered"
        CheckFatal
    }
}

# OpenFile file -- a channel of bytes.
proc ::kafka::cli::OpenFile {file} {
    try {
        set channel [open $file rb]
    } trap POSIX {message} {
        Fail $message
    }
    return $channel
}

# SendFile file -- a whole file as one message; one that can't be read does not end the others.
proc ::kafka::cli::SendFile {file} {
    variable p
    try {
        set channel [open $file rb]
        set payload [read $channel]
        close $channel
    } trap POSIX {message} {
        Complain $message
        set p(problem) "not all files could be sent"
        return
    }
    if {$payload eq ""} {
        Note "$file is empty and was not sent"
        return
    }
    Send $p(topic) $p(partition) $payload {*}$p(extra)
}

# SendLines channel -- the messages of a channel, as they come in.
proc ::kafka::cli::SendLines {channel} {
    variable p
    set p(done) 0
    set p(rest) ""
    set p(look) 0
    if {$p(count) && $p(sent) >= $p(count)} {return}
    # A terminal gives lines by itself, and would stay as we leave it for the shell if we are killed.
    set p(terminal) [Terminal $channel]
    chan configure $channel -translation binary -blocking $p(terminal)
    chan event $channel readable [list ::kafka::cli::Readable $channel]
    try {
        # A signal's handler runs between events, and wakes nobody: hence the timer.
        Tick
        while {!$p(done)} {
            vwait ::kafka::cli::p(done)
            if {$::kafka::cli::interrupted} {set p(problem) "interrupted"}
        }
    } finally {
        chan event $channel readable {}
        after cancel ::kafka::cli::Tick
        # The other end of a terminal or pipe may be somebody else's, too.
        catch {chan configure $channel -blocking 1}
        if {$channel ne "stdin"} {close $channel}
    }
    if {[info exists p(error)]} {
        lassign $p(error) message problem
        unset p(error)
        return -options $problem $message
    }
}

# Tick -- look now and then whether there was a signal.
proc ::kafka::cli::Tick {} {
    variable p
    variable interrupted
    if {$interrupted} {
        set p(done) 1
        return
    }
    after cancel ::kafka::cli::Tick
    after 200 ::kafka::cli::Tick
}

# Readable channel -- take what is there.
proc ::kafka::cli::Readable {channel} {
    variable p
    variable interrupted
    if {$interrupted} {
        set p(done) 1
        return
    }
    try {
        CheckFatal
        if {!$p(terminal)} {
            append p(rest) [read $channel 65536]
        } elseif {[gets $channel line] >= 0} {
            append p(rest) $line\n
        }
        set from 0
        set width [string length $p(delimiter)]
        set look $p(look)
        while {[set to [string first $p(delimiter) $p(rest) $look]] >= 0} {
            Line [string range $p(rest) $from $to-1]
            set look [set from [expr {$to + $width}]]
            if {$p(done)} {return}
        }
        if {$from} {set p(rest) [string range $p(rest) $from end]}
        # What was looked through is not looked through again; a delimiter may lie across two reads.
        set p(look) [expr {max(0, [string length $p(rest)] - $width + 1)}]
        if {[eof $channel]} {
            if {$p(rest) ne ""} {Line $p(rest)}
            set p(done) 1
        }
        if {$p(tee)} {Flush}
        # Who types sees what was sent.
        if {!$p(terminal)} {Progress "[Grouped $p(sent)] messages sent"}
    } on error {message problem} {
        set p(error) [list $message $problem]
        set p(done) 1
    }
}

# Line bytes -- one message of the input. As with kcat, an empty line is none.
proc ::kafka::cli::Line {bytes} {
    variable p
    incr p(number)
    if {$bytes eq ""} {return}
    if {$p(json)} {
        SendJson $bytes
    } else {
        set more $p(extra)
        set payload $bytes
        if {$p(key_delimiter) ne "" && [set at [string first $p(key_delimiter) $bytes]] >= 0} {
            set key [string range $bytes 0 $at-1]
            set payload [string range $bytes [expr {$at + [string length $p(key_delimiter)]}] end]
            if {$key ne "" || !$p(null)} {lappend more -key $key}
            if {$payload eq "" && $p(null)} {lappend more -tombstone 1}
        }
        Send $p(topic) $p(partition) $payload {*}$more
    }
    if {$p(tee)} {Put $bytes$p(delimiter)}
    if {$p(count) && $p(sent) >= $p(count)} {set p(done) 1}
}

# Send topic partition payload ?-option value ...? -- queue a message, and wait for room.
proc ::kafka::cli::Send {topic partition payload args} {
    variable p
    if {$partition eq ""} {set partition -1}
    if {![info exists p(topic,$topic)]} {
        set p(topic,$topic) [producer new_topic #auto $topic]
    }
    $p(topic,$topic) produce $partition $payload -block -1 {*}$args
    incr p(sent)
}

# SendJson line -- a message as "consume -J" writes it.
proc ::kafka::cli::SendJson {line} {
    variable p
    try {
        set message [JsonRead $line]
        set topic $p(topic)
        if {$topic eq ""} {set topic [Text [JsonField $message topic string]]}
        if {$topic eq ""} {JsonBad "it has no topic, and there is no -t"}
        set partition $p(partition)
        if {$partition eq ""} {set partition [JsonField $message partition number -1]}
        if {![string is integer -strict $partition] || $partition < -1} {
            JsonBad "its partition is none"
        }
        set words {}
        set time [JsonField $message ts number]
        if {$time ne "" && (![string is entier -strict $time] || $time < 0)} {JsonBad "its ts is no time"}
        if {$time ne ""} {lappend words -timestamp $time}
        set headers {}
        set nulls {}
        if {[dict exists $message headers]} {
            lassign [dict get $message headers] kind list
            if {$kind ne "list" || [llength $list] % 2} {
                JsonBad "its headers are no list of names and values"
            }
            foreach {name value} $list {
                if {[lindex $name 0] ne "string" || $value ne {word null} && [lindex $value 0] ne "string"} {
                    JsonBad "its headers are no list of names and values"
                }
                if {$value eq {word null}} {
                    lappend nulls [expr {[llength $headers] / 2}]
                    set value {string {}}
                }
                lappend headers [Text [lindex $name 1]] [lindex $value 1]
            }
        }
        if {[llength $headers]} {lappend words -headers $headers -null_headers $nulls}
        if {[dict exists $message key] && [dict get $message key] ne {word null}} {
            lappend words -key [JsonField $message key string]
        }
        set payload [JsonField $message payload string]
        if {![dict exists $message payload] || [dict get $message payload] eq {word null}} {
            lappend words -tombstone 1
        }
    } trap {KAFKAT JSON} {what} {
        Fail "line $p(number) can't be sent: $what"
    }
    Send $topic $partition $payload {*}$words
}

# JsonField message name kind ?default? -- a field that has to be of a kind; null is as if it were
# not there.
proc ::kafka::cli::JsonField {message name kind {default ""}} {
    if {![dict exists $message $name] || [dict get $message $name] eq {word null}} {return $default}
    lassign [dict get $message $name] found value
    if {$found ne $kind} {JsonBad "its $name is no $kind"}
    return $value
}
