//! Templates made to hang, to take all memory or to overflow the stack: each ends in one line, soon.

use super::*;
use std::thread;
use std::time::{Duration, Instant};

/// Time limit of each template on a busy machine; the slowest takes 0.2 s.
const SOON: Duration = Duration::from_secs(10);
/// Stack size of a browser thread, in bytes.
const STACK: usize = 1 << 20;

fn outcome(source: String) -> Result<String, String> {
    let start = Instant::now();
    let small = thread::Builder::new().stack_size(STACK);
    let outcome = small.spawn(move || render(&source, &[user_message("q")])).unwrap().join().unwrap();
    assert!(start.elapsed() < SOON);
    outcome
}

fn check(cases: &[(&str, String)], expected: &str) {
    for (name, source) in cases {
        assert_eq!(outcome(source.clone()).unwrap_err(), expected, "{name}");
    }
}

fn syntax_message(reason: &str) -> String {
    format!("chat template: {reason} (in chat_template:1); correct the model's chat_template")
}

/// A template that repeats `step` on an attribute of a namespace.
fn repeated(step: &str, end: &str) -> String {
    format!("{{% set n = namespace(s=[1], t=[1]) %}}{{% for i in range(90000) %}}{step}{{% endfor %}}{end}")
}

#[test]
fn no_end_and_no_limit() {
    let looped = |step: &str| repeated(step, "");
    let cases = [
        ("loops", "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}".to_owned()),
        ("text", "{{ 'x' * 10**10 }}".to_owned()),
        ("text, again and again", looped("{% set x = 'x' * 10000000 %}")),
        ("doubled text", looped("{% set n.s = n.s ~ n.s %}")),
        ("doubled list", looped("{% set n.s = n.s + n.s %}")),
        ("nested pairs", looped("{% set n.s = [n.s, n.s] %}")),
        ("two pairs", looped("{% set n.s = [n.s, n.s] %}{% set n.t = [n.t, n.t] %}{{ n.s == n.t }}")),
        ("layers of slices", looped("{% set n.s = n.s[:] %}")),
        ("layers of filters", looped("{% set n.s = n.s | map('upper') %}")),
        ("pairs of a macro", "{% macro m(v) %}{{ m([v, v, v, v, v, v, v, v]) if v | length else v ~ '' }}{% endmacro %}{{ m([1]) }}".to_owned()),
        ("pairs of a with", format!("{}{{{{ v ~ '' }}}}{}", "{% with v = [v, v, v, v] %}".repeat(30), "{% endwith %}".repeat(30))),
        ("pairs of a loop", format!("{}{{{{ v ~ '' }}}}{}", "{% for v in [[v, v, v, v]] %}".repeat(30), "{% endfor %}".repeat(30))),
        ("wide number", "{{ '%1000000000d' | format(1) }}".to_owned()),
        ("precise number", "{{ '%.1000000000f' | format(1.0) }}".to_owned()),
        ("indent", "{{ 'x\ny' | indent(10**9) }}".to_owned()),
        ("center, the filter", "{{ 'x' | center(10**10) }}".to_owned()),
        ("center", "{{ 'x'.center(10**12) }}".to_owned()),
        ("ljust", "{{ 'x'.ljust(10**12, 'é') }}".to_owned()),
        ("rjust", looped("{% set n.s = 'x'.rjust(100000) %}")),
        ("zfill", "{{ 'x'.zfill(2**62) }}".to_owned()),
        ("expandtabs", "{{ '\\t'.expandtabs(10**12) }}".to_owned()),
        ("index", looped("{% set n.s = ('x' * 100000).index('x') %}")),
        ("index of a list", looped("{% set n.s = range(1000)[:].index(999) %}")),
        ("sort", looped("{% set n.s = range(1000) | sort %}")),
        ("sort of long texts", "{% set b = 'X' * 1000000 %}{{ ([b] * 1000) | sort | length }}".to_owned()),
        ("sort of long lists", "{% set b = range(10000) | list %}{{ ([b] * 20) | sort | length }}".to_owned()),
        ("wordcount", looped("{% set n.s = ('x ' * 100000) | wordcount %}")),
        ("joiner", looped("{% set j = joiner('x' * 100000) %}{{ j() }}{{ j() }}")),
        ("batch", "{{ [1] | batch(10**9, 0) | list | length }}".to_owned()),
        ("replace", "{{ ('x' * 1000000) | replace('x', 'y' * 1000) }}".to_owned()),
        ("replace, the method", "{{ ('x' * 1000000).replace('', 'y' * 1000) }}".to_owned()),
        ("join", "{{ range(90000) | join('x' * 100000) }}".to_owned()),
        ("join, the method", "{{ ('y' * 1000).join('x' * 1000000) }}".to_owned()),
        (
            "macros",
            "{% macro m(n) %}{% if n < 9 %}{{ m(n + 1) }}{{ m(n + 1) }}{{ m(n + 1) }}{{ m(n + 1) }}{{ m(n + 1) }}{% endif %}{% endmacro %}{{ m(0) }}"
                .to_owned(),
        ),
        ("long list", format!("{{{{ [{}] }}}}", "1,".repeat(300_000))),
        ("many tags", "{{1}}".repeat(200_000)),
        ("json", looped("{{ messages | tojson }}")),
    ];
    let expected = "chat template: stopped after 202000 units of work, it probably never ends; correct the model's chat_template";
    check(&cases, expected);
}

