# plot.tcl -- a small SVG of a soak: messages a second and faults above, memory below.

namespace eval plot {
    variable width 640
    variable left 52
    variable right 110          ;# for the names of the lines
    variable colours {#1f77b4 #d62728 #2ca02c #9467bd #ff7f0e #8c564b #17becf #7f7f7f}
}

# nice most -- a round number not below it, for the end of an axis.
proc plot::nice {most} {
    if {$most <= 0} {return 1}
    set ten [expr {10 ** int(floor(log10($most)))}]
    foreach step {1 2 5 10} {
        if {$step * $ten >= $most} {return [expr {$step * $ten}]}
    }
}

# panel top height title series seconds -- one chart's SVG; series is a dict of names and values.
proc plot::panel {top height title series seconds} {
    variable width
    variable left
    variable right
    variable colours
    set end [expr {max(1, [lindex $seconds end])}]
    set most 0
    dict for {name values} $series {set most [expr {max($most, [::tcl::mathfunc::max 0 {*}$values])}]}
    set most [nice $most]
    set across [expr {$width - $left - $right}]
    set bottom [expr {$top + $height}]
    set out "<text x=\"$left\" y=\"[expr {$top - 8}]\" font-weight=\"bold\">$title</text>\n"
    foreach part {0 0.5 1} {
        set y [format %.1f [expr {$bottom - $height * $part}]]
        append out "<line x1=\"$left\" y1=\"$y\" x2=\"[expr {$left + $across}]\" y2=\"$y\" stroke=\"#ddd\"/>\n"
        append out "<text x=\"[expr {$left - 6}]\" y=\"[expr {$y + 4}]\" text-anchor=\"end\">[format %g [expr {$most * $part}]]</text>\n"
        set x [format %.1f [expr {$left + $across * $part}]]
        append out "<text x=\"$x\" y=\"[expr {$bottom + 15}]\" text-anchor=\"middle\">[format %.3g [expr {$end * $part / 60.0}]] min</text>\n"
    }
    set i -1
    set labels {}
    dict for {name values} $series {
        set colour [lindex $colours [expr {[incr i] % [llength $colours]}]]
        set points [lmap second $seconds value $values {
            format %.1f,%.1f [expr {$left + $across * double($second) / $end}] \
                [expr {$bottom - $height * double($value) / $most}]
        }]
        append out "<polyline fill=\"none\" stroke=\"$colour\" stroke-width=\"1.3\" points=\"[join $points]\"/>\n"
        lappend labels [list [expr {$bottom - $height * double([lindex $values end]) / $most}] $name $colour]
    }
    # The names stand at the ends of their lines, one below the other.
    set y -1000
    foreach label [lsort -real -index 0 $labels] {
        lassign $label at name colour
        set y [expr {max($at, $y + 12)}]
        append out "<text x=\"[expr {$left + $across + 6}]\" y=\"[format %.1f [expr {$y + 4}]]\" fill=\"$colour\">$name</text>\n"
    }
    return $out
}

# write file rows title
proc plot::write {file rows title} {
    variable width
    set seconds [lmap row $rows {dict get $row seconds}]
    set names [dict keys [dict get [lindex $rows 0] memory]]
    set memory {}
    foreach name $names {
        dict set memory $name [lmap row $rows {
            expr {[dict exists $row memory $name] ? [dict get $row memory $name] / 1024.0 : 0}
        }]
    }
    set rate [dict create messages/s [lmap row $rows {dict get $row rate}]]
    file mkdir [file dirname [file normalize $file]]
    set channel [open $file w]
    fconfigure $channel -encoding utf-8
    puts $channel "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"$width\" height=\"430\" font-family=\"sans-serif\" font-size=\"11\">"
    puts $channel "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    puts $channel "<text x=\"10\" y=\"16\">$title</text>"
    puts $channel [panel 48 140 "messages a second" $rate $seconds]
    puts $channel [panel 248 150 "resident memory, MB" $memory $seconds]
    puts $channel "</svg>"
    close $channel
}
