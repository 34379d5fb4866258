# helper.tcl -- what every test file sources first.
#
#     source [file join [file dirname [info script]] helper.tcl]
#     test subject-1.1 {what it shows} -body {...} -result ...
#     done
#
# `done` must be the last command of a file. It deletes what is left over, kills
# the children that are left over, and prints the line that all.tcl believes.
#
# The cluster is an embedded one, or a real Apache Kafka if KAFKA_TEST_REAL is 1 and
# KAFKA_BOOTSTRAP names it: see real.tcl. `newCluster`, `cluster bootstrap`, `newMaster` and
# `newTopic` are the same on both; what else `cluster` has needs the constraint `faults`.

package require Tcl 8.6-
package require tcltest 2.3
namespace import ::tcltest::test ::tcltest::testConstraint

# The failures' details, not the names of what passed. Scratch files go into a
# directory of this process, which `done` removes: the source tree stays clean.
::tcltest::configure -verbose {body error} -tmpdir [file join \
    [expr {[info exists ::env(TMPDIR)] ? $::env(TMPDIR) : "/tmp"}] kafka-test-[pid]] {*}$argv

namespace eval helper {
    variable root [file dirname [file dirname [file normalize [info script]]]]
    variable children {}        ;# handles of childStart that still run
    variable childCount 0
    variable child              ;# handle,field -> value
    variable backgroundErrors {}
    variable repeated {}
    variable mock ""            ;# the cluster made last
    variable bootstrap ""
    variable poll 10            ;# ms between two looks at a condition
    # What the names of this run have in common: a real broker remembers those of others.
    variable run [pid]-[clock seconds]
    # A machine or a tool (valgrind) that is so many times slower.
    variable slowness [expr {[info exists ::env(KAFKA_TEST_SLOW)] ? $::env(KAFKA_TEST_SLOW) : 1}]
    # Where the package is that the tests are for.
    variable build [expr {[info exists ::env(KAFKA_TEST_BUILD)]
        ? $::env(KAFKA_TEST_BUILD) : [file join $root build]}]

    namespace export waitFor waitAsleep serveFor firingsIn waitCalm runDelay slow newCluster cluster counted newMaster newProducer newTopic \
        cleanupObjects errorOf child childStart childLine childStderr childSend \
        childPid childWait childKill backgroundErrors done uniqueName
}

if {[file isdirectory $helper::build] && $helper::build ne [lindex $::auto_path 0]} {
    set ::auto_path [linsert $::auto_path 0 $helper::build]
}

source [file join [file dirname [info script]] real.tcl]

testConstraint tcl9 [package vsatisfies [package provide Tcl] 9]
testConstraint tcl8 [expr {![testConstraint tcl9]}]
testConstraint thread [expr {![catch {package require Thread}]}]
# Not under a tool that makes all slower, nor one that counts what is lost on purpose.
testConstraint fullSpeed [expr {$helper::slowness == 1}]
testConstraint noMemoryTool [expr {![info exists ::env(KAFKA_TEST_MEMORY)]}]
testConstraint linux [expr {$::tcl_platform(os) eq "Linux"}]
# Where the linker replaces functions of librdkafka (build.rs).
testConstraint wrap [expr {$::tcl_platform(os) ne "Darwin"}]

# A constraint that nobody has set would skip its tests everywhere: tcltest sets those to 0, by this procedure.
namespace eval helper {variable unset {}}
trace add execution ::tcltest::testConstraint enter {apply {{words op} {
    lassign $words - name
    if {[llength $words] == 3 && [info level] > 1 && [lindex [info level -1] 0] eq "SafeFetch"
            && [catch {::tcltest::ConstraintInitializer $name}]} {lappend ::helper::unset $name}
}}}

# ---------------------------------------------------------------- background

# An error in a callback must be seen: tests of such errors take them with
# `backgroundErrors`; what nobody took is a failure of the file.
# How often more it came is told by the package later, in another test's time: that is kept by itself.
proc helper::background {message options} {
    variable backgroundErrors
    variable repeated
    if {[regexp { \(and [\d,]+ more like it\)$} $message]} {
        lappend repeated [list $message $options]
        return
    }
    lappend backgroundErrors [list $message $options]
}
interp bgerror {} helper::background

# backgroundErrors -- the messages since the last call, and forget them.
proc helper::backgroundErrors {} {
    variable backgroundErrors
    set messages [lmap pair $backgroundErrors {lindex $pair 0}]
    set backgroundErrors {}
    return $messages
}

# ---------------------------------------------------------------- waiting

