//! Functions, filters and methods that jinja2 has and the engine lacks. Every expected text is the output of transformers 5.23 with
//! jinja2 3.1, as in `dialect`.

use super::dialect::{check, rendered};
use super::render_message;

#[test]
fn texts_are_padded() {
    check(&[
        (
            "{{ 'ab'.ljust(5) }}|{{ 'ab'.rjust(5, '-') }}|{{ 'ab'.center(5, '-') }}|{{ 'abc'.center(6) }}|",
            "ab   |---ab|--ab-| abc  |",
        ),
        (
            "{{ '日本🦀'.ljust(5, 'é') }}|{{ '日本🦀'.rjust(4) }}|{{ 'ä'.center(4, '🦀') }}",
            "日本🦀éé| 日本🦀|🦀ä🦀🦀",
        ),
        ("{{ 'ab'.ljust(-9) }}|{{ 'ab'.center(true) }}|{{ ''.rjust(2, '0') }}", "ab|ab|00"),
        (
            "{{ '-5'.zfill(4) }}|{{ '+é'.zfill(5) }}|{{ '--1'.zfill(5) }}|{{ ''.zfill(2) }}|{{ '123'.zfill(-1) }}",
            "-005|+000é|-00-1|00|123",
        ),
        (
            r"{{ 'a\tb\n\tc'.expandtabs() }}|{{ 'aé\tb'.expandtabs(4) }}|{{ 'a\tb'.expandtabs(0) }}|{{ '\ta\r\tb'.expandtabs(2) }}",
            "a       b\n        c|aé  b|ab|  a\r  b",
        ),
        (
            "{{ 'ab' | center(5) }}|{{ 1.5 | center(width=6) }}|{{ none | center(7) }}|{{ ('x' | center) | length }}",
            "  ab | 1.5  |  None |80",
        ),
    ]);
}

#[test]
fn texts_are_searched() {
    check(&[
        (
            "{{ 'aXbXc'.index('X') }}|{{ 'aXbXc'.rindex('X') }}|{{ '日本🦀'.index('🦀') }}|{{ 'abc'.index('') }}|{{ 'abc'.rindex('') }}",
            "1|3|2|0|3",
        ),
        (
            "{{ 'aXbXc'.find('X', 2) }}|{{ 'aXbXc'.find('X', 2, 3) }}|{{ 'aXbXc'.rfind('X', -9, -2) }}|{{ 'é🦀é'.find('é', 1) }}",
            "3|-1|1|2",
        ),
        (
            "{{ 'abc'.find('', 3) }}|{{ 'abc'.find('', 4) }}|{{ 'abc'.rfind('', none, 2) }}|{{ 'abc'.count('', 1) }}|{{ 'aaaa'.count('aa', 1) }}",
            "3|-1|2|3|1",
        ),
        (
            "{{ 'abc'.startswith('b', 1) }}|{{ 'abc'.endswith(('x', 'b'), 0, -1) }}|{{ 'abc'.startswith('', 4) }}|{{ 'abc'.endswith('', 3) }}",
            "True|True|False|True",
        ),
        (
            "{{ [1, 2, 3, 2].index(2) }}|{{ (1, 2, 3, 2).index(2, 2) }}|{{ [1, 2, 3, 2][1:].index(3, -2) }}|{{ messages.index(messages[1]) }}",
            "1|3|1|1",
        ),
        ("{{ [1, 2].copy() }}|{{ {'a': 1}.copy() }}", "[1, 2]|{'a': 1}"),
    ]);
}

