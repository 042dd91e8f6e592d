//! What transformers 5.23 with jinja2 3.1 makes of small templates: every expected text here is its output, for the
//! chat below, `bos_token = '<s>'`, `eos_token = '</s>'` and `pad_token = '<pad>'`.

use super::*;

pub(super) fn rendered(source: &str) -> Result<String, String> {
    let chat = [message("user", " hi é\n"), message("assistant", "<think>x</think>yo"), message("user", "q")];
    let tokens = TemplateTokens { bos: Some("<s>"), eos: Some("</s>"), pad: Some("<pad>"), unk: None };
    let template = Template::new(source).map_err(|error| error.to_string())?;
    assert_eq!(template.source(), source);
    template.render(&chat, tokens).map_err(|error| error.to_string())
}

pub(super) fn check(cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(rendered(source).as_deref(), Ok(*expected), "{source}");
    }
}

#[test]
fn tojson_is_json_dumps() {
    check(&[
        ("{{ messages[0] | tojson }}", "{\"role\": \"user\", \"content\": \" hi é\\n\"}"),
        (
            "{{ messages[:1] | tojson(indent=2) }}",
            "[\n  {\n    \"role\": \"user\",\n    \"content\": \" hi é\\n\"\n  }\n]",
        ),
        (
            "{{ [messages[2], 1] | tojson(indent='--') }}",
            "[\n--{\n----\"role\": \"user\",\n----\"content\": \"q\"\n--},\n--1\n]",
        ),
        ("{{ [1, {}] | tojson(indent=0) }}", "[\n1,\n{}\n]"),
        ("{{ messages[2] | tojson(separators=(',', ':')) }}", "{\"role\":\"user\",\"content\":\"q\"}"),
        ("{{ [[], {}, [1]] | tojson(indent=1, separators=[',', '=']) }}", "[\n [],\n {},\n [\n  1\n ]\n]"),
        ("{{ {'b': 1, 'a': {'d': 2, 'c': 3}} | tojson }}", "{\"b\": 1, \"a\": {\"d\": 2, \"c\": 3}}"),
        (
            "{{ {'b': 1, 'a': {'d': 2, 'c': 3}} | tojson(sort_keys=true) }}",
            "{\"a\": {\"c\": 3, \"d\": 2}, \"b\": 1}",
        ),
        (
            "{{ [1.0, 1e16, 1e15, 1e-5, 0.0001, -0.0, 1.5e300, 0.1, 123456789012345678] | tojson }}",
            "[1.0, 1e+16, 1000000000000000.0, 1e-05, 0.0001, -0.0, 1.5e+300, 0.1, 123456789012345678]",
        ),
        ("{{ [true, false, none, 'a'] | tojson }}", "[true, false, null, \"a\"]"),
        ("{{ {1: 2, none: 3, true: 4, 1.5: 6} | tojson }}", "{\"1\": 4, \"null\": 3, \"1.5\": 6}"),
        (
            r#"{{ '<>&\'"\\\n\r\t\b\f\x01\x7fé\u2028🦀/' | tojson }}"#,
            "\"<>&'\\\"\\\\\\n\\r\\t\\b\\f\\u0001\u{7f}é\u{2028}🦀/\"",
        ),
        (r"{{ 'é🦀\x7f' | tojson(ensure_ascii=true) }}", "\"\\u00e9\\ud83e\\udd80\\u007f\""),
        ("{{ 'é' | tojson(true) }}", "\"\\u00e9\""),
        ("{{ [1, 2] | tojson(false, 1) }}", "[\n 1,\n 2\n]"),
        ("{{ (1, 2) | tojson }}", "[1, 2]"),
        ("{{ messages[2] | tojson | length }}", "32"),
        ("{{ none | tojson ~ '.' }}", "null."),
    ]);
}

