//! The templates of the pages, in `templates/`.

use crate::error::ReportError;
use minijinja::{Environment, Value};
use ssft_data::forks::fork_name;
use ssft_data::words::percent;

/// Template of the page of one run.
pub(crate) const RUN: &str = "run.html";
/// Template of a page that compares runs.
pub(crate) const COMPARISON: &str = "comparison.html";
/// All templates: what both pages include, then the pages.
const TEMPLATES: [(&str, &str); 4] = [
    ("style.jinja", include_str!("../templates/style.jinja")),
    ("parts.jinja", include_str!("../templates/parts.jinja")),
    (RUN, include_str!("../templates/run.html.jinja")),
    (COMPARISON, include_str!("../templates/comparison.html.jinja")),
];

/// Renders the template `name`. Templates have the filters `percent` (`0.715` as `71.5 %`) and `fork` (`1` as `<think1>`).
pub(crate) fn render(name: &str, page: Value) -> Result<String, ReportError> {
    let mut environment = Environment::new();
    environment.add_filter("percent", percent);
    environment.add_filter("fork", |number: usize| fork_name(number - 1));
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(environment.get_template(name)?.render(page)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::context;

    #[test]
    fn text_of_a_run_is_escaped() {
        let page = render(RUN, context! { title => "<b>", settings => "a < b" }).expect("a page");
        assert!(page.contains("<title>&lt;b&gt;</title>") && page.contains("<pre>a &lt; b</pre>"), "{page}");
    }
}
