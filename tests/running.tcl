# running.tcl -- what the tests of bin/kafkat share; source it after helper.tcl.

namespace eval running {
    variable producer ""
    namespace export program kafkat kcat scratch contents everyByte writer topicWith messages read0 signalPipe
}

proc running::program {} {
    file join $::helper::root bin kafkat
}

# scratch name ?bytes? -- the path of a file of this process; with bytes, written.
proc running::scratch {name args} {
    set path [file join [::tcltest::temporaryDirectory] $name]
    if {[llength $args]} {
        set channel [open $path wb]
        puts -nonewline $channel [lindex $args 0]
        close $channel
    }
    return $path
}

proc running::contents {path} {
    set channel [open $path rb]
    try {
        return [read $channel]
    } finally {
        close $channel
    }
}

# Run ?-input bytes? ?-env dict? program ?word ...? -- run a program to its end: {status stdout stderr}, stdout
# as bytes. One that hangs is ended after a minute, with status 124.
proc running::Run {args} {
    set input ""
    set environment {}
    while {[lindex $args 0] in {-input -env}} {
        set args [lassign $args option value]
        if {$option eq "-input"} {set input $value} else {set environment $value}
    }
    # None of what the user of this machine has set.
    set words [list env -u KAFKA_BOOTSTRAP -u KAFKAT_CONFIG HOME=[scratch home]]
    dict for {name value} $environment {lappend words $name=$value}
    set limit {}
    if {[auto_execok timeout] ne ""} {set limit [list timeout 60]}
    set status 0
    # A shell's script, so that no word of the program's is taken for one of exec's.
    set quoted [lmap word $args {string cat ' [string map {' '\\''} $word] '}]
    scratch run.sh [encoding convertto utf-8 "exec [join $quoted] <'[scratch in $input]' >'[scratch out]' 2>'[scratch err]'\n"]
    if {[catch {exec {*}$words {*}$limit sh [scratch run.sh]} said problem]} {
        set code [dict get $problem -errorcode]
        if {[lindex $code 0] ne "CHILDSTATUS"} {error "$said: $args"}
        set status [lindex $code 2]
    }
    set err [encoding convertfrom utf-8 [contents [scratch err]]]
    return [list $status [contents [scratch out]] [string trimright $err \n]]
}

# kafkat ?-input bytes? ?-env dict? ?word ...? -- {status stdout stderr}
proc running::kafkat {args} {
    set at 0
    while {[lindex $args $at] in {-input -env}} {incr at 2}
    set words [lrange $args $at end]
    # The embedded cluster does not wake a fetch that waits.
    if {[lindex $words 0] eq "consume"} {set words [linsert $words 1 -X fetch.wait.max.ms=20]}
    Run {*}[lrange $args 0 $at-1] [info nameofexecutable] [program] {*}$words
}

# kcat ?-input bytes? ?word ...? -- likewise, on the cluster made last and without kcat's remarks.
proc running::kcat {args} {
    set at 0
    while {[lindex $args $at] in {-input -env}} {incr at 2}
    set words [lrange $args $at end]
    if {"-C" in $words || "-G" in $words} {set words [linsert $words 0 -X fetch.wait.max.ms=20]}
    Run {*}[lrange $args 0 $at-1] kcat -b $::helper::bootstrap -q {*}$words
}

# everyByte -- all bytes there are, and again the other way.
proc running::everyByte {} {
    set numbers {}
    for {set i 0} {$i < 256} {incr i} {lappend numbers $i}
    return [binary format c*c* $numbers [lreverse $numbers]]
}

# writer -- a producer of the cluster made last.
proc running::writer {} {
    variable producer
    if {$producer eq "" || [info commands $producer] eq ""} {set producer [newProducer linger.ms 0]}
    return $producer
}

# topicWith payload ... -- a topic of one partition with these messages.
proc running::topicWith {args} {
    set topic [newTopic -partitions 1]
    foreach payload $args {[writer] send $topic $payload -wait [slow 10000]}
    return $topic
}

# messages topic fields -- a flat list of these fields of all its messages, by partition.
proc running::messages {topic fields} {
    set consumer [[newMaster enable.partition.eof true] consumer_creator #auto]
    set object [$consumer new_topic #auto $topic]
    set result {}
    try {
        set count [$consumer info partitions $topic]
        for {set p 0} {$p < $count} {incr p} {
            set queue [$consumer create_queue #auto]
            $object start_queue $p beginning $queue
            set ended 0
            while {!$ended} {
                foreach row [Rows [$queue consume_list 5000 1000 -fields [concat end $fields]] \
                        [expr {[llength $fields] + 1}]] {
                    if {[lindex $row 0] eq 1} {
                        set ended 1
                    } else {
                        lappend result {*}[lrange $row 1 end]
                    }
                }
            }
        }
    } finally {
        $consumer delete
    }
    return $result
}

proc running::Rows {list width} {
    set rows {}
    for {set i 0} {$i < [llength $list]} {incr i $width} {
        lappend rows [lrange $list $i [expr {$i + $width - 1}]]
    }
    return $rows
}

# signalPipe name pipe -- send a signal to what an `open |` has started. (A shell has kill, a small
# system may have no program of that name.)
proc running::signalPipe {name pipe} {
    exec sh -c {kill -s "$0" "$1"} $name [lindex [pid $pipe] 0]
}

# read0 topic -- {partition key payload} of each message.
proc running::read0 {topic} {
    Rows [messages $topic {partition key payload}] 3
}

namespace import running::*