#[test]
fn tojson_refuses() {
    let cases = [
        ("{{ undefinedvar | tojson }}", "invalid operation: undefined is not JSON serializable"),
        ("{{ {(1, 2): 3} | tojson }}", "invalid operation: a key of kind sequence is not JSON serializable"),
        (
            "{{ 1 | tojson(indent=65) }}",
            "invalid operation: tojson: indent must be a text or a number up to 64",
        ),
        ("{{ 1 | tojson(separators='a') }}", "invalid operation: tojson: separators must be two texts"),
        ("{{ 1 | tojson(foo=1) }}", "too many arguments: unknown keyword argument 'foo'"),
    ];
    for (source, reason) in cases {
        let error = rendered(source).unwrap_err();
        assert_eq!(error, render_message(reason), "{source}");
    }
}

#[test]
fn indent_keeps_every_line_end() {
    check(&[
        (r"{{ 'a\nb' | indent }}", "a\n    b"),
        (r"{{ 'a\nb\n' | indent(2) }}", "a\n  b\n"),
        (r"{{ 'a\n\nb\n\n' | indent(2) }}", "a\n\n  b\n\n"),
        (r"{{ 'a\n\nb\n\n' | indent(2, true) }}", "  a\n\n  b\n\n"),
        (r"{{ 'a\n\nb\n' | indent(2, blank=true) }}", "a\n  \n  b\n  "),
        (r"{{ 'a\n\nb\n' | indent(width='--', first=true, blank=true) }}", "--a\n--\n--b\n--"),
        (r"{{ '' | indent(2, true) }}.", "  ."),
        (r"{{ '\n' | indent(2, true) }}.", "  \n."),
        (r"{{ '\n' | indent(2, true, true) }}.", "  \n  ."),
        (r"{{ 'a\r\nb\rc\x0bd\x85e\u2028f' | indent(1) }}", "a\n b\n c\n d\n e\n f"),
        (r"{{ 'a\r' | indent(2, blank=true) }}.", "a."),
        (r"{{ 'a\r\r' | indent(2, blank=true) }}.", "a\n  ."),
        (r"{{ 'a\r\n' | indent(2, blank=true) }}.", "a\n  ."),
        (r"{{ '\r' | indent(2, true) }}.", "  ."),
        (r"{{ 'a\x1fb\x1dc\x0c' | indent(1) }}", "a\x1fb\n c\n"),
        (r"{{ 'a\nb' | indent('\n') }}", "a\n\nb"),
        (r"{{ 'a\nb' | indent(2, none, none) }}", "a\n  b"),
        (r"{{ 'a\nb' | indent('', first=true) }}", "a\nb"),
        (r"{{ 'a\nb' | indent(0) }}", "a\nb"),
        (r"{{ 'a\nb' | indent(-3) }}", "a\nb"),
        (r"{{ 'a\nb' | indent(true) }}", "a\n b"),
        (r"{{ 'é\nü' | indent('→') }}", "é\n→ü"),
        (r"{{ 'a\n ' | indent(first=1) }}", "    a\n     "),
        (r"{{ [1, 2] | tojson(indent=1) | indent(3) }}", "[\n    1,\n    2\n   ]"),
    ]);
    for source in [
        "{{ 3 | indent }}",
        "{{ none | indent }}",
        "{{ x | indent }}",
        "{{ 'a' | indent(2.0) }}",
        "{{ 'a' | indent(none) }}",
        "{{ 'a' | indent(width=x) }}",
        "{{ 'a' | indent([]) }}",
        "{{ 'a' | indent(2, width=2) }}",
        "{{ 'a' | indent(2, true, first=true) }}",
        "{{ 'a' | indent(2, true, true, true) }}",
        "{{ 'a' | indent(indentfirst=true) }}",
    ] {
        rendered(source).unwrap_err();
    }
}

#[test]
fn generation_only_marks() {
    check(&[
        ("a\n  {% generation %}\n  b\n  {% endgeneration %}\nc", "a\n  b\nc"),
        ("a\n  {%- generation %}\n  b\n  {%- endgeneration -%}\n c", "a  bc"),
        ("a\n  {%+ generation %}\n  b\n  {%+ endgeneration +%}\n c", "a\n    b\n  \n c"),
        ("{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}", "21"),
        ("{% set n = namespace(x=1) %}{% generation %}{% set n.x = 2 %}{% endgeneration %}{{ n.x }}", "2"),
        (
            "{% for m in messages %}{% generation %}{{ loop.index }}{{ m.role }}{% endgeneration %}{% endfor %}",
            "1user2assistant3user",
        ),
        (
            "{% raw %}{% generation %}{% endraw %}{{ '{% endgeneration %}' }}{# {% generation %} #}",
            "{% generation %}{% endgeneration %}",
        ),
        ("{%generation%}a{%endgeneration%}b", "ab"),
    ]);
}

