# Completion of causewayctl for bash. The verbs are those of the running server: of each line of
# "causewayctl help", the words up to the arguments.
_causewayctl() {
    local word=${COMP_WORDS[COMP_CWORD]} socket=() typed='' i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --socket) socket=(--socket "${COMP_WORDS[++i]}") ;;
            --timeout) ((++i)) ;;
            -*) ;;
            *) typed+="${COMP_WORDS[i]} " ;;
        esac
    done
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '--socket --json --timeout --help --version' -- "$word")
        return
    fi
    # Behind the verb stand addresses and numbers, which nobody can complete.
    [[ $typed =~ ^[a-z_\ ]*$ ]] || return
    local verbs
    verbs=$("${COMP_WORDS[0]}" "${socket[@]}" --timeout 2 help 2>/dev/null) || return
    mapfile -t COMPREPLY < <(compgen -W "$(sed -n "2,/^\$/s/^$typed\([a-z_]*\).*/\1/p" <<<"$verbs")" -- "$word")
}
complete -F _causewayctl causewayctl
