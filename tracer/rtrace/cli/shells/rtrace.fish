# Completion of rtrace for fish: put this file into ~/.config/fish/completions, or `rtrace completion fish | source`.
# rtrace itself answers, a line each: KIND <tab> VALUE <tab> HELP.
function _rtrace_complete
    set --local words (commandline --tokenize --current-process --cut-at-cursor)
    set --local current (commandline --current-token --cut-at-cursor)
    for line in (_RTRACE_COMPLETE=fish $words[1] $words[2..] "$current" 2>/dev/null)
        set --local fields (string split \t -- $line)
        switch $fields[1]
            case plain path
                string join \t -- $fields[2..]
            case files
                __fish_complete_path $current
            case folders
                __fish_complete_directories $current
            case commands
                __fish_complete_command
        end
    end
end
complete --command rtrace --no-files --keep-order --arguments '(_rtrace_complete)'
