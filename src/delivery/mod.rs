//! How credentials reach programs: the control socket.

pub mod control_socket;
