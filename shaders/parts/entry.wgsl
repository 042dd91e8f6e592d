// Entry point of every shader: each lane calls run(id, lane), with the number of its workgroup and its number in it.
//
// The host folds any number of workgroups into a grid that is groups_x wide, because one dimension of a dispatch
// holds at most 65,535 of them. The last line of the grid can be longer than the work; the rest of it returns.
//
// Expects: LANES (define), the uniform `shape` with the fields `groups` and `groups_x`, and
// fn run(id: u32, lane: u32).

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id < shape.groups {
        run(id, lane);
    }
}
