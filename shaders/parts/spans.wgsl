// Spans of a plan: lines (first token, number of tokens) that make up one list of tokens.
//
// Expects: plan.

// The token at `position` of the list; 0 beyond its end.
fn token_at(first_span: u32, spans: u32, position: u32) -> u32 {
    var rest = position;
    for (var s = 0u; s < spans; s++) {
        let span = plan[first_span + s];
        if rest < span.y {
            return span.x + rest;
        }
        rest -= span.y;
    }
    return 0u;
}