#[test]
fn white_space() {
    check(&[
        ("a\n  {% if true %}\n    b\n  {% endif %}\nc\n", "a\n    b\nc"),
        ("a\n  {%- if true %}\n    b\n  {%- endif %}\nc\n\n", "a    bc\n"),
        ("a\n  {%+ if true %}\n    b\n  {%+ endif %}\nc", "a\n      b\n  c"),
        ("a {% if true -%}\n  b {%- endif +%}\n c", "a b\n c"),
        ("  {{ 1 -}}\n  {#- c -#}\n  x", "  1x"),
        ("x {% set y = 1 %}\nz", "x z"),
        ("a\r\n{% if true %}\r\nb\r\n{% endif %}\r\nc\r\n", "a\nb\nc"),
        ("a\rb{{ 'c\r\nd' }}", "a\nbc\nd"),
        ("{%- for m in messages -%} {{ m.role }} {%- endfor -%}\n", "userassistantuser"),
        ("{%- raw -%} {{ x }} {%- endraw -%} y", "{{ x }}y"),
        ("{{ 1\n}}\n", "1"),
    ]);
}

#[test]
fn methods_filters_and_tests() {
    check(&[
        (r"{{ '\x1c a \x1f\x85\xa0'.strip() ~ '|' ~ ('\x1d b ' | trim) }}", "a|b"),
        ("{{ 'xxaxx'.lstrip('x') ~ 'xxaxx'.rstrip('x') }}", "axxxxa"),
        (r"{{ 'a\x1cb  c'.split() }}", "['a', 'b', 'c']"),
        ("{{ 'a b c d'.split(' ', 1) }}", "['a', 'b c d']"),
        ("{{ 'a b  c d'.split(maxsplit=1) }}", "['a', 'b  c d']"),
        ("{{ ' a  b c '.rsplit(none, 1) }}", "[' a  b', 'c']"),
        ("{{ 'a-b-c'.rsplit('-', 1) }}", "['a-b', 'c']"),
        ("{{ 'a-b-c'.partition('-') }}", "('a', '-', 'b-c')"),
        ("{{ 'abc'.rpartition('x') }}", "('', '', 'abc')"),
        (r"{{ 'a\r\nb\x0bc\x85d\u2028e\n'.splitlines() }}", "['a', 'b', 'c', 'd', 'e']"),
        (r"{{ 'a\r\nb\n'.splitlines(keepends=true) }}", "['a\\r\\n', 'b\\n']"),
        ("{{ '-'.join(['a', 'b']) }}", "a-b"),
        ("{{ 'abc'.replace('', '-') }}", "-a-b-c-"),
        ("{{ 'aaa'.replace('a', 'b', 1) }}", "baa"),
        ("{{ 'abc'.removeprefix('a') ~ 'abc'.removesuffix('c') }}", "bcab"),
        (r"{{ '\x1c'.isspace() }}", "True"),
        ("{{ '{0} {x} {1:>3}'.format('a', 1, x=2) }}", "a 2   1"),
        ("{{ {'a': 1}.get('b', 'c') ~ {'a': 1}.get('b') }}", "cNone"),
        ("{{ 'abc'.startswith(('x', 'a')) }}", "True"),
        ("{{ none is iterable }}", "False"),
        ("{{ undefinedvar is iterable }}", "True"),
        ("{{ 'abc' is sequence }}", "True"),
        ("{{ {} is mapping }}", "True"),
        ("{{ undefinedvar is sequence }}", "True"),
        ("{{ true is boolean }}", "True"),
        ("{{ 'a' 'b' ~ 1 ~ none ~ true ~ 1.5 }}", "ab1NoneTrue1.5"),
        ("{{ 1e16 ~ '' if false else 1e16 }}", "1e+16"),
        ("{{ 0.00001 }}", "1e-05"),
        ("{{ 7 // 2 ~ '|' ~ 7 / 2 ~ '|' ~ 2 ** 10 }}", "3|3.5|1024"),
        ("{{ 'a' * 3 }}", "aaa"),
        (r"{{ [none, true, 'a\n\'', 1.5, {'b': (1,)}] }}", "[None, True, \"a\\n'\", 1.5, {'b': (1,)}]"),
        ("{{ messages[::-1][0].role ~ messages[1:] | length }}", "user2"),
        ("{{ messages | map(attribute='role') | join(',') }}", "user,assistant,user"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "2"),
        ("{{ (none | default('x', true)) ~ (undefinedvar | d('y')) }}", "xy"),
        ("{{ pad_token ~ (unk_token is defined) ~ (bos_token is defined) }}", "<pad>FalseTrue"),
        ("{{ tools is none and documents is none and add_generation_prompt }}", "True"),
        ("{{ {'z': 1, 'a': 2} }}", "{'z': 1, 'a': 2}"),
        ("{{ 1 if false }}", ""),
        (r"{{ '\q\d\/\a\v\U0001f980' | tojson }}", "\"\\\\q\\\\d\\\\/\\u0007\\u000b🦀\""),
        ("{% for k, v in {'z': 1, 'a': 2}.items() %}{{ k }}{{ v }}{% endfor %}", "z1a2"),
        (
            "{% macro m(a, b='x', c=none) %}[{{ a }}{{ b }}{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=3) | trim }}",
            "[1xNone][1x3]",
        ),
        ("{% set x = messages[1:] %}{% set y, z = 1, (2, 3) %}{{ x | length }}{{ y }}{{ z }}", "21(2, 3)"),
        (
            "{% set x %}a{% endset %}{{ x }}{% set ns = namespace(l=[]) %}{% for i in [1, 2] %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.l }}",
            "a[1, 2]",
        ),
        (
            "{% for m in messages if m.role == 'user' %}{{ loop.index }}{{ loop.last }}{{ loop.previtem is defined }}{% else %}none{% endfor %}",
            "1FalseFalse2TrueTrue",
        ),
        ("{% set x = undefinedvar %}{{ x is defined }}{% set f = messages[0].get %}", "False"),
        (
            "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{{ m.role }}{% break %}{% endfor %}",
            "assistant",
        ),
        (
            "{% if false %}{{ undefinedvar.x }}{% endif %}{{ undefinedvar }}{{ messages[9] }}{{ messages[0].name }}.",
            ".",
        ),
    ]);
}

