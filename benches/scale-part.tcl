# scale-part.tcl PART BOOTSTRAP ?arg ...? -- one part of scale.tcl.

package require kafka

set rest [lassign $argv part bootstrap]

proc rss {} {
    set f [open /proc/self/statm]
    set pages [lindex [read $f] 1]
    close $f
    return [expr {$pages * 4096 / 1048576.0}]
}

# CPU of the whole process in milliseconds, and how often its threads went to sleep by choice.
proc usage {} {
    set f [open /proc/self/stat]
    set fields [lrange [regsub {^.*\) } [read $f] {}] 0 end]
    close $f
    set switches 0
    foreach status [glob -nocomplain /proc/self/task/*/status] {
        if {[catch {open $status} f]} continue
        regexp -line {^voluntary_ctxt_switches:\s+(\d+)} [read $f] -> n
        close $f
        incr switches $n
    }
    return [list [expr {([lindex $fields 11] + [lindex $fields 12]) * 10}] $switches]
}

proc wait {ms} {
    after $ms {set ::waited 1}
    vwait ::waited
}

proc master {args} {
    set m [::kafka::kafka create #auto]
    $m config bootstrap.servers $::bootstrap {*}$args
    return $m
}

# Messages through one subscriber while a producer of the same process keeps up with it: the
# embedded cluster keeps 5 MiB of a partition, so what is sent and not yet read is bounded.
proc part-stream {count} {
    set p [[master compression.codec lz4 linger.ms 5] producer_creator #auto]
    set s [[master group.id scale auto.offset.reset earliest] subscriber #auto]
    set ::seen 0
    $s callback {apply {m {incr ::seen}}}
    $s assign {*}[lmap n {0 1 2 3 4 5 6 7} {list big $n beginning}]
    set batch [lrepeat 1000 [list [string repeat x 100]]]
    set t [$p new_topic #auto big]
    set sent 0
    set wall [clock milliseconds]
    set marks {}
    while {$::seen < $count} {
        if {$sent < $count && $sent - $::seen < 100000} {
            $t produce_batch [expr {$sent / 1000 % 8}] $batch
            incr sent 1000
            update
        } else {
            after 20 {set ::more 1}
            vwait ::more
        }
        if {$::seen >= $count * ([llength $marks] + 1) / 10} {
            lappend marks [format %.0f [rss]]
        }
    }
    set s [expr {([clock milliseconds] - $wall) / 1000.0}]
    puts [format "stream: %d messages produced and consumed in %.0f s (%.0f/s); MiB resident after each tenth: %s" \
        $count $s [expr {$count / $s}] $marks]
}

# Handles whose partitions have their queues full, and nobody who reads.
proc part-idle {handles backoff seconds} {
    set payload [string repeat x 1000]
    set m [master linger.ms 5]
    set p [$m producer_creator #auto]
    for {set i 0} {$i < $handles} {incr i} {
        set n [$p info partitions idle$i]
        for {set k 0} {$k < $n} {incr k} {
            for {set j 0} {$j < 10} {incr j} {$p send idle$i $payload -partition $k}
        }
    }
    $p flush 60000
    $p delete
    set partitions 0
    for {set i 0} {$i < $handles} {incr i} {
        set c [[master group.id scale fetch.queue.backoff.ms $backoff queued.min.messages 5] consumer_creator #auto]
        set t [$c new_topic #auto idle$i]
        set n [$c info partitions idle$i]
        for {set k 0} {$k < $n} {incr k} {
            $t start $k beginning
            incr partitions
        }
    }
    wait 5000
    lassign [usage] cpu0 switches0
    wait [expr {$seconds * 1000}]
    lassign [usage] cpu switches
    puts [format "idle: %d handles, %d partitions with full queues, fetch.queue.backoff.ms %d: %.1f %% of a CPU, %.0f wakes/s of all threads, %.0f MiB resident" \
        $handles $partitions $backoff [expr {($cpu - $cpu0) / ($seconds * 10.0)}] \
        [expr {($switches - $switches0) / double($seconds)}] [rss]]
}

proc part-large {} {
    set size [expr {10 * 1024 * 1024}]
    set p [[master message.max.bytes 20000000 compression.codec lz4] producer_creator #auto]
    set payload [string repeat 0123456789abcdef [expr {$size / 16}]]
    set start [clock milliseconds]
    $p send large $payload -wait 60000
    set sent [expr {[clock milliseconds] - $start}]
    set c [[master group.id scale fetch.message.max.bytes 20000000] consumer_creator #auto]
    set t [$c new_topic #auto large]
    $t start 0 beginning
    set start [clock milliseconds]
    set got [lindex [$t consume_list 0 60000 1 -fields payload] 0]
    puts [format "large: a message of %d bytes was delivered in %d ms and read in %d ms, %s" \
        $size $sent [expr {[clock milliseconds] - $start}] \
        [expr {$got eq $payload ? "byte for byte" : "CHANGED"}]]
}

# Interpreters in threads, each with a producer and a consumer of its own.
proc part-threads {count} {
    package require Thread
    set body {
        package require kafka
        proc run {bootstrap id} {
            set m [::kafka::kafka create #auto]
            $m config bootstrap.servers $bootstrap group.id scale$id
            set p [$m producer_creator #auto]
            for {set i 0} {$i < 100} {incr i} {$p send threads $id.$i -partition [expr {$id % 4}]}
            if {[$p flush 60000]} {error "not flushed"}
            set c [$m consumer_creator #auto]
            set t [$c new_topic #auto threads]
            set partition [expr {$id % 4}]
            $t start $partition beginning
            set seen 0
            while {$seen < 100} {
                foreach text [$t consume_list $partition 10000 1000 -fields payload] {
                    if {[string match $id.* $text]} {incr seen}
                }
            }
            $p delete
            $c delete
            $m delete
            return $seen
        }
        thread::wait
    }
    set start [clock milliseconds]
    set threads {}
    for {set i 0} {$i < $count} {incr i} {lappend threads [thread::create -joinable $body]}
    set i 0
    foreach t $threads {thread::send -async $t [list run $::bootstrap [incr i]] ::done($t)}
    set most 0
    foreach t $threads {
        if {![info exists ::done($t)]} {vwait ::done($t)}
        set most [expr {max($most, [rss])}]
        if {$::done($t) != 100} {error "thread $t: $::done($t)"}
    }
    foreach t $threads {
        thread::release $t
        thread::join $t
    }
    puts [format "threads: %d interpreters in %d threads, each with its own producer and consumer, 100 messages each: %.1f s, %.0f MiB resident" \
        $count $count [expr {([clock milliseconds] - $start) / 1000.0}] $most]
}

# So many messages in eight partitions of topic full.
proc fill {count size} {
    set p [[master compression.codec lz4 linger.ms 50] producer_creator #auto]
    set t [$p new_topic #auto full]
    set payload [string repeat x $size]
    for {set i 0} {$i < $count} {incr i} {$t produce [expr {$i % 8}] $payload -block 60000}
    if {[$p flush 60000]} {error "not flushed"}
    $p delete
}

proc readAll {callback} {
    set s [[master group.id scale] subscriber #auto]
    $s callback $callback
    $s assign {*}[lmap n {0 1 2 3 4 5 6 7} {list full $n beginning}]
    return $s
}

# How late a timer of 10 ms is while everything drains.
proc part-timer {count} {
    fill $count 20
    proc tick {due} {
        set now [clock microseconds]
        lappend ::late [expr {($now - $due) / 1000.0}]
        after 10 [list tick [expr {[clock microseconds] + 10000}]]
    }
    set ::seen 0
    readAll [list apply {{count m} {
        if {[incr ::seen] == $count} {set ::over 1}
    }} $count]
    after 10 [list tick [expr {[clock microseconds] + 10000}]]
    vwait ::over
    set late [lsort -real $::late]
    puts [format "timer: %d ticks of 10 ms while %d messages drained: %.1f ms late at the median, %.1f ms at most" \
        [llength $late] $count [lindex $late [expr {[llength $late] / 2}]] [lindex $late end]]
}

# How often the script's thread wakes when there is nothing to do.
proc part-quiet {seconds} {
    set p [[master] producer_creator #auto]
    $p delivery_report callback {apply {r {}}}
    $p send quiet x -wait 10000
    set c [[master group.id scale] consumer_creator #auto]
    set t [$c new_topic #auto quiet]
    set ::got 0
    $t start 0 beginning {apply {m {incr ::got}}}
    while {!$::got} {vwait ::got}
    wait 3000
    proc woken {} {
        set f [open /proc/self/task/[pid]/status]
        regexp -line {^voluntary_ctxt_switches:\s+(\d+)} [read $f] -> n
        close $f
        return $n
    }
    set before [woken]
    wait [expr {$seconds * 1000}]
    # The wait's own end is one.
    puts [format "quiet: a producer and a started partition wake the script's thread %.1f times a second when idle" \
        [expr {([woken] - $before - 1) / double($seconds)}]]
}

# What a callback of 1 ms lets pile up.
proc part-slow {seconds} {
    fill 400000 100
    set before [rss]
    set ::n 0
    readAll {apply {m {
        incr ::n
        set end [expr {[clock microseconds] + 1000}]
        while {[clock microseconds] < $end} {}
    }}}
    set most 0
    for {set i 0} {$i < $seconds} {incr i} {
        wait 1000
        set most [expr {max($most, [rss])}]
    }
    puts [format "slow: %d calls of 1 ms each with 400,000 messages waiting: %.0f MiB resident before, %.0f at most" \
        $::n $before $most]
}

# What the package adds to the start of tclsh: the least of 30, in milliseconds.
proc part-start {} {
    proc least {script} {
        set least inf
        for {set i 0} {$i < 30} {incr i} {
            set t [clock microseconds]
            exec [info nameofexecutable] << $script
            set least [expr {min($least, ([clock microseconds] - $t) / 1000.0)}]
        }
        return $least
    }
    set bare [least exit]
    puts [format "start: tclsh %.1f ms, with package require kafka %.1f ms more" \
        $bare [expr {[least "package require kafka; exit"] - $bare}]]
}

part-$part {*}$rest
