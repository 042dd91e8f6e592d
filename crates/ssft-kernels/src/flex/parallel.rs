//! Parallel iterators: rayon, or in a browser, whose module has one thread, plain iterators under the same names.

#[cfg(not(target_family = "wasm"))]
pub use rayon::prelude::*;

#[cfg(target_family = "wasm")]
mod alone {
    use std::slice::{Chunks, ChunksMut};

    /// Stands for rayon's `ParallelSlice` and `ParallelSliceMut`.
    pub trait InChunks<T> {
        fn par_chunks(&self, size: usize) -> Chunks<'_, T>;
        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T>;
    }

    impl<T> InChunks<T> for [T] {
        fn par_chunks(&self, size: usize) -> Chunks<'_, T> {
            self.chunks(size)
        }

        fn par_chunks_mut(&mut self, size: usize) -> ChunksMut<'_, T> {
            self.chunks_mut(size)
        }
    }

    /// Stands for rayon's `IntoParallelIterator`.
    pub trait IntoAlone: IntoIterator + Sized {
        fn into_par_iter(self) -> Self::IntoIter {
            self.into_iter()
        }
    }

    impl<I: IntoIterator> IntoAlone for I {}

    /// Stands for the method of `ParallelIterator` that plain iterators lack.
    pub trait WithScratch: Iterator + Sized {
        fn for_each_init<S>(self, init: impl Fn() -> S, mut work: impl FnMut(&mut S, Self::Item)) {
            let mut scratch = init();
            self.for_each(|item| work(&mut scratch, item));
        }
    }

    impl<I: Iterator> WithScratch for I {}
}

#[cfg(target_family = "wasm")]
pub use alone::*;
