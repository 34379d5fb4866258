# load.tcl -- the processes of a soak: starts them, hears what they say, tells the ledgers, and keeps the
# producers from running ahead of the readers.
#
# The embedded cluster keeps 5 MiB of a partition. No producer may be more than `window` messages ahead
# of what is in the log and handled by every group: so nothing is trimmed that anybody still needs.

namespace eval load {
    variable here [file dirname [file normalize [info script]]]
    variable window 2000
    variable size 120           ;# bytes of a message
    variable kinds              ;# role of a producer -> its kind
    variable lives              ;# role -> how many it has had
    variable running {}         ;# role -> dict handle source
    variable heard 0            ;# lines
    variable rebalances 0
    variable errors             ;# what members and the log's reader were told -> how often
    variable moved              ;# source -> {front since}
    variable taken              ;# partition of the fake broker -> how much was taken of it
    variable saidLost 0         ;# messages of which a program said that exit could not deliver them
    variable fakeTodo {}
    variable stopping 0
    variable broken {}          ;# what ended the soak early
    array set errors {}
    array set lives {}
    array set moved {}
}

# start -- cluster, fake broker, readers, producers.
proc load::start {rate} {
    variable here
    variable cluster
    variable bootstrap
    variable log
    variable fake
    variable kinds
    set topics {plain batches transactional}
    set cluster [childStart "source [list [file join $here cluster.tcl]]" {*}$topics]
    set bootstrap [childLine $cluster]
    set fake [fakeBroker partitions 4 lose both odds 40]
    # Settles what is acknowledged against the log and both groups; of the fake broker, which has no
    # groups, against the log only.
    set ::ledger [checking::Ledger new {callbacks batches}]
    set ::single [checking::Ledger new {}]
    set log [childStart "source [list [file join $here log.tcl]]" $bootstrap {*}$topics]
    foreach {role how group} {
        member-1 callback callbacks member-2 callback callbacks member-3 callback callbacks
        member-4 body batches member-5 list batches
    } {
        set ::load::member($role) [list $how $group $topics]
        startMember $role
    }
    foreach {role kind} {
        plain-1 plain plain-2 plain batches batches transactional transactional idempotent idempotent
    } {
        set kinds($role) $kind
        startProducer $role $rate
    }
    pump
}

proc load::startMember {role} {
    variable here
    variable bootstrap
    variable member
    variable running
    lassign $member($role) how group topics
    set settings [expr {$group eq "batches" ? {partition.assignment.strategy cooperative-sticky} : {}}]
    set h [childStart "source [list [file join $here member.tcl]]" $how $bootstrap soak-$group $topics $settings]
    dict set running $role [dict create handle $h group $group]
}

proc load::startProducer {role {newRate ""}} {
    variable here
    variable bootstrap
    variable kinds
    variable lives
    variable running
    variable size
    variable rate
    if {$newRate ne ""} {set rate $newRate}
    set kind $kinds($role)
    set source $role.[incr lives($role)]
    set where [expr {$kind eq "idempotent" ? $::bootstrap : $bootstrap}]
    set h [childStart "source [list [file join $here producer.tcl]]" $kind $where $kind $source $size $rate]
    dict set running $role [dict create handle $h source $source ledger [ledgerOf $role]]
}

proc load::ledgerOf {role} {
    expr {[string match idempotent* $role] ? $::single : $::ledger}
}

# ---------------------------------------------------------------- hearing

# lines handle -- what a child has said since.
proc load::lines {h} {
    variable heard
    set lines $::helper::child($h,lines)
    set ::helper::child($h,lines) {}
    incr heard [llength $lines]
    return $lines
}

# pump -- hear all, let the producers go on; and again.
proc load::pump {} {
    variable running
    variable log
    variable timer
    variable stopping
    foreach line [lines $log] {logSaid $line}
    dict for {role process} $running {
        set h [dict get $process handle]
        said $role $process [lines $h]
        if {$::helper::child($h,eof) && !$stopping} {lost $role}
    }
    if {$::helper::child($log,eof)} {broke "the log's reader ended"}
    takeFake
    goOn
    set timer [after 30 load::pump]
}

proc load::logSaid {line} {
    variable errors
    if {[string index $line 0] eq "!"} {
        incr errors(log:[lindex [split $line] 1])
        # auto.offset.reset is error: trimmed before it was read.
        if {[string match *OFFSET_OUT_OF_RANGE* $line] || [string match *AUTO_OFFSET_RESET* $line]} {
            broke "the log was trimmed before it was read: $line"
        }
        return
    }
    lassign $line source number place offset
    $::ledger stored $source $number $place $offset
}

