# all.tcl -- run the test files, each in a tclsh of its own.
#
#     tclsh tests/all.tcl ?-deadline seconds? ?-dir folder? ?-under words? ?-but name,...? ?name ...?
#
# Without names every tests/*.test is run, but for those of -but, else tests/NAME.test for each; of
# another folder with -dir; each by another command (valgrind) that -under gives. A file
# is believed only if it ends with the machine-readable line of helper.tcl's `done`
# and exit status 0: a crash, a hang or a file that forgot `done` is a failure. The
# last line printed is "N passed, N failed" (", N skipped" when there are any).

package require Tcl 8.6-

namespace eval all {
    variable here [file dirname [file normalize [info script]]]
    variable folder $here
    variable deadline 300
    variable under {}
    variable but {}
    variable state
}

proc all::main {words} {
    variable here
    variable folder
    variable deadline
    variable under
    variable but
    while {[lindex $words 0] in {-deadline -dir -under -but}} {
        set words [lassign $words option value]
        switch -- $option {
            -deadline {set deadline $value}
            -dir {set folder [file normalize $value]}
            -under {set under $value}
            -but {set but [split $value ,]}
        }
    }
    set files {}
    foreach name $words {
        set file [file join $folder [file rootname [file tail $name]].test]
        if {![file exists $file]} {
            puts stderr "all.tcl: no such test file: $file"
            exit 2
        }
        lappend files $file
    }
    if {![llength $words]} {
        set files [lsort [glob -nocomplain -directory $folder *.test]]
        foreach name $but {
            set file [file join $folder $name.test]
            if {$file ni $files} {
                puts stderr "all.tcl: no such test file: $file"
                exit 2
            }
            set files [lsearch -all -inline -exact -not $files $file]
        }
    }

    # So that `tclsh tests/all.tcl` works without make's environment.
    if {![info exists ::env(TCLLIBPATH)]} {
        set ::env(TCLLIBPATH) [list [file join [file dirname $here] build]]
    }

    set total {passed 0 failed 0 skipped 0}
    foreach file $files {
        set result [runFile $file]
        dict for {key count} [dict get $result counts] {
            dict incr total $key $count
        }
        report $file $result
    }
    dict with total {
        set line "$passed passed, $failed failed"
        if {$skipped} {append line ", $skipped skipped"}
    }
    puts $line
    flush stdout
    exit [expr {$failed > 0 || $passed == 0}]
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

# runFile file -- run one file and return a dict: counts (dict passed failed
# skipped), verdict, output, ms.
proc all::runFile {file} {
    variable state
    variable deadline
    variable under
    close [file tempfile log]

    # The shell writes the exit status down the pipe when the test program itself
    # has ended; its output goes to a file. Reading the output through the pipe
    # would wait for every grandchild that still holds it.
    set program [list {*}$under [info nameofexecutable] $file]
    set shell [list sh -c {log=$1; shift; "$@" >"$log" 2>&1 </dev/null; echo $?} sh $log]
    # In a process group of its own, so that nothing it started can outlive it.
    set setsid [auto_execok setsid]
    set start [clock milliseconds]
    set pipe [open |[list {*}$setsid {*}$shell {*}$program 2>@stderr] r]
    set pid [lindex [pid $pipe] 0]
    fconfigure $pipe -blocking 0
    set state ""
    fileevent $pipe readable [list all::readStatus $pipe]
    set timer [after [expr {$deadline * 1000}] {set ::all::state overrun}]
    vwait ::all::state
    after cancel $timer
    set ms [expr {[clock milliseconds] - $start}]

    # The shell isn't waited for yet, so its id still names its group.
    set victim [expr {$setsid eq "" ? $pid : -$pid}]
    if {$setsid ne "" || $state eq "overrun"} {
        catch {exec sh -c {kill -s KILL -- "$1" 2>/dev/null} sh $victim}
    }
    fconfigure $pipe -blocking 1
    catch {close $pipe}

    set channel [open $log r]
    fconfigure $channel -encoding utf-8 {*}[lenient]
    set output [read $channel]
    close $channel
    file delete $log

    lassign [judge $state $output] counts verdict
    return [dict create counts $counts verdict $verdict output $output ms $ms]
}

# Tcl 9 throws on bytes that aren't UTF-8 unless told otherwise; a crashing
# program may well print such.
proc all::lenient {} {
    if {[package vsatisfies [package provide Tcl] 9]} {return {-profile replace}}
    return {}
}

proc all::readStatus {pipe} {
    variable state
    if {[gets $pipe line] >= 0} {
        set state "exit $line"
    } elseif {[eof $pipe]} {
        fileevent $pipe readable {}
        set state "exit unknown"
    }
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