#[test]
fn lists_are_sorted() {
    check(&[
        (
            "{{ ['b', 'A', 'c', 'B'] | sort }}|{{ ['b', 'A', 'c', 'B'] | sort(true) }}|{{ ['b', 'A', 'c', 'B'] | sort(false, true) }}",
            "['A', 'b', 'B', 'c']|['c', 'b', 'B', 'A']|['A', 'B', 'b', 'c']",
        ),
        (
            "{{ ['ä', 'Z', 'Ä', 'a'] | sort }}|{{ ['10', '9'] | sort(true) }}|{{ 'hello' | sort }}|{{ {'b': 1, 'a': 2} | sort }}|{{ undefinedvar | sort }}",
            "['a', 'Z', 'ä', 'Ä']|['9', '10']|['e', 'h', 'l', 'l', 'o']|['a', 'b']|[]",
        ),
        (
            "{{ [2.5, 1, true, 1.0] | sort }}|{{ [2.5, 1, true, 1.0] | sort(reverse=true) }}|{{ [[2, 1], [1, 'a'], [1]] | sort }}|{{ [none, none] | sort }}",
            "[1, True, 1.0, 2.5]|[2.5, 1, True, 1.0]|[[1], [1, 'a'], [2, 1]]|[None, None]",
        ),
        (
            "{{ [('b', 2), ('a', 1)] | sort(false, false, 0) }}|{{ [('b', 2), ('a', 1)] | sort(attribute=1) }}|{{ [['b', 2], ['B', 1]] | sort(attribute='0,1') }}",
            "[('a', 1), ('b', 2)]|[('a', 1), ('b', 2)]|[['B', 1], ['b', 2]]",
        ),
        (
            "{{ messages | sort(true, false, 'role') | map(attribute='role') | join(',') }}|{{ [{'a': {'b': 2}}, {'a': {'b': 1}}] | sort(attribute='a.b') }}",
            "user,user,assistant|[{'a': {'b': 1}}, {'a': {'b': 2}}]",
        ),
    ]);
}

#[test]
fn filters_and_helpers() {
    check(&[
        (
            "{{ '' | default('b', boolean=true) }}|{{ undefinedvar | default(default_value='z') }}|{{ none | d('b', true) }}|{{ none | d('b') }}|{{ undefinedvar | d(none) }}|{{ 0 | d('b', 1) }}",
            "b|z|b|None|None|b",
        ),
        (
            "{{ 'foo bar baz qux' | truncate(9) }}|{{ 'foo bar baz qux' | truncate(9, true) }}|{{ 'foo bar baz qux' | truncate(11) }}|{{ 'foo bar baz qux' | truncate(11, false, '…', 0) }}",
            "foo...|foo ba...|foo bar baz qux|foo bar…",
        ),
        (
            "{{ 'é🦀é🦀 é🦀é🦀 é' | truncate(6, leeway=0) }}|{{ 'foobarbaz' | truncate(length=5, killwords=true, end='!', leeway=0) }}|{{ undefinedvar | truncate }}|{{ 'ab' | truncate(0, true, '', 0) }}",
            "é🦀é...|foob!||",
        ),
        (
            "{{ 'foo-bar_baz 12.5' | wordcount }}|{{ 'हिन्दी भाषा' | wordcount }}|{{ '日本語 Ⅷ ² Ⓐ' | wordcount }}|{{ none | wordcount }}|{{ [1, 'b'] | wordcount }}|{{ '' | wordcount }}",
            "4|5|3|1|2|0",
        ),
        (
            "{% set j = joiner() %}{{ j() }}a{{ j() }}b{{ j() }}|{% set j = joiner(sep='-') %}{{ j() }}{{ j() }}|{% set j = joiner(none) %}{{ j() }}{{ j() }}",
            "a, b, |-|None",
        ),
        (
            "{% set c = cycler('a', 2) %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}",
            "a22a2Nonea",
        ),
        (
            "{% set c = cycler('a', 'b') %}{% set n = namespace(c=c) %}{% for m in messages %}{{ n.c.next() }}{% endfor %}{{ c.next() }}",
            "abab",
        ),
        (
            "{% macro m() %}{% endmacro %}{{ m is callable }}{{ range is callable }}{{ namespace(a=1) is callable }}{{ undefinedvar is callable }}{{ none is callable }}{{ messages[0].get is callable }}{{ cycler(1) is callable }}{{ joiner() is callable }}{{ 'a' is callable }}{{ {} is callable }}{{ 'a'.upper is callable }}",
            "TrueTrueFalseTrueFalseTrueFalseTrueFalseFalseTrue",
        ),
        (
            "{% for m in [1] %}{{ loop is callable }}{{ loop.cycle is callable }}{{ loop.index is callable }}{% endfor %}",
            "TrueTrueFalse",
        ),
    ]);
}

