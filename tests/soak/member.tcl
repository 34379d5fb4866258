# member.tcl -- a member of a group in a soak: argv is how it reads (callback, body or list), bootstrap, the
# group, the topics and settings. It says each message's id before that counts as processed; the
# line "close" has it leave.

lassign $argv how bootstrap group topics settings
set m [kafka::kafka create #auto]
$m config bootstrap.servers $bootstrap group.id $group fetch.wait.max.ms 20 auto.commit.interval.ms 200 \
    session.timeout.ms 3000 heartbeat.interval.ms 300 reconnect.backoff.ms 50 reconnect.backoff.max.ms 500 \
    queued.max.messages.kbytes 1024 {*}$settings
$m logger none
set s [$m subscriber #auto]
$s rebalance_callback {apply {e {
    if {[dict get $e event] eq "revoke"} {catch {$::s commit -timeout 2000}}
    puts "@ [dict get $e event] [llength [dict get $e partitions]]"
}}}
$s subscribe {*}$topics
fconfigure stdin -blocking 0

switch $how {
    callback {
        $s callback {apply {m {
            if {[dict exists $m error]} {puts "! [dict get $m code]"} else {puts [lrange [dict get $m payload] 0 1]}
        }}}
        fileevent stdin readable {set closing [gets stdin]}
        vwait closing
    }
    body {
        while {[gets stdin] eq "" && ![eof stdin]} {
            try {
                $s consume_batch 100 50 record {
                    puts [expr {[info exists record(error)] ? "! $record(code)" : [lrange $record(payload) 0 1]}]
                }
            } trap KAFKA {- options} {
                puts "! [lindex [dict get $options -errorcode] 1]"
            }
        }
    }
    list {
        while {[gets stdin] eq "" && ![eof stdin]} {
            try {
                foreach payload [$s consume_list 100 200 -fields payload] {puts [lrange $payload 0 1]}
            } trap KAFKA {- options} {
                puts "! [lindex [dict get $options -errorcode] 1]"
            }
        }
    }
}
catch {$s close 10000}
