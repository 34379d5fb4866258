# cli_mock.tcl -- part of kafka::cli: kafkat mock.

proc ::kafka::cli::Do.mock {options words} {
    if {[llength $words]} {Usage "it takes options only; -t TOPIC:PARTITIONS makes a topic"}
    set brokers [Number $options -n 1 1]
    if {$brokers > 100} {Usage "-n wants at most 100 brokers"}
    set replicas [Number $options -r 1 1]
    if {$replicas > $brokers} {Usage "-r wants at most as many replicas as there are brokers"}
    set topics {}
    foreach word [Opt $options -t] {
        if {![regexp {^([\w.-]{1,249})(?::(\d{1,4}))?$} $word - name partitions] || $partitions eq "0"} {
            Usage "-t wants TOPIC:PARTITIONS, such as flights:4"
        }
        dict set topics $name [expr {$partitions eq "" ? 1 : [scan $partitions %d]}]
    }
    set cluster [::kafka::kafka mock ::kafka::cli::cluster -brokers $brokers -replication $replicas]
    $cluster rebalance_delay 0
    dict for {name partitions} $topics {$cluster create_topic $name -partitions $partitions}
    Say [$cluster bootstrap]\n
    Flush
    # The cluster lives in threads of its own, so this one may as well wait.
    if {[dict exists $options -no-stdin]} {vwait ::kafka::cli::forever}
    while {![eof stdin]} {gets stdin}
    $cluster delete
}