proc load::said {role process lines} {
    variable errors
    variable rebalances
    if {[dict exists $process group]} {
        set group [dict get $process group]
        foreach line $lines {
            switch [string index $line 0] {
                @ {incr rebalances}
                ! {incr errors([string range $line 2 end])}
                "" {}
                default {$::ledger handled $group {*}$line}
            }
        }
        return
    }
    set source [dict get $process source]
    set ledger [dict get $process ledger]
    foreach line $lines {
        # Without its dot it was cut off.
        if {[lindex $line end] ne "."} continue
        switch [lindex $line 0] {
            q {$ledger queued $source [lindex $line 1]}
            r {foreach {number acknowledged} [lrange $line 1 end-1] {$ledger report $source $number $acknowledged}}
        }
    }
}

# fakeDo word ... -- have the fake broker do that soon: it is asked one thing at a time.
proc load::fakeDo {args} {
    lappend ::load::fakeTodo $args
}

# takeFake -- what the fake broker has written since.
proc load::takeFake {} {
    variable fake
    variable fakeTodo
    variable taken
    set todo $fakeTodo
    set fakeTodo {}
    foreach words $todo {ask $fake {*}$words}
    foreach partition {0 1 2 3} {
        foreach value [ask $fake takeValues idempotent $partition] {
            $::single stored {*}[lrange $value 0 1] $partition [expr {[incr taken($partition)] - 1}]
        }
    }
}

proc load::goOn {} {
    variable running
    variable window
    variable moved
    set now [clock seconds]
    dict for {role process} $running {
        if {![dict exists $process source]} continue
        set source [dict get $process source]
        set ledger [dict get $process ledger]
        set front [$ledger front $source]
        if {![info exists moved($source)] || [lindex $moved($source) 0] != $front} {
            set moved($source) [list $front $now]
            tell $role "go [expr {$front + $window}]"
        } elseif {$now - [lindex $moved($source) 1] == 30 && [llength $moved($source)] == 2} {
            lappend moved($source) said
            puts "    $source has stood still for 30 s, it awaits [$ledger awaits $source]"
        } elseif {$now - [lindex $moved($source) 1] > 150} {
            broke "$source stands still at $front for 150 s"
        }
    }
}

proc load::tell {role line} {
    variable running
    catch {childSend [dict get $running $role handle] $line}
}

# ---------------------------------------------------------------- ends

# lost role -- one ended that should not have.
proc load::lost {role} {
    variable running
    set result [childWait [dict get $running $role handle]]
    set running [dict remove $running $role]
    broke "$role ended: $result"
}

proc load::broke {why} {
    variable broken
    if {$why ni $broken} {lappend broken $why}
}

# ending role script -- take a process out, end it by the script, and hear its last words: the dict of `child`.
proc load::ending {role script} {
    variable running
    variable saidLost
    set process [dict get $running $role]
    set running [dict remove $running $role]
    set h [dict get $process handle]
    said $role $process [lines $h]
    set result [apply [list h $script] $h]
    said $role $process [split [dict get $result stdout] \n]
    if {[dict exists $process source]} {
        set source [dict get $process source]
        set ledger [dict get $process ledger]
        if {[dict get $result status] == 0 && [dict get $result stderr] eq ""} {
            # It delivered what was queued: as good as reports.
            for {set n [$ledger front $source]} {$n < [$ledger front $source] + [$ledger behind $source]} {incr n} {
                $ledger delivered $source $n
            }
        }
        foreach {- n} [regexp -all -inline {kafka: (\d+) message} [dict get $result stderr]] {incr saidLost $n}
        $ledger ended $source
    }
    return $result
}

# stop ms -- no more is made; all that was made arrives and is handled, or that time is over.
proc load::stop {ms} {
    variable running
    variable timer
    variable stopping 1
    foreach role [dict keys $running] {
        if {[dict exists $running $role source]} {tell $role stop}
    }
    set end [expr {[clock milliseconds] + $ms}]
    foreach role [dict keys $running] {
        if {![dict exists $running $role source]} continue
        # Heard while it delivers.
        set h [dict get $running $role handle]
        after cancel $timer
        set result [ending $role {childWait $h 120000}]
        if {[dict get $result status] != 0 || [dict get $result stderr] ne ""} {broke "$role at its end: $result"}
        pump
    }
    while {!([$::ledger settled] && [$::single settled]) && [clock milliseconds] < $end} {
        waitFor {[incr ::load::looks] % 20 == 0}
    }
    after cancel $timer
    foreach role [dict keys $running] {
        tell $role close
        ending $role {childWait $h 60000}
    }
}
