# cli_bench.tcl -- part of kafka::cli: kafkat bench.

proc ::kafka::cli::Do.bench {options words} {
    set what [lindex $words 0]
    if {[llength $words] > 1 || $what ni {"" produce consume}} {Usage "produce, consume, or nothing: both"}
    set count [Number $options -c 1 100000]
    set size [Number $options -s 0 100]
    set topic [Opt $options -t]
    set mock [dict exists $options -mock]
    if {$mock && $what ne ""} {Usage "with -mock both are measured"}
    if {!$mock && $topic eq ""} {Usage "no topic: give -t TOPIC, or -mock for an embedded cluster"}
    if {$mock} {
        # It keeps 5 MiB of a partition, and not all get the same.
        set partitions [expr {max(8, ($count * ($size + 30)) / 1000000 + 1)}]
        if {$partitions > 2000} {Usage "that is too much for an embedded cluster: at most 2 GB"}
        set cluster [::kafka::kafka mock ::kafka::cli::cluster]
        if {$topic eq ""} {set topic bench}
        $cluster create_topic $topic -partitions $partitions
        dict set options -b [$cluster bootstrap]
        # It does not wake a fetch that waits.
        dict lappend options -X fetch.wait.max.ms=20
    }
    set results {}
    set from {}
    if {$what ne "consume"} {
        lassign [BenchProduce $options $topic $count $size] from seconds
        lappend results produce $count [expr {$count * $size}] $seconds
    }
    if {$what ne "produce"} {
        lappend results consume {*}[BenchConsume $options $topic $count $from]
    }
    Clear
    set rows {}
    foreach {name messages bytes seconds} $results {
        set seconds [expr {max($seconds, 1e-6)}]
        set rate [expr {round($messages / $seconds)}]
        set mb [format %.1f [expr {$bytes / $seconds / 1e6}]]
        if {[dict exists $options -J]} {
            Put [JsonObject bench [JsonText $name] messages $messages bytes $bytes \
                seconds [format %.3f $seconds] messages_per_second $rate mb_per_second $mb]\n
        }
        lappend rows [list $name [Grouped $messages] [format %.3f $seconds] [Grouped $rate] $mb]
    }
    if {![dict exists $options -J]} {Table {{} >MESSAGES >SECONDS >MESSAGES/S >MB/S} $rows}
}

# BenchProduce options topic count size -- write messages; where each partition ended before, and seconds.
proc ::kafka::cli::BenchProduce {options topic count size} {
    set master [Master $options]
    if {[dict exists $options -z]} {$master config compression.codec [dict get $options -z]}
    set producer [$master producer_creator ::kafka::cli::producer]
    variable p
    array set p {failed 0 reason ""}
    $producer delivery_report callback ::kafka::cli::Reported
    $producer delivery_report every 1000000000
    set from {}
    foreach partition [PartitionsOf $producer $options $topic] {
        dict set from $partition [lindex [$producer watermarks -timeout [Wait $options 5] $topic $partition] 1]
    }
    set out [$producer new_topic ::kafka::cli::topic $topic]
    # What does not compress to nothing.
    set payload ""
    while {[string length $payload] < $size} {append payload [format %08x [expr {int(rand() * 0xFFFFFFFF)}]]}
    set payload [encoding convertto ascii [string range $payload 0 $size-1]]
    set began [clock microseconds]
    for {set i 0} {$i < $count} {incr i} {
        $out produce -1 $payload -block -1
        if {$i % 10000 == 0} {
            CheckFatal
            Progress "produce: [Grouped $i] of [Grouped $count]"
        }
    }
    Drain $producer
    set seconds [expr {([clock microseconds] - $began) / 1e6}]
    $producer close
    if {$p(failed)} {Fail "[Grouped $p(failed)] messages were not delivered: $p(reason)"}
    return [list $from $seconds]
}

# BenchConsume options topic count from -- read so many messages from these offsets, or from the beginning:
# how many there were, their bytes, seconds.
proc ::kafka::cli::BenchConsume {options topic count from} {
    set master [Master $options enable.partition.eof true]
    set consumer [$master consumer_creator ::kafka::cli::consumer]
    set in [$consumer new_topic #auto $topic]
    set queue [$consumer create_queue ::kafka::cli::queue]
    set partitions [PartitionsOf $consumer $options $topic]
    set began [clock microseconds]
    set last $began
    foreach partition $partitions {
        $in start_queue $partition [expr {[dict exists $from $partition] ? [dict get $from $partition]
            : "beginning"}] $queue
    }
    set messages 0
    set bytes 0
    set ended {}
    while {$messages < $count && [dict size $ended] < [llength $partitions]} {
        set list [$queue consume_list 1000 [expr {min(1000, $count - $messages)}] -fields {payload partition end}]
        foreach {payload partition end} $list {
            if {$end ne ""} {
                dict set ended $partition 1
                continue
            }
            incr messages
            incr bytes [string length $payload]
        }
        if {[llength $list]} {set last [clock microseconds]}
        $consumer poll 0
        CheckFatal
        Progress "consume: [Grouped $messages] of [Grouped $count]"
    }
    $consumer close
    return [list $messages $bytes [expr {($last - $began) / 1e6}]]
}