/// Templates that fail in jinja2 fail here.
#[test]
fn failures() {
    let sources = [
        "{{ unk_token + 'a' }}",
        "{{ undefinedvar.x }}",
        "{{ messages[9].role }}",
        "{{ 'a' + 1 }}",
        "{{ none | length }}",
        "{{ [1] | chain([2]) }}",
        "{{ debug() }}",
        "{{ ','.join([1]) }}",
        "{{ [1].append(2) }}",
        "{% set n = namespace() %}{% set n._a = 1 %}",
        "{% break %}",
        "{% generation x %}{% endgeneration %}",
    ];
    for source in sources {
        assert!(rendered(source).is_err(), "{source}");
    }
}

#[test]
fn days_as_python_writes_them() {
    const FORMAT: &str = "%d %b %Y|%A %B %a %h %j %m %y %C %e %u %w %U %W %V %G %g|%H:%M:%S %I %p %P %k %l %f|%F %D %T %R %r %c %x %X|%-d %_d %-m %_m %0e %^a %^B %-j|%% %n %t %z%Z.";
    let cases = [
        (
            (2024, 7, 6),
            "06 Jul 2024|Saturday July Sat Jul 188 07 24 20  6 6 6 26 27 27 2024 24|00:00:00 12 AM am  0 12 000000|2024-07-06 07/06/24 00:00:00 00:00 12:00:00 AM Sat Jul  6 00:00:00 2024 07/06/24 00:00:00|6  6 7  7 06 SAT JULY 188|% \n \t .",
        ),
        (
            (9999, 12, 31),
            "31 Dec 9999|Friday December Fri Dec 365 12 99 99 31 5 5 52 52 52 9999 99|00:00:00 12 AM am  0 12 000000|9999-12-31 12/31/99 00:00:00 00:00 12:00:00 AM Fri Dec 31 00:00:00 9999 12/31/99 00:00:00|31 31 12 12 31 FRI DECEMBER 365|% \n \t .",
        ),
        (
            (2021, 1, 3),
            "03 Jan 2021|Sunday January Sun Jan 003 01 21 20  3 7 0 01 00 53 2020 20|00:00:00 12 AM am  0 12 000000|2021-01-03 01/03/21 00:00:00 00:00 12:00:00 AM Sun Jan  3 00:00:00 2021 01/03/21 00:00:00|3  3 1  1 03 SUN JANUARY 3|% \n \t .",
        ),
        (
            (2020, 12, 31),
            "31 Dec 2020|Thursday December Thu Dec 366 12 20 20 31 4 4 52 52 53 2020 20|00:00:00 12 AM am  0 12 000000|2020-12-31 12/31/20 00:00:00 00:00 12:00:00 AM Thu Dec 31 00:00:00 2020 12/31/20 00:00:00|31 31 12 12 31 THU DECEMBER 366|% \n \t .",
        ),
        (
            (2024, 12, 30),
            "30 Dec 2024|Monday December Mon Dec 365 12 24 20 30 1 1 52 53 01 2025 25|00:00:00 12 AM am  0 12 000000|2024-12-30 12/30/24 00:00:00 00:00 12:00:00 AM Mon Dec 30 00:00:00 2024 12/30/24 00:00:00|30 30 12 12 30 MON DECEMBER 365|% \n \t .",
        ),
        (
            (2000, 2, 29),
            "29 Feb 2000|Tuesday February Tue Feb 060 02 00 20 29 2 2 09 09 09 2000 00|00:00:00 12 AM am  0 12 000000|2000-02-29 02/29/00 00:00:00 00:00 12:00:00 AM Tue Feb 29 00:00:00 2000 02/29/00 00:00:00|29 29 2  2 29 TUE FEBRUARY 60|% \n \t .",
        ),
        (
            (1999, 3, 1),
            "01 Mar 1999|Monday March Mon Mar 060 03 99 19  1 1 1 09 09 09 1999 99|00:00:00 12 AM am  0 12 000000|1999-03-01 03/01/99 00:00:00 00:00 12:00:00 AM Mon Mar  1 00:00:00 1999 03/01/99 00:00:00|1  1 3  3 01 MON MARCH 60|% \n \t .",
        ),
    ];
    let source = format!("{{{{ strftime_now('{FORMAT}') }}}}");
    for ((year, month, day), expected) in cases {
        let template = Template::new(&source).unwrap().on(Date::new(year, month, day).unwrap());
        let text = template.render(&[], TemplateTokens::default()).unwrap();
        assert_eq!(text, expected, "{year}-{month}-{day}");
    }
}

#[test]
fn a_day_must_be_given_and_its_format_known() {
    let question = "{{ strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' }}";
    let on = |source: &str| Template::new(source).unwrap().on(Date::new(2024, 2, 29).unwrap());
    assert_eq!(rendered(question).as_deref(), Ok("26 Jul 2024"));
    assert_eq!(on(question).render(&[], TemplateTokens::default()).unwrap(), "29 Feb 2024");
    for format in ["%Q", "%", "%-", "a%é", "%Ey"] {
        let error = on(&format!("{{{{ strftime_now('{format}') }}}}")).render(&[], TemplateTokens::default());
        let expected = format!("invalid operation: strftime_now: {format:?} is no date format");
        assert_eq!(error.unwrap_err().to_string(), render_message(&expected));
    }
}
