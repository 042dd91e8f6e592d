//! The `ssft-wgpu` program.

fn main() -> std::process::ExitCode {
    ssft_wgpu::cli::main()
}
