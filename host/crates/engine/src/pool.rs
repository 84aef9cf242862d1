//! wasmtime's settings: two engines, one for WASI 0.2 components and one for 0.3, and their pools.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{EngineConfig, EngineError, PagemapScan};

/// Components of large languages need several core instances each (Python: 14).
const CORE_INSTANCES_PER_COMPONENT: u32 = 20;
const MEMORIES_PER_COMPONENT: u32 = 4;
const TABLES_PER_COMPONENT: u32 = 8;
/// Room for host frames above the guest's own stack.
const HOST_STACK_BYTES: usize = 512 << 10;
/// The guard behind a memory that is allocated on demand.
const ON_DEMAND_GUARD_BYTES: u64 = 64 << 10;
/// Snapshots up to this size are mapped copy-on-write instead of copied.
const DENSE_IMAGE_BYTES_MAX: u64 = 256 << 20;

/// Which components an engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// WASI 0.2 only: without the machinery of 0.3, an instance costs half.
    P2,
    /// WASI 0.3, and 0.2 beside it.
    P3,
}

/// Builds an engine. Where the pool's address space is refused, it falls back to allocating on
/// demand, with a warning that says what to do.
pub(crate) fn engine(config: &EngineConfig, generation: Generation) -> Result<Engine, EngineError> {
    let pooled = Engine::new(&settings(config, generation, true)?);
    let error = match pooled {
        Ok(engine) => return Ok(engine),
        Err(error) => error,
    };
    let slot_gib = u64::from(config.instances_max) * 4;
    tracing::warn!(
        error = %format!("{error:#}"),
        "the instance pool was refused and instances are allocated on demand, about three times \
         slower: the pool reserves about {slot_gib} GiB of address space (not memory); allow it \
         with `ulimit -v unlimited` and `sysctl vm.overcommit_memory=0`, or lower \
         engine.instances_max"
    );
    Engine::new(&settings(config, generation, false)?).map_err(|error| {
        EngineError::Pool(format!("the engine cannot start even without a pool: {error:#}"))
    })
}

fn settings(
    config: &EngineConfig,
    generation: Generation,
    pooled: bool,
) -> Result<Config, EngineError> {
    let stack_bytes = usize::try_from(config.stack_bytes_max).unwrap_or(usize::MAX);
    let mut settings = Config::new();
    settings
        .wasm_component_model(true)
        .wasm_component_model_async(generation == Generation::P3)
        .concurrency_support(generation == Generation::P3)
        .epoch_interruption(true)
        .max_wasm_stack(stack_bytes)
        .async_stack_size(stack_bytes.saturating_add(HOST_STACK_BYTES))
        .memory_guaranteed_dense_image_size(DENSE_IMAGE_BYTES_MAX)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(32));
    if pooled {
        settings.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)?));
    } else {
        // Address space is what was missing: take only what the functions may use.
        settings
            .memory_reservation(config.memory_bytes_max)
            .memory_reservation_for_growth(0)
            .memory_guard_size(ON_DEMAND_GUARD_BYTES);
    }
    Ok(settings)
}

fn pool(config: &EngineConfig) -> Result<PoolingAllocationConfig, EngineError> {
    let instances = config.instances_max;
    let memory_bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    let scan = pagemap_scan(config.pagemap_scan)?;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES_PER_COMPONENT))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances)
        .total_gc_heaps(0)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .table_elements(config.table_elements_max as usize)
        .max_memory_size(memory_bytes(config.memory_bytes_max))
        .table_keep_resident(memory_bytes(config.table_keep_resident_bytes))
        .pagemap_scan(if scan { Enabled::Yes } else { Enabled::No });
    // Without the scan, keeping memory resident means clearing all of it by hand each time: slower
    // than giving it back.
    if scan {
        pool.linear_memory_keep_resident(memory_bytes(config.memory_keep_resident_bytes));
    }
    Ok(pool)
}

/// Whether the kernel says which pages a guest changed (Linux 6.7 and later): what a freed memory is
/// reset by fastest.
#[must_use]
pub fn pagemap_scan_is_available() -> bool {
    PoolingAllocationConfig::is_pagemap_scan_available()
}

fn pagemap_scan(wanted: PagemapScan) -> Result<bool, EngineError> {
    let available = pagemap_scan_is_available();
    match wanted {
        PagemapScan::Auto => Ok(available),
        PagemapScan::Off => Ok(false),
        PagemapScan::On if available => Ok(true),
        PagemapScan::On => Err(EngineError::Pool(
            "engine.pagemap_scan = \"on\", but this kernel has no PAGEMAP_SCAN (Linux 6.7 and \
             later); set it to \"auto\""
                .to_owned(),
        )),
    }
}
