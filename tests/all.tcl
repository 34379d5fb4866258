# all.tcl -- run the test files, each in a tclsh of its own, several side by side.
#
#     tclsh tests/all.tcl ?-jobs n? ?-repeat n? ?-deadline seconds? ?-dir folder? ?-under words?
#         ?-but name,...? ?name ...?
#
# Without names every tests/*.test is run, but for those of -but, else tests/NAME.test for each (a
# path will do as well); of another folder with -dir; each by another command (valgrind) that -under
# gives. A file
# is believed only if it ends with the machine-readable line of helper.tcl's `done`
# and exit status 0: a crash, a hang or a file that forgot `done` is a failure. The
# last line printed is "N passed, N failed" (", N skipped" when there are any).
#
# With -jobs (or KAFKA_TEST_JOBS) that many files run at the same time; each file is reported when it
# ends, in one block. With -repeat every file is run n times, and a line for each file counts the runs
# that passed; only what failed is reported besides.

package require Tcl 8.6-

namespace eval all {
    variable here [file dirname [file normalize [info script]]]
    variable folder $here
    # On a machine with other work a file may take several times as long: manual.test, which takes a
    # minute, took 284 s at a load of 28.
    variable deadline 600
    variable under {}
    variable but {}
    variable jobs ""
    variable repeat 1

    # Files mostly wait, so more of them than there are cores.
    variable defaultJobs 6
    # The slowest files, slowest first: one that begins last would keep the others waiting at the end.
    variable slowest {
        model manual processed lifetimes groups topic_consumer transactions fenced kafkat first rebalance leaving
        embed outages demos kills steering faults chaos answers ends worker leaks oo kcat errors shadows
    }
    # Files that run alone, after all others, and why.
    variable alone {
        broker/cluster {it kills nodes of the cluster that the others use}
        broker/restart {it kills the broker that the others use}
        exit {it bounds how long whole processes take to end, to 200 ms}
        idle {it wants reactions within 100 ms, and counts how often a process wakes up in two seconds}
        monitor {it bounds the pauses of a window that draws curves}
    }

    variable running 0
    variable runs               ;# pipe,field -> value, of each file that runs
    variable total {passed 0 failed 0 skipped 0}
    variable failures {}        ;# file: what failed
    variable good {}            ;# file -> how many of its runs passed
    variable ended {}           ;# file -> how many of its runs have ended
    variable change 0           ;# is written whenever a file has ended
}

proc all::main {words} {
    variable here
    variable folder
    variable deadline
    variable under
    variable but
    variable jobs
    variable repeat
    variable total
    variable failures
    while {[lindex $words 0] in {-but -deadline -dir -jobs -repeat -under}} {
        set words [lassign $words option value]
        switch -- $option {
            -but {set but [split $value ,]}
            -deadline {set deadline $value}
            -dir {set folder [file normalize $value]}
            -jobs {set jobs [count $option $value]}
            -repeat {set repeat [count $option $value]}
            -under {set under $value}
        }
    }
    set files [chosen $words]
    if {$jobs eq ""} {set jobs [usualJobs $files]}
    # An error in a callback would leave the loop below waiting for ever.
    interp bgerror {} [namespace which broken]

    # So that `tclsh tests/all.tcl` works without make's environment.
    if {![info exists ::env(TCLLIBPATH)]} {
        set ::env(TCLLIBPATH) [list [file join [file dirname $here] build]]
    }

    lassign [inOrder $files] beside alone
    runAll [lrepeat $repeat {*}$beside] $jobs
    runAll [lrepeat $repeat {*}$alone] 1

    # Once more at the end, where a reader of a long log looks first.
    foreach line $failures {puts "failed: $line"}
    dict with total {
        set line "$passed passed, $failed failed"
        if {$skipped} {append line ", $skipped skipped"}
    }
    puts $line
    flush stdout
    exit [expr {$failed > 0 || $passed == 0}]
}

proc all::wrong {message} {
    puts stderr "all.tcl: $message"
    exit 2
}

# broken message options -- end at an error of this program's own.
proc all::broken {message options} {
    puts stderr "all.tcl: [dict get $options -errorinfo]"
    exit 3
}

# count option value -- the value, if it is a number of files or runs.
proc all::count {option value} {
    if {![string is integer -strict $value] || $value < 1} {
        wrong "$option wants a number of at least 1, not \"$value\""
    }
    return $value
}

