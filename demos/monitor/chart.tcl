# chart.tcl -- a line chart on a canvas: the last minute, up to the present at the right.
#
#     chart::create .c "Messages per second" {written #2563eb read #059669}
#     chart::add .c {120.5 98}

namespace eval chart {
    variable points 60      ;# so many are shown
    variable values         ;# chart -> list of lists, the newest last
    variable about          ;# chart -> {title series}
    array set values {}
    array set about {}
}

# create path title series -- series is a list of names and colours.
proc chart::create {path title series} {
    variable values
    variable about
    canvas $path -height 190 -width 460 -background white -highlightthickness 1 \
        -highlightbackground $window::colour(line)
    set values($path) {}
    set about($path) [list $title $series]
    bind $path <Configure> [list chart::draw $path]
    return $path
}

# add path numbers ?note? -- one number for each series; the note stands beside the title.
proc chart::add {path numbers {note ""}} {
    variable values
    variable points
    lappend values($path) $numbers
    set values($path) [lrange $values($path) end-[expr {$points - 1}] end]
    draw $path $note
}

# ceiling number -- the top of a scale for it that is round, and so are its quarters.
proc chart::ceiling {number} {
    set power [expr {10.0 ** floor(log10(max($number, 1)))}]
    foreach step {1 2 3 4 6 8 10} {
        if {$number <= $step * $power} {return [expr {$step * $power}]}
    }
}

proc chart::draw {path {note ""}} {
    variable values
    variable about
    variable points
    lassign $about($path) title series
    $path delete all
    set left 58
    set top 44
    set right [expr {[winfo width $path] - 16}]
    set bottom [expr {[winfo height $path] - 24}]
    if {$right <= $left || $bottom <= $top} return

    $path create text 14 16 -anchor w -text $title -font window.bold -fill $window::colour(text)
    $path create text $right 16 -anchor e -text $note -font window.small -fill $window::colour(faint)

    set most [ceiling [tcl::mathfunc::max 10 {*}[concat {*}$values($path)]]]
    foreach part {0 0.25 0.5 0.75 1} {
        set y [expr {$bottom - $part * ($bottom - $top)}]
        $path create line $left $y $right $y -fill $window::colour(line)
        $path create text [expr {$left - 8}] $y -anchor e -font window.small \
            -fill $window::colour(faint) -text [window::number [expr {$part * $most}]]
    }
    foreach {x anchor text} [list $left w "a minute ago" $right e now] {
        $path create text $x [expr {$bottom + 12}] -anchor $anchor -font window.small \
            -fill $window::colour(faint) -text $text
    }

    # The first series last: it lies above the others.
    set index [expr {[llength $series] / 2}]
    foreach {colour name} [lreverse $series] {
        incr index -1
        set coords {}
        set i [expr {$points - [llength $values($path)]}]
        foreach numbers $values($path) {
            lappend coords [expr {$left + double($i) / ($points - 1) * ($right - $left)}] \
                [expr {$bottom - [lindex $numbers $index] / $most * ($bottom - $top)}]
            incr i
        }
        if {[llength $coords] >= 4} {
            $path create line {*}$coords -fill $colour -width 2 -joinstyle round -tags curve
        }
    }

    # The legend, with the newest numbers.
    set x $left
    set index -1
    foreach {name colour} $series {
        $path create line $x 33 [expr {$x + 14}] 33 -fill $colour -width 3
        set text $name
        if {[llength $values($path)]} {
            append text "  [window::number [lindex $values($path) end [incr index]]]"
        }
        set item [$path create text [expr {$x + 20}] 33 -anchor w -text $text -font window.small \
            -fill $window::colour(text) -tags legend]
        set x [expr {[lindex [$path bbox $item] 2] + 18}]
    }
}
