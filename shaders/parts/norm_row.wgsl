// One row of a root mean square normalisation: 64 lanes take every 64th number of it.
//
// Expects: alias LaneSum, f32 or a vector of f32.

struct Shape {
    width: u32,
    epsilon: f32,
    groups: u32,
    groups_x: u32,
}

var<workgroup> sums: array<LaneSum, 64>;
var<workgroup> eighths: array<LaneSum, 8>;

// Sum over all lanes, the same bits in each of them.
fn sum_of_lanes(lane: u32, value: LaneSum) -> LaneSum {
    sums[lane] = value;
    workgroupBarrier();
    if lane < 8u {
        var sum = LaneSum();
        for (var i = 0u; i < 8u; i++) {
            sum += sums[lane + 8u * i];
        }
        eighths[lane] = sum;
    }
    workgroupBarrier();
    var sum = LaneSum();
    for (var i = 0u; i < 8u; i++) {
        sum += eighths[i];
    }
    return sum;
}
