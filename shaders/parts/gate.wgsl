// Shared by the forward and the backward pass of silu(gate) up.

struct Shape {
    count: u32,
    groups: u32,
    groups_x: u32,
}

// The limit of 87 keeps exp finite; at x = -87 the result is 1e-38, which replaces 0 below that.
fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(min(-x, 87.0)));
}
