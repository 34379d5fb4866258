# soak.tcl -- very many random steps: tclsh soak.tcl ?steps? ?seed?
#
# 1,000,000 steps, in processes of 10,000: a fault is found again from a process's seed in little
# time. Every fourth process has eight threads. The first fault ends it.

source [file join [file dirname [file normalize [info script]]] watch.tcl]

lassign $argv steps seed
if {$steps eq ""} {set steps 1000000}
if {$seed eq ""} {set seed [expr {[clock seconds] % 1000000}]}
set each 10000
set threads [expr {![catch {package require Thread}]}]
set done 0
puts "seed $seed, $steps steps"
for {set i 0} {$done < $steps} {incr i} {
    set n [expr {min($each, $steps - $done)}]
    set why [random::watch::run [expr {$seed + $i}] $n [expr {$threads && $i % 4 == 3 ? 8 : 0}]]
    if {$why ne ""} {
        puts $why
        exit 1
    }
    incr done $n
    puts "seed [expr {$seed + $i}]: well ([clock format [clock seconds] -format %H:%M:%S], $done steps)"
}
puts "$done steps, no fault"
