# bash completion for quiesce(8)
# What can be typed is asked of the program's own help, so that this file knows no option that it doesn't.

# The options that the help of "$1 $2" lists, one a line.
_quiesce_options()
{
    "$1" ${2:+"$2"} --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*\) .*/\1/p'
}

# Mount points, one a line; findmnt writes odd characters as \xNN.
_quiesce_mount_points()
{
    local point
    while read -r point; do
        printf '%b\n' "$point"
    done < <(findmnt --noheadings --raw --output TARGET 2>/dev/null)
}

# Offers the lines of standard input that begin with the word typed so far, quoted where the shell needs it.
_quiesce_offer()
{
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        [[ $line == "$cur"* ]] && COMPREPLY+=("$(printf '%q' "$line")")
    done
}

_quiesce()
{
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} i
    if ((COMP_CWORD == 1)); then
        _quiesce_offer < <("$1" --help 2>/dev/null | sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p'; _quiesce_options "$1" "")
        return
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then # the snapshot command: as if it were typed alone
            if ((COMP_CWORD == i + 1)); then
                mapfile -t COMPREPLY < <(compgen -c -- "$cur")
            else
                compopt -o default
            fi
            return
        fi
    done
    case $previous in
    --volume | --exclude)
        _quiesce_offer < <(_quiesce_mount_points)
        ;;
    --config | --plugin-host | --report)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        ;;
    --dir)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        ;;
    --format)
        _quiesce_offer < <(printf '%s\n' human json)
        ;;
    --expedite)
        _quiesce_offer < <(printf '%s\n' auto always never)
        ;;
    --hold | --hold-limit | --freeze-timeout | --attempts | --attempt-delay) ;;
    *)
        if [[ $command == errors && $cur != -* ]]; then
            _quiesce_offer < <("$1" errors 2>/dev/null | sed -n 's/^\([^ ]*\) ([0-9]*)$/\1/p')
        else
            _quiesce_offer < <(_quiesce_options "$1" "$command")
        fi
        ;;
    esac
}

complete -F _quiesce quiesce
