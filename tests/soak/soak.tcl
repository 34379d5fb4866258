# soak.tcl -- a mixed load with faults for a long time: tclsh soak.tcl ?minutes? ?seed? ?plot?
#
# Five producers (one idempotent, one in transactions), two groups of members in processes of their own (with
# callbacks, bodies and lists), a reader of the whole log, and a fault every few seconds. Every message
# has an id, and a ledger (checking.tcl) counts. In the end nothing may be lost or skipped, nothing
# of the idempotent and the transactional producer may be there twice, and no client's memory
# may have grown steadily; else the exit status is 1.
#
# RATE=n: messages a second of each producer (300). EVERY=s: seconds between two rows (15).

set words $argv
set argv {}
set folder [file dirname [file normalize [info script]]]
source [file join [file dirname $folder] helper.tcl]
source [file join [file dirname $folder] checking.tcl]
source [file join [file dirname $folder] faking.tcl]
package require kafka
foreach file {load faults watch plot} {source [file join $folder $file.tcl]}

lassign $words minutes seed plot
if {$minutes eq ""} {set minutes 30}
if {$seed eq ""} {set seed [expr {[clock seconds] % 1000000}]}
if {$plot eq ""} {set plot build/soak.svg}
set rate [expr {[info exists env(RATE)] ? $env(RATE) : 300}]
set every [expr {[info exists env(EVERY)] ? $env(EVERY) : 15}]

# random below -- the same numbers for the same seed.
set drawn $seed
proc random {below} {
    set ::drawn [expr {($::drawn * 1103515245 + 12345) % 2147483648}]
    expr {($::drawn >> 8) % $below}
}

# A fault in the soak's own code ends it.
interp bgerror {} {apply {{message options} {load::broke "[dict get $options -errorinfo]"}}}

puts "seed $seed, $minutes minutes, $rate messages a second of each producer; Tcl [info patchlevel], kafka [package require kafka]"
load::start $rate
watch::begin
faults::start
set end [expr {[clock milliseconds] + round($minutes * 60000)}]
set next [clock milliseconds]
while {[clock milliseconds] < $end && ![llength $load::broken]} {
    set next [expr {$next + $every * 1000}]
    waitFor -timeout [expr {$every * 2000 + 120000}] {[clock milliseconds] >= $::next || [llength $load::broken]}
    watch::row
}
faults::stop
puts "faults end; what is under way arrives"
load::stop 180000
watch::row
plot::write $plot $watch::rows "soak: $minutes minutes, seed $seed, [faults::count] faults"

# ---------------------------------------------------------------- judging

set wrong $load::broken
foreach {name kept options} [list cluster $ledger {-twice {plain-* batches.*} -unreported 1} \
        "broker of our own" $single {-unreported 1}] {
    set why [checking::sound [$kept verdict] {*}$options]
    if {$why ne ""} {lappend wrong "$name: $why"}
}
foreach name [watch::growing] {lappend wrong "the memory of $name grew steadily"}

set counts [watch::counts]
puts "\nfaults: [lsort -stride 2 [array get faults::met]]"
puts "told to members and readers: [lsort -stride 2 [array get load::errors]]"
puts "queued [dict get $counts queued], acknowledged [dict get $counts acknowledged], reported failed\
    [dict get $counts failed], never reported (killed) [dict get $counts unreported], in the log [dict get $counts stored]"
puts "lost [dict get $counts lost], duplicated where that may not be [dict get $counts wrongly], duplicated by\
    producers without idempotence [expr {[dict get $counts duplicated] - [dict get $counts wrongly]}]"
puts "handled by groups [dict get $counts handled], skipped [dict get $counts skipped], repeated\
    [dict get $counts repeated]; rebalance events $load::rebalances; losses that were said: $load::saidLost"
foreach why $wrong {puts "WRONG: $why"}
puts [expr {[llength $wrong] ? "not well" : "well"}]
foreach h $helper::children {catch {childKill $h}}
catch {file delete -force [::tcltest::temporaryDirectory]}
exit [expr {[llength $wrong] > 0}]