#[test]
fn values_inside_one_another() {
    let cases = [
        ("printed", repeated("{% set n.s = [n.s] %}", "{{ n.s }}")),
        ("dropped", repeated("{% set n.s = [n.s] %}", "")),
        ("maps", repeated("{% set n.s = {1: n.s} %}", "")),
        ("step by step", format!("{{% set a = [1] %}}{}", "{% set a = [a] %}".repeat(50_000))),
    ];
    check(&cases, &render_message("invalid operation: more than 32 lists or maps inside one another"));
    let cycles = [
        ("itself", "{% set n = namespace() %}{% set n.a = n %}{{ n }}".to_owned()),
        ("in a list", "{% set n = namespace() %}{% set l = [n] %}{% set n.a = l %}{{ n }}".to_owned()),
        (
            "in a loop",
            "{% set n = namespace() %}{% for x in [n, n] %}{% set n.a = loop %}{% endfor %}{{ n }}"
                .to_owned(),
        ),
        (
            "in pairs",
            "{% set n = namespace() %}{% set m = namespace(a=n) %}{% set n.a = m %}{{ n == m }}".to_owned(),
        ),
    ];
    check(&cycles, &render_message("invalid operation: a namespace cannot hold a namespace"));
}

#[test]
fn what_the_engine_refuses() {
    let recursion = "invalid operation: recursion limit exceeded";
    let cases = [
        ("{{ range(10**12) }}", "invalid operation: range has too many elements"),
        ("{{ 'x' | wordwrap(10**10) }}", "unknown filter: filter wordwrap is unknown"),
        (
            "{% set c = cycler([1]) %}",
            "invalid operation: cycler and joiner take texts and numbers, not a sequence",
        ),
        (
            "{% set j = joiner(joiner()) %}",
            "invalid operation: cycler and joiner take texts and numbers, not a plain object",
        ),
        (
            "{{ '%1000000000d' % 1 }}",
            "invalid operation: tried to use % operator on unsupported types string and number",
        ),
        ("{{ '{:1000000000}'.format(1) }}", "invalid operation: format: a width of more than three digits"),
        ("{{ [[1]] | sum(start=[]) }}", "invalid operation: sum: start must be a number"),
        ("{{ 10**10**10 }}", "invalid operation: unable to calculate 10000000000 ** 10"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", recursion),
        ("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", recursion),
        ("{% block a %}{{ self.a() }}{% endblock %}", recursion),
        ("{% include 'x' %}", "template not found: tried to include non-existing template 'x'"),
        ("{% include 'chat_template' %}", "could not render include: error in \"chat_template\""),
        ("{% import 'x' as y %}", "template not found: tried to include non-existing template 'x'"),
        ("{% extends 'x' %}", "template not found: template \"x\" does not exist"),
        (
            "{% extends 'chat_template' %}",
            "invalid operation: cycle in template inheritance. \"chat_template\" was referenced more than once",
        ),
    ];
    for (source, reason) in cases {
        assert_eq!(outcome(source.to_owned()).unwrap_err(), render_message(reason), "{source}");
    }
}

/// The engine divides by the number of arguments.
#[test]
fn a_panic_of_the_engine_is_an_error() {
    let error = outcome("{% for x in [1] %}{{ loop.cycle() }}{% endfor %}".to_owned()).unwrap_err();
    let says = "chat template: invalid operation: the template engine failed; change the messages, or the model's chat_template";
    assert_eq!(error, says);
}

#[test]
fn deep_sources() {
    const MANY: usize = 100_000;
    let around = |open: &str, close: &str| format!("{{{{ {}1{} }}}}", open.repeat(MANY), close.repeat(MANY));
    let brackets = [
        ("parentheses", around("(", ")")),
        ("lists", around("[", "]")),
        ("maps", around("{1:", "}")),
        ("subscripts", around("a[", "]")),
        ("calls", around("a(", ")")),
        ("arguments of filters", around("1|d(", ")")),
        ("targets", format!("{{% set {}a{} = 1 %}}", "(".repeat(MANY), ")".repeat(MANY))),
        ("unclosed", "{{".repeat(MANY)),
    ];
    check(&brackets, &syntax_message("more than 32 brackets inside one another"));
    let chains = [
        "+1",
        "~1",
        "**1",
        " or 1",
        " < 1",
        ".x",
        "[0]",
        "()",
        "|d",
        " is d",
        " if 1",
        " if 1 else 1",
        " if 1 else not - 1",
    ];
    let chains = chains.map(|link| (link, format!("{{{{ x{} }}}}", link.repeat(MANY / 2))));
    let words = syntax_message("more than 300 names and operators in one tag");
    check(&chains, &words);
    let signs = ["not ", "- ", "- not "].map(|sign| (sign, format!("{{{{ {}1 }}}}", sign.repeat(MANY))));
    check(&signs, &words);
    let blocks = [
        ("if", "{% if true %}".repeat(MANY / 2)),
        ("for", "{% for x in [1] %}".repeat(MANY / 2)),
        ("generation", "{% generation %}".repeat(MANY / 2)),
        ("elif", format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(MANY / 2))),
    ];
    check(&blocks, &syntax_message("more than 64 blocks inside one another"));
    check(&[("long", "x".repeat(100_000_000))], &syntax_message("100000000 bytes long, more than 1048576"));
}

