# log.tcl -- reads the whole log in a soak, each partition from its beginning on, and says what is in it:
# "source number place offset". argv is bootstrap and topics. Ends with its input.

set topics [lassign $argv bootstrap]
set m [kafka::kafka create #auto]
$m config bootstrap.servers $bootstrap fetch.wait.max.ms 20 reconnect.backoff.ms 50 reconnect.backoff.max.ms 500 \
    queued.max.messages.kbytes 1024 check.crcs true auto.offset.reset error
$m logger none
set h [$m consumer_creator #auto]
fconfigure stdout -buffering full

proc found {topic m} {
    if {[dict exists $m error]} {
        puts "! [dict get $m code] [dict get $m message]"
        return
    }
    puts "[lrange [dict get $m payload] 0 1] $topic/[dict get $m partition] [dict get $m offset]"
}

foreach topic $topics {
    set t [$h new_topic #auto $topic]
    for {set i 0} {$i < 4} {incr i} {$t start $i 0 [list found $topic]}
}
proc say {} {
    flush stdout
    after 20 say
}
say
fileevent stdin readable {if {[gets stdin] eq "" && [eof stdin]} exit}
vwait forever
