//! The daemon: see [`evercred::daemon`].

#[global_allocator]
static ALLOCATOR: evercred::platform::allocator::ClearingAllocator =
    evercred::platform::allocator::ClearingAllocator::new();

fn main() -> std::process::ExitCode {
    evercred::daemon::main()
}
