# Completion of kafkat for bash. tests/kafkat.test holds it against kafkat's own tables.

_kafkat() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local command=${COMP_WORDS[1]} options='' words=''
    local commands='produce consume list describe lag groups reset-offsets create delete config bench mock'
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands help --help --version" -- "$word")
        return
    fi
    case $command in
        produce) options='-t -p -D -K -k -H -J -Z -z -T -c -l -b -X -F -m -d -q -v -h' ;;
        consume) options='-t -p -G -o -e -c -f -J -D -K -Z -u -b -X -F -m -d -q -v -h' ;;
        list) options='-t -J -b -X -F -m -d -q -v -h' ;;
        describe) options='-a -J -b -X -F -m -d -q -v -h' ;;
        lag) options='-t -J -b -X -F -m -d -q -v -h' ;;
        groups) options='-s -J -b -X -F -m -d -q -v -h' ;;
        reset-offsets) options='-o -s -p -dry-run -J -b -X -F -m -d -q -v -h' ;;
        create) options='-p -r -c -ensure -dry-run -b -X -F -m -d -q -v -h' ;;
        delete) options='-G -b -X -F -m -d -q -v -h' ;;
        config) options='-a -dry-run -J -b -X -F -m -d -q -v -h' ;;
        bench) options='-t -c -s -z -mock -J -b -X -F -m -d -q -v -h' ;;
        mock) options='-n -t -r -no-stdin -q -v -h' ;;
        help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word"); return ;;
    esac
    case $command$before in
        *-F)
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return ;;
        *-z) words='gzip snappy lz4 zstd none' ;;
        consume-o) words='beginning end stored s@ e@' ;;
        reset-offsets-o) words='beginning end' ;;
        groups-s) words='empty stable dead preparing-rebalance completing-rebalance' ;;
        describedescribe) words='topic broker group cluster' ;;
        configconfig) words='get set unset' ;;
        configget|configset|configunset) words='topic broker group' ;;
        benchbench) words="produce consume $options" ;;
        # A value that nobody but the user knows.
        *-[btpDKkHcfGmXdrns]) return 0 ;;
    esac
    if [ -z "$words" ]; then
        words=$options
        # The words of produce are files.
        if [ "$command" = produce ] && [ "${word:0:1}" != - ]; then
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
        fi
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -o filenames -o bashdefault -F _kafkat kafkat
