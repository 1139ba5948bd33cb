# Completion of rtrace for bash: source this file, or `eval "$(rtrace completion bash)"`.
# rtrace itself answers, a line each: KIND <tab> VALUE <tab> HELP.
_rtrace_complete() {
    local IFS=$'\n' line kind value current=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    for line in $(_RTRACE_COMPLETE=bash "$1" "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null); do
        kind=${line%%$'\t'*} value=${line#*$'\t'}
        value=${value%%$'\t'*}
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            path) compopt -o filenames && COMPREPLY+=("${value%/}") ;;
            files) compopt -o default ;;
            folders) compopt -o dirnames ;;
            commands) COMPREPLY+=($(compgen -c -- "$current")) ;;
        esac
    done
}
complete -o nosort -F _rtrace_complete rtrace