/// Templates that fail in jinja2 fail here.
#[test]
fn failures() {
    for source in [
        "{{ 'a'.ljust() }}",
        "{{ 'a'.ljust(3, '--') }}",
        "{{ 'a'.ljust(3, '') }}",
        "{{ 'a'.ljust(3, none) }}",
        "{{ 'a'.rjust(2.0) }}",
        "{{ 'a'.center('4') }}",
        "{{ 'a'.zfill(none) }}",
        "{{ 'a'.ljust(width=3) }}",
        "{{ 'a' | center(2.0) }}",
        "{{ 'a' | center(3, '-') }}",
        "{{ 'abc'.index('x') }}",
        "{{ 'abc'.rindex('a', 1) }}",
        "{{ 'abc'.find(5, 1) }}",
        "{{ 'abc'.find('a', 1.0) }}",
        "{{ 'abc'.count('a', 0, 1, 2) }}",
        "{{ 'abc'.startswith(1, 4) }}",
        "{{ [1].index(2) }}",
        "{{ [1].index(1, none) }}",
        "{{ [1].index() }}",
        "{{ [1, 'a'] | sort }}",
        "{{ messages | sort }}",
        "{{ none | sort }}",
        "{{ [none, 1] | sort }}",
        "{{ [1] | sort(none) }}",
        "{{ [1] | sort('x') }}",
        "{{ [1] | sort(true, reverse=false) }}",
        "{{ messages | sort(attribute='nope.x') }}",
        "{{ [1] | sort(foo=1) }}",
        "{{ 'a' | default('b', true, 1) }}",
        "{{ 'a' | default(foo=1) }}",
        "{{ 'a' | truncate(2) }}",
        "{{ 'a' | truncate(none) }}",
        "{{ 'a' | truncate(9, leeway=-1) }}",
        "{{ 5 | truncate }}",
        "{{ 'a' | truncate(9, end=5) }}",
        "{{ 'a' | wordcount(1) }}",
        "{{ cycler() }}",
        "{{ cycler(1).next(1) }}",
        "{{ cycler(1).nope() }}",
        "{{ joiner(1, 2) }}",
        "{{ joiner()(1) }}",
        "{{ joiner(foo=1) }}",
    ] {
        assert!(rendered(source).is_err(), "{source}");
    }
}

/// What no published template uses, and jinja2 has, is refused by name.
#[test]
fn what_is_not_supported_is_refused() {
    for (source, says) in [
        (
            "{{ '%s' % 1 }}",
            "invalid operation: tried to use % operator on unsupported types string and number",
        ),
        ("{{ 'a'.casefold() }}", "unknown method: string has no method named casefold"),
        ("{{ 'a'.swapcase() }}", "unknown method: string has no method named swapcase"),
        ("{{ 'a'.isdecimal() }}", "unknown method: string has no method named isdecimal"),
        ("{{ 'a'.encode() }}", "unknown method: string has no method named encode"),
        ("{{ [1, 2] | truncate }}", "invalid operation: truncate: not a text"),
        ("{{ cycler([1]) }}", "invalid operation: cycler and joiner take texts and numbers, not a sequence"),
        (
            "{{ joiner([1])() }}",
            "invalid operation: cycler and joiner take texts and numbers, not a sequence",
        ),
        ("{{ 'a b' | wordwrap }}", "unknown filter: filter wordwrap is unknown"),
        ("{{ '<b>' | striptags }}", "unknown filter: filter striptags is unknown"),
    ] {
        assert_eq!(rendered(source).unwrap_err(), render_message(says), "{source}");
    }
}