# slow ms -- the time to wait for what takes so long at most: longer under valgrind.
proc helper::slow {ms} {
    variable slowness
    expr {$ms > 0 ? round($ms * $slowness) : $ms}
}

# waitFor ?-timeout ms? condition -- serve the event loop until the expression is
# true in the caller's frame (and return its value); after ms (10000) throw, with
# the condition in the message. Never sleep for a guessed time instead.
proc helper::waitFor {args} {
    Wait waitFor $args {
        # A variable of its own: a nested waitFor must not wake this one for good.
        set timer [after $poll {incr ::helper::tick}]
        vwait ::helper::tick
        after cancel $timer
    }
}

# waitAsleep ?-timeout ms? condition -- likewise, and the event loop is not served.
proc helper::waitAsleep {args} {
    Wait waitAsleep $args {after $poll}
}

# Wait name words pass -- waitFor and its like, by its arguments and how time passes.
proc helper::Wait {name words pass} {
    variable poll
    set timeout 10000
    if {[lindex $words 0] eq "-timeout"} {
        set timeout [lindex $words 1]
        set words [lrange $words 2 end]
    }
    if {[llength $words] != 1} {
        error "wrong # args: should be \"$name ?-timeout ms? condition\""
    }
    set condition [lindex $words 0]
    set timeout [slow $timeout]
    set looked [clock milliseconds]
    set end [expr {$looked + $timeout}]
    set still 0
    while {![set value [uplevel 2 [list expr $condition]]]} {
        set now [clock milliseconds]
        # The machine stood still, or something held the event loop: the reader of the failure wants to know.
        if {$now - $looked > 1000} {incr still [expr {$now - $looked}]}
        set looked $now
        if {$now >= $end} {
            return -code error -errorcode {TEST TIMEOUT} "timed out after $timeout ms waiting for:\
                [string trim $condition][expr {$still ? " (of that, nothing went on for $still ms)" : ""}]"
        }
        eval $pass
    }
    return $value
}

# serveFor ms -- serve the event loop for a time. It is for showing what does not come in it, and for
# pauses that are what a test is about; what has to come is waited for with waitFor.
proc helper::serveFor {ms} {
    # A variable of its own, as these may be nested.
    set over ::helper::over[incr ::helper::overs]
    after $ms [list set $over 1]
    vwait $over
    unset $over
}

# firingsIn ms -- how often this thread's event source fires in that time.
proc helper::firingsIn {ms} {
    set before [::kafka::internal firings]
    serveFor $ms
    return [expr {[::kafka::internal firings] - $before}]
}

# waitCalm -- serve the event loop until nothing has fired for a while: what there was to do is done.
proc helper::waitCalm {} {
    waitFor {[firingsIn 250] == 0}
}

# runDelay -- for how many milliseconds this thread, since it began, was ready to run while others had
# the cores (0 where the system doesn't say). Who measures how late something was subtracts it: it is
# the load of the machine.
proc helper::runDelay {} {
    if {[catch {open /proc/thread-self/schedstat} channel]} {return 0}
    set delay [lindex [read $channel] 1]
    close $channel
    expr {$delay / 1000000}
}

# ---------------------------------------------------------------- errors

# errorOf script -- dict `code result errorcode` of evaluating it in the caller's
# frame. Code is 0 ok, 1 error, 2 return, 3 break, 4 continue.
proc helper::errorOf {script} {
    set code [catch {uplevel 1 $script} result options]
    set errorcode NONE
    if {[dict exists $options -errorcode]} {
        set errorcode [dict get $options -errorcode]
    }
    return [dict create code $code result $result errorcode $errorcode]
}

# ---------------------------------------------------------------- objects

# uniqueName ?stem? -- a name that no earlier test, and no other run, has used.
proc helper::uniqueName {{stem t}} {
    variable nameCount
    variable run
    return $stem-$run-[incr nameCount]
}

