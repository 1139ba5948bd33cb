#compdef rtrace
# Completion of rtrace for zsh: put this file into a folder of $fpath as _rtrace, or `eval "$(rtrace completion zsh)"`
# behind compinit. rtrace itself answers, a line each: KIND <tab> VALUE <tab> HELP.
_rtrace() {
    local line
    local -a answer fields described paths folders
    answer=("${(@f)$(_RTRACE_COMPLETE=zsh "${words[1]}" "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for line in $answer; do
        fields=("${(@ps:\t:)line}")
        case $fields[1] in
            plain) described+=("${fields[2]//:/\\:}${fields[3]:+:$fields[3]}") ;;
            path) if [[ $fields[2] == */ ]]; then folders+=("$fields[2]"); else paths+=("$fields[2]"); fi ;;
            files) _files ;;
            folders) _files -/ ;;
            commands) _command_names -e ;;
        esac
    done
    (( $#described )) && _describe -V rtrace described
    (( $#paths )) && compadd -f -V bundles -- $paths
    (( $#folders )) && compadd -f -S '' -V folders -- $folders
}
if [[ $funcstack[1] == _rtrace ]]; then _rtrace "$@"; else compdef _rtrace rtrace; fi
