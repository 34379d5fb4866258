# vfs.tcl -- file systems of Tcl's own, for tests of what is read through them: a zip in Tcl 9, in 8.6 what
# tclvfs shows (constraint `vfs`).

testConstraint vfs [expr {[testConstraint tcl9] || ![catch {package require vfs}]}]

# mounted -- a folder that Tcl has and the native file system has not, with the files of dict
# name -> content.
proc mounted {files} {
    set folder [file join [::tcltest::temporaryDirectory] [uniqueName vfs]]
    file mkdir $folder
    dict for {name content} $files {
        set channel [open [file join $folder $name] wb]
        puts -nonewline $channel $content
        close $channel
    }
    if {[testConstraint tcl9]} {
        zipfs mkzip $folder.zip $folder $folder
        zipfs mount $folder.zip [file tail $folder]
        return [zipfs root][file tail $folder]
    }
    # A file system whose every question goes to a folder of another name.
    vfs::filesystem mount $folder-shown [list ::passed $folder]
    return $folder-shown
}
proc passed {folder command root relative actual args} {
    set path [file join $folder $relative]
    switch -- $command {
        stat {file stat $path found; return [array get found]}
        access {if {![file exists $path]} {vfs::filesystem posixerror 2}}
        open {return [list [open $path rb]]}
        matchindirectory {return {}}
        fileattributes {return {}}
        default {vfs::filesystem posixerror 1}
    }
}
