"""Random trees with random rules: does `evwatch file --gitignore` agree with `git check-ignore`?

usage: gitignore.py EVWATCH SEED ROUNDS. Ends with 1 at the first tree where they differ, which it prints.
"""
import os
import random
import subprocess
import sys
import tempfile

WORDS = ['a', 'b', 'c', 'ab', 'ba', '*', '**', '***', '?', '[ab]', '[!a]', '[^b]', '[a-c]', '[]a]', '[a', '\\*', '\\a',
         '[[:alpha:]]', '[[:digit:]]', '[[:bogus:]]', '1', '.c', '-', '[a-]', '[!-a]', '[\\]a]', '[[:alpha:]-z]', '[a-c-e]']
NAMES = ['a', 'b', 'c', 'ab', 'ba', 'aa', 'abc', 'a.c', '1', '-', ']', '*', 'a ', 'a]', 'd', 'cb', 'a\\', 'a\t', 'b ', '[a', '!a', '#a']
ENDS = [' ', '  ', '\\ ', ' \\', '\t', '\r', '\\\\ ']


def word(r):
    return ''.join(r.choice(WORDS) for _ in range(r.randint(1, 3)))


def pattern(r):
    parts = [r.choice(['a', 'b', 'c', 'ab', '*', '**', '?', word(r), word(r)]) for _ in range(r.choice([1, 1, 1, 2, 2, 3]))]
    text = '/'.join(parts)
    for chance, make in ((.2, '/{}'), (.2, '{}/'), (.25, '!{}'), (.1, '{}' + r.choice(ENDS)), (.05, '#{}'), (.03, '\\{}')):
        if r.random() < chance:
            text = make.replace('{}', text)
    return text


def rules(r, path, least, most):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    end = r.choice(['\n', '\n', '\r\n'])
    with open(path, 'w', newline='') as f:
        f.write(end.join(pattern(r) for _ in range(r.randint(least, most))) + r.choice(['', end]))


def fill(r, top, depth):
    for name in r.sample(NAMES, r.randint(3, 7)):
        path = top + '/' + name
        if depth < 3 and r.random() < .5:
            os.mkdir(path)
            fill(r, path, depth + 1)
        else:
            open(path, 'w').close()


def build(r, home, top, env):
    os.mkdir(top)
    subprocess.run(['git', 'init', '-q', '.'], cwd=top, env=env, check=True)
    fill(r, top, 0)
    directories = [base for base, _, _ in os.walk(top) if '/.git' not in base]
    for directory in [top] + r.sample(directories, min(3, len(directories))):
        rules(r, directory + '/.gitignore', 1, 4)
    rules(r, top + '/.git/info/exclude', 0, 2)
    rules(r, home + '/.config/git/ignore', 0, 2)
    if r.random() < .3:
        with open(home + '/.gitconfig', 'w') as f:
            f.write('# words\n[user]\n name = x ; y\n[Core]\n\texcludesfile = "~/my rules" # these\n')
        rules(r, home + '/my rules', 0, 2)


def paths_in(top):
    found = []
    for base, directories, files in os.walk(top):
        if '.git' in directories:
            directories.remove('.git')
        found += [os.path.relpath(base + '/' + name, top) for name in directories + files]
    return found


def compare(evwatch, top, env, within):
    paths = paths_in(top)
    told = subprocess.run(['git', 'check-ignore', '-z', '--stdin', '--no-index'], cwd=top, env=env,
                          input='\0'.join(paths).encode(), capture_output=True)
    git = set(paths) - set(told.stdout.decode().split('\0'))
    told = subprocess.run([evwatch, '-w', within, 'file', '.', '--gitignore', '--existing', '--events', 'create',
                           '-0', '--format', '%s\\0'], cwd=top, env=env, capture_output=True)
    ours = {path.removeprefix('./') for path in told.stdout.decode().split('\0') if path}
    return sorted(git - ours), sorted(ours - git), told.stderr.decode()


def main():
    r = random.Random(int(sys.argv[2]))
    for round_number in range(int(sys.argv[3])):
        with tempfile.TemporaryDirectory() as room:
            home, top = room + '/home', room + '/top'
            env = dict(os.environ, HOME=home, GIT_CONFIG_NOSYSTEM='1', XDG_CONFIG_HOME='')
            os.mkdir(home)
            build(r, home, top, env)
            missing, extra, said = compare(sys.argv[1], top, env, '30ms')
            if missing:  # a slow machine may need longer
                missing, extra, said = compare(sys.argv[1], top, env, '3s')
            if missing or extra or said:
                print(f'round {round_number}: not reported {missing}, reported all the same {extra}', said)
                subprocess.run('cat -A .gitignore .git/info/exclude', cwd=top, shell=True)
                return 1
    return 0


sys.exit(main())
