//! Plans of attention that devices hold: uploaded once for a forest, read by every layer.

use burn::backend::CubeDevice;
use burn::cubecl::server::Handle;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Kind of the tiles of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tiles {
    /// The rows of a tile are pairs of a query and a head.
    Queries,
    /// The rows of a tile are keys.
    Keys,
}

/// What a plan depends on, besides the forest.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanKey {
    /// Device that holds the plan.
    pub device: CubeDevice,
    /// Query heads that share a key head.
    pub group: usize,
    /// Kind of its tiles.
    pub tiles: Tiles,
}

/// A plan on a device: two lines of four numbers for each tile, then one line for each span.
#[derive(Clone)]
pub struct Plan {
    /// The lines.
    pub buffer: Handle,
    /// Number of tiles.
    pub tiles: usize,
}

/// The plans of one forest.
#[derive(Default)]
pub struct PlanCache(Mutex<Vec<(PlanKey, Plan)>>);

impl fmt::Debug for PlanCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlanCache").finish_non_exhaustive()
    }
}

impl PlanCache {
    /// The plan for `key`, which `make` makes and uploads at the first call.
    pub fn get_or_make(&self, key: PlanKey, make: impl FnOnce() -> Plan) -> Plan {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = plans.iter().find(|(known, _)| *known == key) {
            return plan.clone();
        }
        let plan = make();
        plans.push((key, plan.clone()));
        plan
    }
}
