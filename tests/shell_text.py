"""Text that is run without a shell has the result that the shell would give it.

usage: shell_text.py EVWATCH SEED COUNT. So many texts from the words of shells become the rules of
one evwatch, and each is run by sh -c, too: what they print and their statuses must be the same.
"""
import os, random, re, subprocess, sys

EVWATCH, SEED, COUNT = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
WORDS = """./show ./show ./show ./script ./text ./nonesuch nonesuch true false env printf expr . : [ ] [[ { }
 alias cd command echo eval exec exit export false hash kill let local pwd read return set shift source
 test then time times true type typeset ulimit umask unset wait while if fi do done for case in select function
 declare builtin print -n -p x y=1 a=b '' ' " "a '$HOME' $HOME ${HOME} $(./show) `./show` ~ ~/x b* b[a-z]
 ! # #x x#y ; & && || | >file </dev/null ( ) \\ \\x @ , = + % %1 ^ \t é""".split(" ")


def prepare():
    with open("show", "w") as f:
        f.write("#!/bin/sh\nfor a; do printf '<%s>' \"$a\"; done; echo \" $#\"; exit $#\n")
    with open("script", "w") as f:
        f.write("echo a script without its first line: $*\n")
    with open("text", "w") as f:
        f.write("not to be executed\n")
    os.chmod("show", 0o755)
    os.chmod("script", 0o755)
    os.mkdir("ours")


def texts():
    random.seed(SEED)
    made = [w.strip() for w in WORDS] + [w.strip() + " x" for w in WORDS]
    while len(made) < COUNT:
        words = random.choices([w.strip("\n") for w in WORDS], k=random.randint(1, 4))
        made.append(random.choice([" ", "  ", "\t"]).join(words).strip())
    # sh itself takes a text that begins so for its options.
    return [t for t in made if t and t[0] not in "-+"]


def ours(made):
    with open("rules", "w") as f:
        for i, text in enumerate(made):
            f.write(f"r{i}: after {i + 1}ms --output ours/{i} -- {text}\n\n")
    run = subprocess.run([EVWATCH, "-v", "-f", "rules"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    ends = re.findall(r"^(?:\S+ )?evwatch: r(\d+): run 1 ended after .*, status (\d+)$", run.stderr, re.M)
    statuses = {int(i): int(status) for i, status in ends}
    # The other stream goes to the same file: of what the shell itself complains, the words differ.
    return [(statuses.get(i), printed(open(f"ours/{i}", errors="replace").read())) for i in range(len(made))]


def printed(text):
    return [line for line in text.splitlines() if line.startswith("<") or " script without " in line]


def theirs(text):
    run = subprocess.run(["/bin/sh", "-c", text, "evwatch"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace")
    return run.returncode, printed(run.stdout)


prepare()
made, wrong = texts(), 0
for text, got in zip(made, ours(made)):
    wanted = theirs(text)
    if got != wanted:
        wrong += 1
        print(f"{text!r}: {got}, but the shell: {wanted}")
print(f"{len(made)} texts, {wrong} with another result")
sys.exit(wrong > 0)
