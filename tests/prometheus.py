#!/usr/bin/env python3
"""Reads Prometheus' text format 0.0.4 strictly, by its specification; prints NAME{LABELS} VALUE of counters."""
import re
import sys

NAME = r'[a-zA-Z_:][a-zA-Z0-9_:]*'
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
SAMPLE = re.compile(rf'({NAME})(?:\{{({LABEL}(?:,{LABEL})*)?\}})? (\S+)(?: (-?\d+))?')
types, helped, seen, done, last = {}, set(), set(), set(), None
text = sys.stdin.buffer.read().decode('utf-8')
assert text.endswith('\n'), 'the last line has no end'
for number, line in enumerate(text[:-1].split('\n'), 1):
    where = f'line {number}: {line}'
    if line.startswith('#'):
        m = re.fullmatch(rf'# (HELP|TYPE) ({NAME}) (.+)', line)
        assert m, where
        kind, name, rest = m.groups()
        if kind == 'HELP':
            assert name not in helped, where
            helped.add(name)
        else:
            assert name not in types and rest in ('counter', 'gauge', 'histogram', 'summary', 'untyped'), where
            types[name] = rest
        if name != last:
            assert name not in done, f'{where}: its lines do not stand together'
            done.add(last)
            last = name
        continue
    m = SAMPLE.fullmatch(line)
    assert m, where
    name, labels, value, _ = m.groups()
    assert name == last and name in types and name in helped, where
    assert (name, labels) not in seen, f'{where}: twice'
    seen.add((name, labels))
    names = re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="', labels or '')
    assert len(names) == len(set(names)), where
    number_ = float(value)
    if types[name] == 'counter':
        assert name.endswith('_total') and number_ >= 0, where
        print(f'{name}{{{labels or ""}}} {value}')
assert seen, 'no sample'