# chosen names -- the files that are to be run.
proc all::chosen {names} {
    variable folder
    variable but
    set files {}
    foreach name $names {
        set name [file rootname $name].test
        # As a name in the folder, as a path from here, as the last part of any path.
        set file [file join $folder $name]
        if {![file exists $file]} {set file [file normalize $name]}
        if {![file exists $file]} {set file [file join $folder [file tail $name]]}
        if {![file exists $file]} {wrong "no such test file: $file"}
        lappend files $file
    }
    if {[llength $names]} {return $files}
    set files [lsort [glob -nocomplain -directory $folder *.test]]
    foreach name $but {
        set file [file join $folder $name.test]
        if {$file ni $files} {wrong "no such test file: $file"}
        set files [lsearch -all -inline -exact -not $files $file]
    }
    return $files
}

# usualJobs files -- how many to run at a time when -jobs doesn't say. The files of another folder
# may share what they test with: those of tests/broker share a broker, which needs a core of its own
# when they are busy. A tool that watches memory keeps a core busy.
proc all::usualJobs {files} {
    variable here
    variable under
    variable defaultJobs
    if {[info exists ::env(KAFKA_TEST_JOBS)] && $::env(KAFKA_TEST_JOBS) ne ""} {
        return [count KAFKA_TEST_JOBS $::env(KAFKA_TEST_JOBS)]
    }
    if {$under ne ""} {return 1}
    foreach file $files {
        if {[file dirname $file] ne $here} {return 3}
    }
    return $defaultJobs
}

# nameOf file -- its name in the lists above: broker/restart is tests/broker/restart.test.
proc all::nameOf {file} {
    variable here
    set name [file rootname $file]
    if {[string first $here/ $name] == 0} {return [string range $name [string length $here/] end]}
    return [file tail $name]
}

# inOrder files -- two lists: what may run side by side, in the order in which to begin, and what
# has to run alone.
proc all::inOrder {files} {
    variable slowest
    variable alone
    set early {}
    set rest {}
    set last {}
    foreach file $files {
        set name [nameOf $file]
        if {[dict exists $alone $name]} {
            lappend last $file
        } elseif {[set place [lsearch -exact $slowest $name]] >= 0} {
            lappend early [list $place $file]
        } else {
            lappend rest $file
        }
    }
    set early [lmap pair [lsort -integer -index 0 $early] {lindex $pair 1}]
    return [list [concat $early $rest] $last]
}

# ---------------------------------------------------------------- several at a time

# runAll files n -- run the files, n at a time, and report each when it ends.
proc all::runAll {files n} {
    variable running
    variable change
    while {[llength $files] || $running} {
        while {[llength $files] && $running < $n} {
            set files [lassign $files file]
            start $file
        }
        vwait ::all::change
    }
}

# start file -- begin to run a file.
#
# The shell writes the exit status down the pipe when the test program itself has ended; its output
# goes to a file. Reading the output through the pipe would wait for every grandchild that still
# holds it. The shell's child waits for the end of the pipe to the shell's stdin, which only this
# process can write to: however this process ends, also by a signal, which Tcl can't catch, the files
# that run end with it. (The program is not what runs in the background, as a shell makes such
# programs ignore SIGINT.)
proc all::start {file} {
    variable runs
    variable running
    variable deadline
    variable under
    close [file tempfile log]
    set program [list {*}$under [info nameofexecutable] $file]
    set shell [list sh -c {
        log=$1 own=$2
        shift 2
        exec 3<&0
        if [ -n "$own" ]; then
            { read -r line <&3; rm -f "$log"; kill -s KILL -- -$$; } >/dev/null 2>&1 &
        fi
        "$@" >"$log" 2>&1 </dev/null 3<&-
        echo $?
    } sh $log]
    # In a process group of its own, so that nothing it started can outlive it.
    set setsid [auto_execok setsid]
    set pipe [open |[list {*}$setsid {*}$shell $setsid {*}$program 2>@stderr] r+]
    fconfigure $pipe -blocking 0
    array set runs [list $pipe,file $file $pipe,log $log $pipe,start [clock milliseconds]]
    set runs($pipe,timer) [after [expr {$deadline * 1000}] [list all::end $pipe overrun]]
    fileevent $pipe readable [list all::readStatus $pipe]
    incr running
}

proc all::readStatus {pipe} {
    if {[gets $pipe line] >= 0} {
        end $pipe "exit $line"
    } elseif {[eof $pipe]} {
        end $pipe "exit unknown"
    }
}

# end pipe state -- a file has ended, or its time is over.
proc all::end {pipe state} {
    variable runs
    variable running
    variable change
    variable total
    after cancel $runs($pipe,timer)
    set ms [expr {[clock milliseconds] - $runs($pipe,start)}]

    # The shell isn't waited for yet, so its id still names its group.
    set setsid [auto_execok setsid]
    set pid [lindex [pid $pipe] 0]
    set victim [expr {$setsid eq "" ? $pid : -$pid}]
    if {$setsid ne "" || $state eq "overrun"} {
        catch {exec sh -c {kill -s KILL -- "$1" 2>/dev/null} sh $victim}
    }
    fileevent $pipe readable {}
    fconfigure $pipe -blocking 1
    catch {close $pipe}

    set channel [open $runs($pipe,log) r]
    fconfigure $channel -encoding utf-8 {*}[lenient]
    set output [read $channel]
    close $channel
    file delete $runs($pipe,log)
    set file $runs($pipe,file)
    array unset runs $pipe,*

    lassign [judge $state $output] counts verdict
    dict for {key count} $counts {dict incr total $key $count}
    tell $file [dict create counts $counts verdict $verdict output $output ms $ms]
    incr running -1
    incr change
}

