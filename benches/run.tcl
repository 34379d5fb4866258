# run.tcl ?-quick? ?-rounds n? ?-rows pattern? -- the benchmark: what one message costs.
#
# Every row runs in a process of its own, ours, the floor's (the same librdkafka
# without Tcl) and Tcl's own interleaved, round after round, so that a machine that is
# busy for a while is busy for all. PEERS=1 adds confluent-kafka, in Python. The figures are medians of the rounds; CPU is that
# of the one thread that the script runs in, everything prefetched.
#
# With KAFKA_BOOTSTRAP the cluster is that one; otherwise an embedded one in another
# process. Topics are made by automatic creation under names that nothing else uses.

package require kafka

set root [file dirname [file dirname [file normalize [info script]]]]
set here [file join $root benches]
set tclsh [info nameofexecutable]
set floor [file join $root [expr {[info exists env(CARGO_TARGET_DIR)] ? $env(CARGO_TARGET_DIR) : "target"}] \
    release examples floor]

# title, our row, the floor's row, Tcl's row, the peer's; all but ours may be empty.
set table {
    {"topic consume_batch, array and body"   topic-batch        batch         tcl-array {}}
    {"queue consume_batch, array and body"   queue-batch        batch         tcl-array {}}
    {"topic callback that counts"            topic-count        batch         tcl-count {}}
    {"queue callback that counts"            queue-count        batch         tcl-count {}}
    {"topic callback that reads the payload" topic-read         batch         tcl-read  {}}
    {"queue callback that reads the payload" queue-read         batch         tcl-read  {}}
    {"subscriber callback that counts"       subscriber-count   batch         tcl-count {}}
    {"subscriber consume loop"               subscriber-consume poll          {}        poll}
    {"consume_list -fields payload"          subscriber-list    batch         {}        batch}
    {"produce loop"                          produce            produce       {}        produce}
    {"produce_batch of 1000"                 produce-batch      produce_batch {}        {}}
    {"produce + delivery report callback"    reports            reports       {}        reports}
}

set rounds 5
set loads {{100 1} {100 4} {1024 1} {1024 4}}
set pattern *
for {set i 0} {$i < $argc} {incr i} {
    switch -- [lindex $argv $i] {
        -quick {set rounds 3; set loads {{100 1}}}
        -rounds {set rounds [lindex $argv [incr i]]}
        -rows {set pattern [lindex $argv [incr i]]}
        default {
            puts stderr "usage: run.tcl ?-quick? ?-rounds n? ?-rows pattern?"
            exit 2
        }
    }
}

# With PEERS=1, a Python that has confluent-kafka: made once, beside the build.
set python ""
if {[info exists env(PEERS)] && $env(PEERS) eq "1"} {
    set venv [file join $root build peers]
    set python [file join $venv bin python3]
    if {[catch {exec $python -c "import confluent_kafka" 2>@1}]} {
        if {[catch {
            exec python3 -m venv $venv 2>@1
            exec $python -m pip install --quiet confluent-kafka 2>@1
        } why]} {
            puts stderr "PEERS=1: confluent-kafka could not be installed (python3-venv and a network are needed): $why"
            exit 1
        }
    }
    puts "peer: confluent-kafka [exec $python -c {import confluent_kafka as c; print(c.version()[0], "over librdkafka", c.libversion()[0])}]"
}

# Messages per row: half a second of work or less, and what the embedded cluster keeps.
proc countFor {size} {expr {$size > 500 ? 50000 : 200000}}

# ---------------------------------------------------------------- the cluster

source [file join $here cluster.tcl]

# Fills a topic; gives how many partitions it has. Compressed, for the embedded cluster
# keeps 5 MiB of a partition.
proc fill {topic size count partitions} {
    set m [::kafka::kafka create #auto]
    $m config bootstrap.servers $::bootstrap compression.codec lz4 linger.ms 50
    set p [$m producer_creator #auto]
    set partitions [expr {min($partitions, [$p info partitions $topic])}]
    set t [$p new_topic #auto $topic]
    set tail [string repeat x [expr {$size - 10}]]
    for {set i 0} {$i < $count} {incr i} {
        $t produce [expr {$i % $partitions}] [format %010d $i]$tail -block 60000
    }
    if {[$p flush 60000]} {error "topic $topic could not be filled"}
    for {set i 0} {$i < $partitions} {incr i} {
        lassign [$p watermarks $topic $i] low high
        incr kept [expr {$high - $low}]
    }
    if {$kept != $count} {error "the cluster keeps only $kept of $count messages"}
    $p delete
    $m delete
    return $partitions
}

# ---------------------------------------------------------------- figures

# Half the distance of the extremes, in percent of the median.
proc spread {list} {
    set list [lsort -real $list]
    expr {50.0 * ([lindex $list end] - [lindex $list 0]) / [median $list]}
}

# Runs a program of ours or the floor's; notes CPU and wall time under key.
proc measure {key words} {
    lassign [exec -ignorestderr {*}$words 2>@stderr] cpu wall
    lappend ::cpu($key) $cpu
    lappend ::wall($key) $wall
}

proc cell {key} {
    if {![info exists ::cpu($key)]} {return [format "%12s" -]}
    format "%5.2f ±%3.0f %%" [median $::cpu($key)] [spread $::cpu($key)]
}

foreach load $loads {
    lassign $load size partitions
    set count [countFor $size]
    array unset cpu
    array unset wall
    set full [newTopic $partitions]
    set partitions [fill $full $size $count $partitions]
    for {set round 0} {$round < $rounds} {incr round} {
        set done {}
        foreach line $table {
            lassign $line title ours under tcl theirs
            if {![string match $pattern $ours]} continue
            if {$python eq ""} {set theirs ""}
            foreach {kind row} [list ours $ours floor $under tcl $tcl peer $theirs] {
                if {$row eq "" || "$kind $row" in $done} continue
                lappend done "$kind $row"
                set topic $full
                if {[string match produce* $row] || $row eq "reports"} {set topic [newTopic $partitions]}
                set arguments [list $row $bootstrap $topic $partitions $count $size]
                if {$kind eq "floor"} {
                    measure "$kind $row" [list $floor {*}$arguments]
                } elseif {$kind eq "peer"} {
                    measure "$kind $row" [list $python [file join $here peer.py] {*}$arguments]
                } else {
                    measure "$kind $row" [list $tclsh [file join $here row.tcl] {*}$arguments]
                }
            }
        }
    }
    puts ""
    puts "$size bytes, $partitions partition(s), $count messages, $rounds rounds:\
        microseconds of CPU per message, median ± spread"
    puts [format "%-40s %12s %12s %12s %12s %14s" "" "this package" "librdkafka" "Tcl alone" \
        [expr {$python eq "" ? "" : "Python"}] "messages/s"]
    foreach line $table {
        lassign $line title ours under tcl theirs
        if {![info exists cpu(ours\ $ours)]} continue
        puts [format "%-40s %12s %12s %12s %12s %14.0f" $title [cell "ours $ours"] [cell "floor $under"] \
            [cell "tcl $tcl"] [expr {$python eq "" ? "" : [cell "peer $theirs"]}] [expr {1e6 / [median $wall(ours\ $ours)]}]]
        flush stdout
    }
}
if {$host ne ""} {close $host}