/// The limits fit the stack: a template just within them compiles and renders, or fails with an error.
#[test]
fn sources_at_the_limits() {
    let within =
        |open: &str, inside: &str, close: &str| format!("{}{inside}{}", open.repeat(64), close.repeat(64));
    let chains = ["+1", "~1", " or 1", "|d", " if 1 else 1", "**1"]
        .map(|link| format!("{{{{ {}1{}{} }}}}", "(".repeat(16), link.repeat(100), ")".repeat(16)));
    for chain in chains {
        outcome(within("{% if true %}", &chain, "{% endif %}")).ok();
        outcome(within("{% for x in [1] %}", &chain, "{% endfor %}")).ok();
        outcome(within("{% generation %}", &chain, "{% endgeneration %}")).ok();
        outcome(chain).ok();
    }
    let signs = format!("{{{{ {}1 }}}}", "not ".repeat(290));
    assert_eq!(outcome(signs).as_deref(), Ok("True"));
    let deep = format!("{{{{ {}1{} }}}}", "[".repeat(32), "]".repeat(32));
    assert_eq!(outcome(deep).unwrap(), format!("{}1{}", "[".repeat(32), "]".repeat(32)));
    let elifs = format!("{{% if false %}}{}{{% else %}}x{{% endif %}}", "{% elif false %}".repeat(63));
    assert_eq!(outcome(elifs).as_deref(), Ok("x"));
}

#[test]
fn a_long_message_is_cut() {
    let error = outcome("{{ raise_exception('a\n' * 100000) }}".to_owned()).unwrap_err();
    assert!(error.starts_with("chat template: invalid operation: a\\na\\n"), "{error}");
    assert!(error.ends_with("..; change the messages, or the model's chat_template"), "{error}");
    assert!(error.len() < 1000, "{}", error.len());
}
