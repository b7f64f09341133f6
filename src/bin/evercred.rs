//! The companion: see [`evercred::companion`].

#[global_allocator]
static ALLOCATOR: evercred::platform::allocator::ClearingAllocator =
    evercred::platform::allocator::ClearingAllocator::new();

fn main() -> std::process::ExitCode {
    evercred::companion::main()
}
