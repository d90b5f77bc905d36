/*
 * `evwatch completions SHELL`: a script for the shell. It asks evwatch itself for the candidates
 * (`evwatch completions --for WORD...`, complete.h), so that it is never older than the tables.
 */
#include "complete.h"
#include "tools.h"

#include <stdio.h>
#include <string.h>

static const char bash_script[] =
    "# bash completion for evwatch, made by `evwatch completions bash`\n"
    "_evwatch() {\n"
    "  local line offer= typed=${COMP_WORDS[COMP_CWORD]} words=() i\n"
    "  COMPREPLY=()\n"
    "  # Words that bash broke at = and : are put together again.\n"
    "  for ((i = 1; i <= COMP_CWORD; i++)); do\n"
    "    case ${COMP_WORDS[i]} in\n"
    "      [=:]*) if ((${#words[@]})); then words[-1]+=${COMP_WORDS[i]}; else "
    "words+=(\"${COMP_WORDS[i]}\"); fi ;;\n"
    "      *) if ((${#words[@]})) && [[ ${words[-1]} = *[=:] && ${COMP_WORDS[i-1]} = [=:] ]]; "
    "then\n"
    "           words[-1]+=${COMP_WORDS[i]}; else words+=(\"${COMP_WORDS[i]}\"); fi ;;\n"
    "    esac\n"
    "  done\n"
    "  local whole=${words[-1]} cut=\n"
    "  if [[ $typed = [=:] ]]; then typed=; fi\n"
    "  cut=${whole%\"$typed\"}\n"
    "  while IFS= read -r line; do\n"
    "    case $line in\n"
    "      :files) offer=-f ;; :directories) offer=-d ;; :command) offer=-cf ;;\n"
    "      *) line=${line%%$'\\t'*}; COMPREPLY+=(\"${line#\"$cut\"}\") ;;\n"
    "    esac\n"
    "  done < <(\"${COMP_WORDS[0]}\" completions --for \"${words[@]}\" 2>/dev/null)\n"
    "  if [[ $offer ]]; then\n"
    "    compopt -o filenames\n"
    "    mapfile -t COMPREPLY < <(compgen $offer -- \"$typed\")\n"
    "  fi\n"
    "}\n"
    "complete -F _evwatch evwatch\n";

static const char zsh_script[] =
    "#compdef evwatch\n"
    "# zsh completion for evwatch, made by `evwatch completions zsh`\n"
    "_evwatch() {\n"
    "  local line ask=()\n"
    "  local -a plain\n"
    "  ask=(\"${(@Q)words[2,CURRENT]}\")\n"
    "  while IFS= read -r line; do\n"
    "    case $line in\n"
    "      :files) [[ $PREFIX = --*=* ]] && compset -P 1 '*='; _files ;;\n"
    "      :directories) [[ $PREFIX = --*=* ]] && compset -P 1 '*='; _files -/ ;;\n"
    "      :command) _command_names -e; _files ;;\n"
    "      *) line=${line//:/\\\\:}; plain+=(\"${line/$'\\t'/:}\") ;;\n"
    "    esac\n"
    "  done < <(${(Q)words[1]} completions --for \"${ask[@]}\" 2>/dev/null)\n"
    "  (( $#plain )) && _describe evwatch plain\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _evwatch ]; then _evwatch \"$@\"; else compdef _evwatch evwatch; "
    "fi\n";

static const char fish_script[] =
    "# fish completion for evwatch, made by `evwatch completions fish`\n"
    "function __evwatch_complete\n"
    "    set -l before (commandline -opc)\n"
    "    set -l typed (commandline -ct)\n"
    "    for line in ($before[1] completions --for $before[2..-1] \"$typed\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case :command\n"
    "                set -l rest $before[(math 1 + (contains -i -- -- $before))..-1]\n"
    "                complete -C (string join ' ' -- (string escape -- $rest) \"$typed\")\n"
    "            case :files\n"
    "                __fish_complete_path (string replace -r '^--[^=]*=' '' -- \"$typed\")\n"
    "            case :directories\n"
    "                __fish_complete_directories (string replace -r '^--[^=]*=' '' -- \"$typed\")\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c evwatch -f -a '(__evwatch_complete)'\n";

static const struct {
	const char *shell, *script;
} scripts[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

int tool_completions(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--for") == 0) {
		complete_print(argv + 2, argc - 2);
		return 0;
	}
	for (size_t i = 0; argc == 2 && i < sizeof scripts / sizeof *scripts; i++)
		if (strcmp(scripts[i].shell, argv[1]) == 0) {
			fputs(scripts[i].script, stdout);
			return 0;
		}
	fputs("evwatch: completions takes one of bash, zsh, fish\n"
	      "evwatch: completions: for example: eval \"$(evwatch completions bash)\"\n",
	      stderr);
	return 2;
}
