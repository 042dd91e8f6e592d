// Uniform of the shaders that compute gradients of one chunk of the logits: row_count targets by `chunk` tokens.

struct Shape {
    // Columns of hidden states and weight, in quads.
    width: u32,
    vocab: u32,
    // The targets first_target .. first_target + row_count.
    first_target: u32,
    row_count: u32,
    // The tokens first_column .. first_column + chunk, where chunk is a multiple of 128. The last chunk can reach beyond
    // the vocabulary.
    first_column: u32,
    chunk: u32,
    // Tiles of 128 rows in the shader's result.
    row_tiles: u32,
    groups: u32,
    groups_x: u32,
}
