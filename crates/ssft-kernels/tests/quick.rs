use burn::tensor::{Device, Tensor, TensorData};
use ssft_kernels::*;
fn wave(n: usize, p: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * p).sin()).collect()
}
#[test]
fn attention_quick() {
    let d = Device::flex().autodiff();
    let node = |parent, length, new| Node { parent, length, new };
    let forest = Forest::new(&[
        node(None, 5, 5),
        node(Some(0), 70, 70),
        node(Some(0), 3, 3),
        node(Some(2), 4, 4),
        node(None, 7, 7),
        node(Some(4), 9, 9),
    ]);
    let (h, g, hd) = (4, 2, 8);
    let q0 = wave(forest.queries() * h * hd, 1.7);
    let k0 = wave(forest.keys() * g * hd, 2.3);
    let v0 = wave(forest.keys() * g * hd, 0.7);
    let run = |f: fn(Tensor<3>, Tensor<3>, Tensor<3>, &Forest) -> Tensor<3>| {
        let q =
            Tensor::<3>::from_data(TensorData::new(q0.clone(), [forest.queries(), h, hd]), &d).require_grad();
        let k =
            Tensor::<3>::from_data(TensorData::new(k0.clone(), [forest.keys(), g, hd]), &d).require_grad();
        let v =
            Tensor::<3>::from_data(TensorData::new(v0.clone(), [forest.keys(), g, hd]), &d).require_grad();
        let o = f(q.clone(), k.clone(), v.clone(), &forest);
        let w = Tensor::<3>::from_data(
            TensorData::new(wave(forest.queries() * h * hd, 0.3), [forest.queries(), h, hd]),
            &d,
        );
        let gr = (o.clone() * w).sum().backward();
        [o.inner(), q.grad(&gr).unwrap(), k.grad(&gr).unwrap(), v.grad(&gr).unwrap()]
            .map(|t| t.into_data().try_to_vec::<f32>().unwrap())
    };
    let a = run(tree_attention);
    let b = run(reference::tree_attention);
    for (a, b) in a.iter().zip(&b) {
        let e = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
        println!("{e}");
        assert!(e < 1e-4);
    }
}
