//! Arguments of `train`. Every setting is a flag and a key of `--config FILE.toml`.

use super::settings::SettingFlags;
use clap::Args;
use std::path::PathBuf;

/// Settings of the run, its directory and its output.
#[derive(Debug, Clone, Default, Args)]
pub struct TrainArgs {
    /// Settings from a TOML file with the flags' names as keys; flags win
    #[arg(long, value_name = "FILE.toml", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Settings given as flags
    #[command(flatten)]
    pub settings: SettingFlags,
    /// Directory of the run [default: runs/TASK-METHOD, numbered when taken]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub out: Option<PathBuf>,
    /// Continue from the newest checkpoint of --out, with the settings that the run was started with
    #[arg(long, help_heading = "Run")]
    pub resume: bool,
    /// Print errors only
    #[arg(long, help_heading = "Run")]
    pub quiet: bool,
    /// Print only the final evaluation on standard output, as JSON
    #[arg(long, help_heading = "Run")]
    pub json: bool,
}
