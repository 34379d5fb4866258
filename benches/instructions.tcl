# instructions.tcl ?-count n? ?-size bytes? ?row ...? -- the instructions that one
# message costs the thread of the script, counted by valgrind's callgrind.
#
# A busy machine changes microseconds but hardly instructions, so a change that costs
# shows here: compare with the table in BASELINE.md. What is counted lies between the two
# readings of the clock in row.tcl (`::kafka::internal cpu`), in the thread of the script
# alone: the package, the part of librdkafka that runs in this thread, and Tcl with the
# script's own loop or body. Each row runs with n messages and with four times as many,
# and the difference is divided by 3n: what happens once (the dynamic linker's first
# calls, a topic's first metadata) is not a message's.

package require kafka

set here [file dirname [file normalize [info script]]]
set tclsh [info nameofexecutable]
set count 20000
set size 100
set rows {}
for {set i 0} {$i < $argc} {incr i} {
    switch -glob -- [lindex $argv $i] {
        -count {set count [lindex $argv [incr i]]}
        -size {set size [lindex $argv [incr i]]}
        -* {
            puts stderr "usage: instructions.tcl ?-count n? ?-size bytes? ?row ...?"
            exit 2
        }
        default {lappend rows [lindex $argv $i]}
    }
}
if {$rows eq ""} {set rows {topic-batch queue-count topic-read subscriber-consume produce reports}}
if {[auto_execok valgrind] eq ""} {
    puts stderr "valgrind is missing: apt-get install valgrind"
    exit 1
}

# Where callgrind begins a new account: the command that reads the clock.
set clock *kafka::cmd::internal::cpu*
# Under valgrind everything is some fifty times slower, prefetching too.
set env(BENCH_PREFETCH) 20000

set host [open |[list $tclsh [file join $here host.tcl]] r+]
fconfigure $host -buffering line
gets $host bootstrap

proc topic {name} {
    puts $::host [list create $name 1]
    gets $::host
    return $name
}

# The topic that the reading rows share.
proc fill {name} {
    ::kafka::kafka create m
    m config bootstrap.servers $::bootstrap compression.codec lz4 linger.ms 50
    m producer_creator p
    p new_topic t $name
    set payload [string repeat x $::size]
    for {set i 0} {$i < 4 * $::count} {incr i} {t produce 0 $payload -block 60000}
    if {[p flush 60000]} {error "topic $name could not be filled"}
    p delete
    m delete
}

# The instructions of one message.
proc count {row} {
    set few [instructions $row $::count]
    set many [instructions $row [expr {4 * $::count}]]
    return [expr {($many - $few) / (3.0 * $::count)}]
}

# The sum of the account of the script's thread between the two readings.
proc instructions {row messages} {
    set dir [file join [pwd] .callgrind-[pid]]
    file mkdir $dir
    # The embedded cluster keeps 5 MiB of a partition: a topic for each run that fills one.
    set name [expr {$row in {produce produce-batch reports} ? [topic $row-[pid]-$messages] : "full"}]
    try {
        exec -ignorestderr valgrind --quiet --tool=callgrind --separate-threads=yes \
            --dump-before=$::clock --callgrind-out-file=$dir/out \
            $::tclsh [file join $::here row.tcl] $row $::bootstrap $name 1 $messages $::size \
            2>@stderr
        # Account 1 ends at the first reading, account 2 at the second; thread 01 is the script's.
        set f [open $dir/out.2-01]
        set text [read $f]
        close $f
        if {![regexp -line {^(?:totals|summary): (\d+)} $text -> sum]} {
            error "callgrind's account of row $row has no total"
        }
        return $sum
    } finally {
        file delete -force $dir
    }
}

topic full
fill full
puts "$size bytes, 1 partition, $count messages: instructions per message in the script's thread"
foreach row $rows {
    puts [format "%-20s %6.0f" $row [count $row]]
    flush stdout
}
close $host