# newCluster ?n? ?-option value ...? -- an embedded cluster with n (1) brokers that
# doesn't delay the first join of a group, or the real one, with as many brokers as it has; return
# what to bootstrap from.
proc helper::newCluster {{n 1} args} {
    variable mock
    variable bootstrap
    variable real
    variable broker
    package require kafka
    if {$real} {
        set mock ::helper::Broker
        Administer begin
        return [set bootstrap $broker]
    }
    set mock [::kafka::kafka mock #auto -brokers $n {*}$args]
    $mock rebalance_delay 0
    set bootstrap [$mock bootstrap]
    return $bootstrap
}

# cluster -- the command of the cluster that newCluster made last.
proc helper::cluster {} {
    variable mock
    return $mock
}

# counted api expected -- how many requests of a kind the cluster made last has received. A real one
# doesn't tell: there it is what the test expects, so that its other results count.
proc helper::counted {api expected} {
    variable mock
    variable real
    if {$real} {return $expected}
    llength [$mock requests $api]
}

# newMaster ?key value ...? -- a master for the cluster made last (one is made if
# there is none), set up so that consuming is quick and nothing is logged.
proc helper::newMaster {args} {
    variable bootstrap
    if {$bootstrap eq ""} {newCluster}
    set master [::kafka::kafka create #auto]
    # The mock doesn't wake an idle fetch when a message arrives.
    $master config bootstrap.servers $bootstrap fetch.wait.max.ms 20
    $master logger none
    if {[llength $args]} {$master config {*}$args}
    return $master
}

# newProducer ?key value ...? -- a producer handle of a new master.
proc helper::newProducer {args} {
    [newMaster {*}$args] producer_creator #auto
}

# newTopic ?name? ?-partitions n? -- make a topic in the cluster (4 partitions) and return it. A
# name that is given has one of `uniqueName` in it.
proc helper::newTopic {args} {
    variable mock
    variable bootstrap
    if {$bootstrap eq ""} {newCluster}
    if {[llength $args] % 2} {
        set args [lassign $args name]
    } else {
        set name [uniqueName topic]
    }
    $mock create_topic $name {*}$args
    return $name
}

# cleanupObjects -- delete every object of the package, clusters last.
proc helper::cleanupObjects {} {
    variable mock
    variable bootstrap
    if {[info commands ::kafka::kafka] eq ""} {return}
    set last {}
    foreach object [::kafka::kafka names] {
        # Not `info commands`: it would take an odd name for a pattern.
        if {[namespace which -command $object] eq ""} {continue}
        if {$object in [::kafka::kafka names mock]} {
            lappend last $object
        } else {
            catch {$object delete}
        }
    }
    foreach object $last {catch {$object delete}}
    set mock ""
    set bootstrap ""
    return
}

# ---------------------------------------------------------------- children

# A child is another tclsh that finds the package where this one does. Its script
# begins with `package require kafka`, unless -bare 1 is given.
proc helper::ChildSpawn {script options arguments mode} {
    variable childCount
    variable child
    variable root
    set h child[incr childCount]
    close [file tempfile file]
    close [file tempfile errors]
    set channel [open $file w]
    fconfigure $channel -encoding utf-8
    # auto_path instead of TCLLIBPATH: works also when that is set to something.
    puts $channel "set ::auto_path [list $::auto_path]"
    puts $channel "fconfigure stdout -buffering line"
    if {![dict get $options -bare]} {puts $channel "package require kafka"}
    puts $channel $script
    close $channel
    set command [list [dict get $options -tclsh] -encoding utf-8 $file {*}$arguments 2>$errors]
    if {$mode eq "r"} {lappend command </dev/null}
    set pipe [open |$command $mode]
    fconfigure $pipe -blocking 0 -buffering line
    set child($h,pipe) $pipe
    set child($h,pid) [lindex [pid $pipe] 0]
    set child($h,files) [list $file $errors]
    set child($h,lines) {}
    set child($h,eof) 0
    fileevent $pipe readable [list helper::ChildRead $h]
    return $h
}

proc helper::ChildRead {h} {
    variable child
    while {[gets $child($h,pipe) line] >= 0} {
        lappend child($h,lines) $line
    }
    if {[eof $child($h,pipe)]} {
        fileevent $child($h,pipe) readable {}
        set child($h,eof) 1
    }
}

# ChildOptions words -- split leading -timeout, -bare and -tclsh from arguments.
proc helper::ChildOptions {words} {
    set options [dict create -timeout 30000 -bare 0 -tclsh [info nameofexecutable]]
    while {[dict exists $options [lindex $words 0]]} {
        dict set options [lindex $words 0] [lindex $words 1]
        set words [lrange $words 2 end]
    }
    return [list $options $words]
}

# ChildEnd handle -- collect a child that has ended: dict `status stdout stderr`.
# Status is the exit status, or the signal's name, such as SIGKILL.
proc helper::ChildEnd {h} {
    variable child
    variable children
    set status 0
    fconfigure $child($h,pipe) -blocking 1
    if {[catch {close $child($h,pipe)} message options]} {
        set code [dict get $options -errorcode]
        switch -- [lindex $code 0] {
            CHILDSTATUS - CHILDKILLED {set status [lindex $code 2]}
            default {set status $message}
        }
    }
    lassign $child($h,files) file errors
    set stderr [string trimright [childStderr $h] \n]
    file delete $file $errors
    set stdout [join $child($h,lines) \n]
    array unset child $h,*
    set children [lsearch -all -inline -exact -not $children $h]
    return [dict create status $status stdout $stdout stderr $stderr]
}

# child ?-timeout ms? ?-bare b? ?-tclsh path? script ?arg ...? -- run a script to
# its end and return dict `status stdout stderr`; past the timeout kill and throw.
proc helper::child {args} {
    variable child
    lassign [ChildOptions $args] options words
    set arguments [lassign $words script]
    set h [ChildSpawn $script $options $arguments r]
    return [ChildAwait $h [dict get $options -timeout]]
}

proc helper::ChildAwait {h timeout} {
    variable child
    if {[catch {waitFor -timeout $timeout "\$::helper::child($h,eof)"}]} {
        ChildSignal $h KILL
        set result [ChildEnd $h]
        return -code error -errorcode {TEST TIMEOUT} \
            "child was killed after $timeout ms; it said: $result"
    }
    return [ChildEnd $h]
}

proc helper::ChildSignal {h signal} {
    variable child
    catch {exec sh -c {kill -s "$1" "$2" 2>/dev/null} sh $signal $child($h,pid)}
}

# childStart ?-bare b? ?-tclsh path? script ?arg ...? -- start a script that talks
# over its stdin and stdout, and return a handle. `done` kills what is left.
proc helper::childStart {args} {
    variable children
    lassign [ChildOptions $args] options words
    set arguments [lassign $words script]
    set h [ChildSpawn $script $options $arguments r+]
    lappend children $h
    return $h
}

# childLine handle ?timeout? -- the next line of its stdout; throws when there is
# none in time, or the child has ended.
proc helper::childLine {h {timeout 10000}} {
    variable child
    waitFor -timeout $timeout \
        "\[llength \$::helper::child($h,lines)\] || \$::helper::child($h,eof)"
    if {![llength $child($h,lines)]} {
        error "child ended; its stderr: [string trim [childStderr $h]]"
    }
    set child($h,lines) [lassign $child($h,lines) line]
    return $line
}

# childStderr handle -- what it has written to stderr until now.
proc helper::childStderr {h} {
    variable child
    set channel [open [lindex $child($h,files) 1] r]
    try {
        return [read $channel]
    } finally {
        close $channel
    }
}

# childSend handle line -- write a line to its stdin.
proc helper::childSend {h line} {
    variable child
    puts $child($h,pipe) $line
    flush $child($h,pipe)
}

proc helper::childPid {h} {
    variable child
    return $child($h,pid)
}

# childWait handle ?timeout? -- wait until it ends by itself; the dict of `child`
# (stdout without what childLine has taken).
proc helper::childWait {h {timeout 30000}} {
    ChildAwait $h $timeout
}

# childKill handle ?signal? -- kill it by its pid and return the dict of `child`.
proc helper::childKill {h {signal KILL}} {
    ChildSignal $h $signal
    ChildAwait $h 10000
}

# ---------------------------------------------------------------- the end

# done -- clean up, print the result line and exit.
proc helper::done {} {
    variable children
    variable backgroundErrors
    variable reasons
    foreach h $children {catch {childKill $h}}
    catch {cleanupObjects}
    # What a deletion reports in the background belongs to this file too.
    update
    EndAdministrator
    catch {file delete -force [::tcltest::temporaryDirectory]}

    set failed $::tcltest::numTests(Failed)
    foreach pair $backgroundErrors {
        incr failed
        lassign $pair message options
        puts "==== background error that no test expected:"
        # A break or continue has no -errorinfo.
        puts [expr {[dict exists $options -errorinfo] ? [dict get $options -errorinfo] : $message}]
    }
    variable unset
    foreach constraint [lsort -unique $unset] {
        if {![info exists ::tcltest::skippedBecause($constraint)]} continue
        incr failed
        puts "==== no file has set the constraint $constraint FAILED"
    }
    foreach {constraint names} [array get ::tcltest::skippedBecause] {
        if {[dict exists $reasons $constraint]} {append constraint " ([dict get $reasons $constraint])"}
        puts "skipped for want of $constraint: [join [lsort $names] {, }]"
    }
    puts "@@result passed $::tcltest::numTests(Passed) failed $failed\
        skipped $::tcltest::numTests(Skipped)"
    flush stdout
    exit [expr {$failed > 0}]
}

namespace import helper::*
