//! Translation of WGSL into every language that wgpu gives to a driver, by naga, the compiler of wgpu.

use naga::back::{hlsl, msl, spv};
use naga::front::wgsl::{Frontend, Options};
use naga::valid::{Capabilities, ModuleInfo, SubgroupOperationSet, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ShaderStage, valid::ShaderStages};
use std::io::Write;
use std::process::Command;

/// WebGPU's default limit of storage buffers in a shader.
const STORAGE_BUFFERS: usize = 8;
/// WebGPU's default limit of invocations in a workgroup.
const INVOCATIONS: u32 = 256;
/// WebGPU's default limit of workgroup memory, in bytes.
const WORKGROUP_BYTES: u32 = 16 << 10;
/// WebGPU's default limits of the dimensions of a workgroup.
const WORKGROUP_SIZE: [u32; 3] = [256, 256, 64];

/// A valid WGSL text.
pub struct Shader {
    name: String,
    pub module: Module,
    info: ModuleInfo,
}

impl Shader {
    /// As [`Shader::parse`].
    ///
    /// # Panics
    /// With the compiler's message, if the text is not valid.
    pub fn new(name: &str, text: &str, capabilities: Capabilities) -> Self {
        Self::parse(name, text, capabilities).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Parses and validates `text`. `capabilities` are those that it may use beyond core WebGPU.
    ///
    /// # Errors
    /// The compiler's message, which names the lines of `text`.
    pub fn parse(name: &str, text: &str, capabilities: Capabilities) -> Result<Self, String> {
        let mut options = Options::new();
        options.capabilities = capabilities;
        let module = Frontend::new_with_options(options)
            .parse(text)
            .map_err(|error| error.emit_to_string_with_path(text, name))?;
        let info = Validator::new(ValidationFlags::all(), capabilities)
            .subgroup_stages(ShaderStages::COMPUTE)
            .subgroup_operations(SubgroupOperationSet::all())
            .validate(&module)
            .map_err(|error| error.emit_to_string_with_path(text, name))?;
        Ok(Self { name: name.to_owned(), module, info })
    }

    /// Fails the test unless WebGPU's default limits allow the shader.
    pub fn assert_within_default_limits(&self) {
        let (name, module) = (&self.name, &self.module);
        let globals = || module.global_variables.iter().map(|(_, global)| global);
        let storage = globals().filter(|global| matches!(global.space, AddressSpace::Storage { .. })).count();
        assert!(storage <= STORAGE_BUFFERS, "{name}: {storage} storage buffers");
        let shared = globals().filter(|global| global.space == AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|global| module.types[global.ty].inner.size(module.to_ctx())).sum();
        assert!(bytes <= WORKGROUP_BYTES, "{name}: {bytes} bytes of workgroup memory");
        for entry in &module.entry_points {
            let size = entry.workgroup_size;
            assert!(size.iter().product::<u32>() <= INVOCATIONS, "{name}: a workgroup of {size:?}");
            assert!(size.iter().zip(WORKGROUP_SIZE).all(|(&size, most)| size <= most), "{name}: {size:?}");
        }
    }

    /// Translates the shader for Vulkan, Metal and DX12, and validates the SPIR-V with `spirv-val`.
    ///
    /// # Panics
    /// With the message of the translator or validator that fails.
    pub fn assert_translates(&self) {
        let spirv = self.spirv().unwrap_or_else(|error| panic!("{}: SPIR-V: {error}", self.name));
        self.assert_spirv_is_valid(&spirv);
        let msl = self.msl().unwrap_or_else(|error| panic!("{}: MSL: {error}", self.name));
        assert!(msl.contains("kernel void"), "{}: MSL without a kernel:\n{msl}", self.name);
        let hlsl = self.hlsl().unwrap_or_else(|error| panic!("{}: HLSL: {error}", self.name));
        assert!(hlsl.contains("[numthreads("), "{}: HLSL without a kernel:\n{hlsl}", self.name);
    }

    fn entry(&self) -> &str {
        &self.module.entry_points[0].name
    }

    /// SPIR-V 1.3 (Vulkan 1.1), the first version with subgroup operations.
    fn spirv(&self) -> Result<Vec<u32>, spv::Error> {
        let options =
            spv::Options { lang_version: (1, 3), fake_missing_bindings: true, ..spv::Options::default() };
        let pipeline =
            spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: self.entry().to_owned() };
        spv::write_vec(&self.module, &self.info, &options, Some(&pipeline))
    }

    /// MSL 2.4 (macOS 12).
    fn msl(&self) -> Result<String, msl::Error> {
        let options = msl::Options { lang_version: (2, 4), ..msl::Options::default() };
        let pipeline = msl::PipelineOptions {
            entry_point: Some((ShaderStage::Compute, self.entry().to_owned())),
            ..msl::PipelineOptions::default()
        };
        let (text, translation) = msl::write_string(&self.module, &self.info, &options, &pipeline)?;
        let mut names = translation.entry_point_names.into_iter();
        names
            .try_for_each(|name| name.map(drop))
            .map_err(|error| msl::Error::GenericValidation(error.to_string()))?;
        Ok(text)
    }

    /// HLSL of shader model 6.0, the lowest that wgpu requires for DX12.
    fn hlsl(&self) -> Result<String, hlsl::Error> {
        let options = hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, ..hlsl::Options::default() };
        let pipeline =
            hlsl::PipelineOptions { entry_point: Some((ShaderStage::Compute, self.entry().to_owned())) };
        let mut text = String::new();
        let written =
            hlsl::Writer::new(&mut text, &options, &pipeline).write(&self.module, &self.info, None)?;
        let mut names = written.entry_point_names.into_iter();
        names.try_for_each(|name| name.map(drop)).map_err(|error| hlsl::Error::Custom(error.to_string()))?;
        Ok(text)
    }

    fn assert_spirv_is_valid(&self, words: &[u32]) {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        file.write_all(&bytes).expect("write SPIR-V");
        let output = Command::new("spirv-val").args(["--target-env", "vulkan1.1"]).arg(file.path()).output();
        let output = output.expect("spirv-val; `cargo xtask setup` installs it (Debian: spirv-tools)");
        let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}: spirv-val: {said}", self.name);
    }
}
