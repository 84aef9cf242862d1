//! A cookie that the admin port sets and every other port keeps from guests.

/// What the console signs an operator in with. Browsers send it to all ports of its host.
pub const CONSOLE_COOKIE: &str = "wfh_console";
