use super::*;

fn marked(source: &str) -> Result<String, String> {
    prepare(source, Rewriting::Dialect).map_err(|fault| format!("{}: {}", fault.line, fault.reason))
}

#[test]
fn only_tags_change() {
    let cases = [
        ("{% generation %}a{% endgeneration %}", "{% with %}a{% endwith %}"),
        ("{%- generation -%}a{%+endgeneration+%}", "{%- with -%}a{%+endwith+%}"),
        ("{%\n generation\n%}a{%-endgeneration-%}", "{%\n with\n%}a{%-endwith-%}"),
        ("{# {% generation %} #}{{ '{% generation %}' }}", "{# {% generation %} #}{{ '{% generation %}' }}"),
        (
            "{% raw %}{% generation %}{%- endraw -%}{% generation %}{% endgeneration %}",
            "{% raw %}{% generation %}{%- endraw -%}{% with %}{% endwith %}",
        ),
        ("{% generation x %}{% endgeneration %}", "{% generation x %}{% endwith %}"),
        ("generation {{ generation }} {", "generation {{ generation }} {"),
        (r#"{{ "\"{% generation %}" }}"#, r#"{{ "\"{% generation %}" }}"#),
        ("a\r\nb\rc", "a\nb\nc"),
        (r"{{ '\a\v\/\n\d\U0001f980\U00000027\\' }}", "{{ '\\x07\\x0b\\\\/\\n\\d🦀\\'\\\\' }}"),
        ("{{ 'é' ~ {'a': {1: 2}} }}{{ 'open", "{{ 'é' ~ {'a': {1: 2}} }}{{ 'open"),
    ];
    for (source, expected) in cases {
        assert_eq!(marked(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn sets_are_bounded() {
    let cases = [
        ("{% set a = b %}", "{% set a =( b )|bounded_ %}"),
        ("{%- set n.a = 1, 2 -%}", "{%- set n.a =( 1, 2 )|stored_ -%}"),
        ("{% set a = f(x=1) == 2 %}", "{% set a =( f(x=1) == 2 )|bounded_ %}"),
        ("{% set a %}b{% endset %}", "{% set a %}b{% endset %}"),
        ("{% for a in b -%}", "{% for a in b %}{% set a=(a)|bounded_ -%}"),
        ("{% macro m(a, b=1) %}", "{% macro m(a, b=1) %}{% set a=(a)|bounded_ %}{% set b=(b)|bounded_ %}"),
        ("{% set a | f(x=1) %}b{% endset %}", "{% set a | f(x=1) %}b{% endset %}"),
    ];
    for (source, expected) in cases {
        let prepared = prepare(source, Rewriting::DialectAndBounds);
        assert_eq!(prepared.as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn generation_must_match() {
    let without = "endgeneration without generation, or before the end of a block in it";
    let cases = [
        ("a\n{% generation %}", "2: generation without endgeneration".to_owned()),
        ("{% endgeneration %}", format!("1: {without}")),
        ("{% generation %}\n{% if x %}{% endgeneration %}{% endif %}", format!("2: {without}")),
    ];
    for (source, expected) in cases {
        assert_eq!(marked(source), Err(expected), "{source}");
    }
}