# ---------------------------------------------------------------- what is printed

# tell file result -- report a run; of a file that is run several times only what failed, and
# after the last run how many passed.
proc all::tell {file result} {
    variable repeat
    variable good
    variable ended
    variable failures
    set failed [expr {[dict get $result counts failed] > 0}]
    if {$failed} {
        foreach line [whatFailed $result] {lappend failures "[nameOf $file]: $line"}
    }
    if {$repeat == 1 || $failed} {report $file $result}
    if {$repeat == 1} return
    dict incr good $file [expr {!$failed}]
    dict incr ended $file
    if {[dict get $ended $file] == $repeat} {
        puts "[nameOf $file]: [dict get $good $file] of $repeat passed"
        flush stdout
    }
}

proc all::report {file result} {
    dict with result {}
    puts [format "%-22s %4d passed %4d failed %4d skipped %7.1f s" \
        [file tail $file] [dict get $counts passed] [dict get $counts failed] \
        [dict get $counts skipped] [expr {$ms / 1000.0}]]
    if {[dict get $counts failed] > 0} {
        puts "---- [file tail $file]: $verdict"
        puts [string trimright $output]
        puts "----"
    } else {
        # Why tests were skipped is worth a line also when all is well, and so is
        # what was said after the result: at exit there should be nothing to say.
        set after 0
        foreach line [split [string trimright $output \n] \n] {
            if {$after || [string match "skipped *" $line]} {puts "    $line"}
            if {[string match "@@result *" $line]} {set after 1}
        }
    }
    flush stdout
}

# whatFailed result -- a line for each test that failed in a run: its name, and the error or the
# beginning of the result; of a run that ended without a count, what was wrong with it.
proc all::whatFailed {result} {
    set lines {}
    set output [dict get $result output]
    set pattern {^==== (\S+) [^\n]*FAILED$(.*?)^==== \1 FAILED$}
    foreach {- name block} [regexp -all -inline -lineanchor $pattern $output] {
        if {[regexp {\n---- errorInfo: ([^\n]*)} $block - why]} {
        } elseif {[regexp {\n---- Result was:\n(.*?)\n---- Result should} $block - why]} {
            set why "result: $why"
        } else {
            set why "see above"
        }
        set why [string map {\n " "} $why]
        if {[string length $why] > 300} {set why [string range $why 0 300]...}
        lappend lines "$name: $why"
    }
    set verdict [dict get $result verdict]
    if {![llength $lines] || ![string match "* failed" $verdict]} {lappend lines $verdict}
    return $lines
}

# Tcl 9 throws on bytes that aren't UTF-8 unless told otherwise; a crashing
# program may well print such.
proc all::lenient {} {
    if {[package vsatisfies [package provide Tcl] 9]} {return {-profile replace}}
    return {}
}

# judge state output -- the counts of a run, and in words what was wrong with it.
proc all::judge {state output} {
    variable deadline
    set counts {passed 0 failed 0 skipped 0}
    # The line may be followed by what other threads say while the process ends.
    set lines [regexp -all -inline -line \
        {^@@result passed (\d+) failed (\d+) skipped (\d+)$} $output]
    set said [expr {[llength $lines] == 4}]
    if {$said} {
        lassign $lines - p f s
        set counts [dict create passed $p failed $f skipped $s]
    }
    if {$state eq "overrun"} {
        set verdict "killed after $deadline s"
    } elseif {!$said} {
        set verdict "ended ([describe $state]) without a result line"
    } elseif {$state ne "exit 0" && $f == 0} {
        set verdict "all tests passed, then the program ended badly ([describe $state])"
    } elseif {$p + $f + $s == 0} {
        set verdict "no test ran"
    } else {
        return [list $counts [expr {$f ? "$f failed" : "ok"}]]
    }
    dict incr counts failed
    return [list $counts $verdict]
}

# A shell reports death by signal N as 128 + N.
proc all::describe {state} {
    set status [lindex $state 1]
    if {[string is integer -strict $status] && $status > 128} {
        return "signal [expr {$status - 128}]"
    }
    return "exit status $status"
}

if {[info exists ::argv0] && [file normalize $::argv0] eq [file normalize [info script]]} {
    all::main $::argv
}
